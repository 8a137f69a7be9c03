//! What each action does to the world. Every function names the code that it stands for.

use std::sync::Arc;
use std::time::Duration;

use nbos_gpu::model::{Answer, Ledger};
use nbos_gpu::{LeaseId, LeaseRequest, Terms};
use nbos_kernel::model::{Entry, Runner, Session, Verdict};

use crate::bug::Bug;
use crate::world::{Call, Cell, Cut, Lasts, Logged, Phase, Replica, Sent, What, World};

mod election;
mod moving;

pub(crate) use moving::MoveStep;

/// Longer than any path.
const LONG: Duration = Duration::from_secs(3_600);

/// Requests of one replica have numbers below this.
const TICKETS: u64 = 256;

/// A world that is being changed.
pub(crate) struct Act<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) bug: Bug,
}

impl Act<'_> {
    fn replica(&mut self, kernel: usize, host: usize) -> &mut Replica {
        self.world.kernels[kernel].replicas[host]
            .as_mut()
            .expect("invariant: actions name replicas that exist")
    }

    fn me(&self, kernel: usize, host: usize) -> Runner {
        let runner = self.world.runner(kernel, host);
        runner.expect("invariant: actions name replicas that exist")
    }

    fn session(&self, kernel: usize, host: usize) -> Arc<Session> {
        let replica = self.world.kernels[kernel].replicas[host].as_ref();
        self.world.kernels[kernel].session(replica.map_or(0, |replica| replica.applied))
    }

    fn call(&mut self, kernel: usize, from: usize, to: usize, what: What) {
        self.world.kernels[kernel].calls.insert(Call { from, to, what });
    }

    fn ledger(&mut self, host: usize, work: impl FnOnce(&mut Ledger) -> Vec<Answer>) {
        let host = &mut self.world.hosts[host];
        let answers = work(Arc::make_mut(&mut host.ledger));
        host.mail.extend(answers);
    }

    /// `State::lease`
    fn lease(&mut self, kernel: usize, host: usize, within: Duration, terms: Terms) {
        let epoch = self.session(kernel, host).epoch();
        let replica = self.replica(kernel, host);
        // What was asked before the last three is long answered.
        replica.asked = (replica.asked + 1) % 4;
        let asked = replica.asked;
        if let Some(before) = replica.leasing.replace(asked) {
            self.ledger(host, |ledger| ledger.withdraw(ticket(kernel, before)));
        }
        let request = LeaseRequest {
            holder: format!("kernel-{kernel}"),
            user: format!("user-{kernel}"),
            epoch,
            count: 1,
            memory: 0,
            within,
            terms,
        };
        self.ledger(host, |ledger| ledger.request(ticket(kernel, asked), request));
    }

    /// `Action::LeaveLine`
    fn leave_line(&mut self, kernel: usize, host: usize) {
        if let Some(asked) = self.replica(kernel, host).leasing.take() {
            self.ledger(host, |ledger| ledger.withdraw(ticket(kernel, asked)));
        }
    }

    /// `Action::ReleaseLease`
    fn release(&mut self, kernel: usize, host: usize) {
        if let Some(lease) = self.replica(kernel, host).lease.take() {
            self.ledger(host, |ledger| ledger.release(lease));
        }
    }

    fn propose(&mut self, kernel: usize, host: usize, entry: Entry) {
        self.replica(kernel, host).proposal = Some(entry);
        self.world.kernels[kernel].flight.insert(Sent { from: host, entry });
    }

    /// `Core::propose_start`
    fn propose_start(&mut self, kernel: usize, host: usize) {
        let (me, session) = (self.me(kernel, host), self.session(kernel, host));
        let epoch = session.epoch() + u64::from(session.executor() != Some(me));
        let Some(cell) = self.replica(kernel, host).cell.as_mut() else {
            return;
        };
        cell.phase = Phase::Starting;
        let entry = Entry::CellStarted {
            cell: cell.number,
            by: me,
            epoch,
        };
        self.propose(kernel, host, entry);
    }

    /// `Core::start_next_cell`, `begin_cell`
    pub(crate) fn begin(&mut self, kernel: usize, host: usize, number: u8) {
        self.withdraw_offer(kernel, host);
        if self.replica(kernel, host).handover.take().is_some() {
            self.release(kernel, host);
        }
        self.replica(kernel, host).cell = Some(Cell {
            number,
            phase: Phase::Leasing,
        });
        self.lease(kernel, host, Duration::ZERO, Terms::Firm);
    }

    /// An entry is committed: the group's leader has it on the disks of a majority.
    pub(crate) fn commit(&mut self, kernel: usize, sent: Sent) {
        let Some(quorum) = self.world.quorum(kernel) else {
            return;
        };
        let kernel = &mut self.world.kernels[kernel];
        let before = kernel.newest();
        let entry = match self.bug {
            Bug::EpochsIgnored => as_if_current(sent.entry, &before),
            _ => sent.entry,
        };
        let mut after = Session::clone(&before);
        let verdict = after.apply(entry);
        kernel.log.push(Logged {
            entry: sent.entry,
            verdict,
            before,
            after: Arc::new(after),
        });
        let length = kernel.log.len();
        for host in quorum {
            if let Some(replica) = kernel.replicas[host].as_mut() {
                replica.stored = length;
            }
        }
    }

    /// `Core::applied`
    pub(crate) fn apply(&mut self, kernel: usize, host: usize) {
        let me = self.me(kernel, host);
        let replica = self.replica(kernel, host);
        let at = replica.applied;
        replica.applied += 1;
        replica.stored = replica.stored.max(replica.applied);
        let logged = self.world.kernels[kernel].log[at].clone();
        let replica = self.replica(kernel, host);
        if replica.proposal == Some(logged.entry) {
            replica.proposal = None;
        }
        if let Entry::CellStarted { cell, by, .. } = logged.entry
            && by != me
            && replica.offer.is_some_and(|offer| offer.cell == cell)
        {
            self.withdraw_offer(kernel, host);
        }
        self.cell_applied(kernel, host, me, &logged);
        let (before, after) = (logged.before.executor(), logged.after.executor());
        if before != after && after != Some(me) {
            self.lost_executor_role(kernel, host);
        }
    }

    /// `Core::cell_applied`
    fn cell_applied(&mut self, kernel: usize, host: usize, me: Runner, logged: &Logged) {
        let replica = self.replica(kernel, host);
        let starting = matches!(replica.phase(), Some(Phase::Starting));
        match (logged.entry, logged.verdict) {
            (Entry::CellStarted { cell, by, .. }, Verdict::Started { seq }) if by == me => {
                if let Some(it) = replica.cell.as_mut().filter(|it| it.number == cell) {
                    it.phase = Phase::Ready { seq };
                }
            }
            // `Core::drop_cell_if`, `requeue_cell`
            (Entry::CellStarted { by, .. }, Verdict::AlreadyDone | Verdict::Stale) if by == me && starting => {
                replica.cell = None;
                if self.bug != Bug::LoserKeepsItsLease {
                    self.release(kernel, host);
                }
            }
            // `Core::take_cell`
            (_, Verdict::Finished { seq } | Verdict::Aborted { seq }) => {
                let at = match replica.phase() {
                    Some(Phase::Ready { seq } | Phase::Running { seq } | Phase::Ending { seq }) => Some(*seq),
                    _ => None,
                };
                if at == Some(seq) {
                    replica.cell = None;
                    self.release(kernel, host);
                }
            }
            _ => {}
        }
    }

    /// `Core::lost_executor_role`
    fn lost_executor_role(&mut self, kernel: usize, host: usize) {
        self.leave_lines(kernel, host, None);
        if self.replica(kernel, host).cell.take().is_some() && self.bug != Bug::LoserKeepsItsLease {
            self.release(kernel, host);
        }
    }

    /// `Core::run`
    pub(crate) fn run(&mut self, kernel: usize, host: usize) {
        let replica = self.replica(kernel, host);
        replica.pauses = false;
        if let Some(cell) = replica.cell.as_mut()
            && let Phase::Ready { seq } = cell.phase
        {
            cell.phase = Phase::Running { seq };
            let number = usize::from(cell.number);
            self.world.kernels[kernel].began[number] += 1;
        }
    }

    /// `Core::delta_captured`, `propose_finish`
    pub(crate) fn end(&mut self, kernel: usize, host: usize) {
        let epoch = self.session(kernel, host).epoch();
        self.end_with(kernel, host, |seq| Entry::CellFinished { seq, epoch });
    }

    /// `Core::cell_lost_child`: its process died, or `Core::fence` ended it.
    pub(crate) fn cut_cell(&mut self, kernel: usize, host: usize) {
        let (by, epoch) = (self.me(kernel, host), self.session(kernel, host).epoch());
        self.end_with(kernel, host, |seq| Entry::CellAborted { seq, by, epoch });
    }

    fn end_with(&mut self, kernel: usize, host: usize, entry: impl FnOnce(u64) -> Entry) {
        if let Some(cell) = self.replica(kernel, host).cell.as_mut()
            && let Phase::Running { seq } = cell.phase
        {
            cell.phase = Phase::Ending { seq };
            self.release(kernel, host);
            self.propose(kernel, host, entry(seq));
        }
    }

    /// `Core::take_over_if_needed`: `propose_succession`, or `end_orphan` by the executor itself.
    pub(crate) fn take_over(&mut self, kernel: usize, host: usize) {
        let (by, session) = (self.me(kernel, host), self.session(kernel, host));
        let own = session.executor() == Some(by);
        let epoch = session.epoch() + u64::from(!own);
        let old = session
            .executor()
            .and_then(|old| self.world.kernels[kernel].host_of(old));
        let silent = old.is_some_and(|old| !self.world.connected(host, old));
        self.replica(kernel, host).pauses |= silent;
        let entry = match session.running() {
            Some(seq) => Entry::CellAborted { seq, by, epoch },
            None => Entry::ExecutorChanged { by, epoch },
        };
        self.propose(kernel, host, entry);
    }

    /// The node dies, and its Python processes with it; what it had in memory is gone.
    pub(crate) fn crash(&mut self, host: usize) {
        let isolated = self.world.cut.is_some_and(|cut| cut.host == host);
        let it = &mut self.world.hosts[host];
        it.up = false;
        it.ledger = Arc::new(Ledger::new(1));
        it.mail.clear();
        it.foreign = None;
        for kernel in 0..self.world.kernels.len() {
            let its = &mut self.world.kernels[kernel];
            if isolated {
                its.flight.retain(|sent| sent.from != host);
            }
            if let Some(replica) = its.replicas[host].as_mut() {
                *replica = Replica {
                    id: replica.id,
                    stored: replica.stored,
                    ..Replica::default()
                };
            }
            let broken: Vec<Call> = its.calls.iter().filter(|call| call.to == host).copied().collect();
            for call in broken {
                self.world.kernels[kernel].calls.remove(&call);
                if !matches!(call.what, What::RoomYes { .. }) {
                    self.refuse(kernel, call);
                }
            }
        }
    }

    /// `nbos up` starts it again: it continues from its disk.
    pub(crate) fn restart(&mut self, host: usize) {
        self.world.hosts[host].up = true;
        self.world.hosts[host].incarnation += 1;
        for kernel in &mut self.world.kernels {
            if let Some(replica) = kernel.replicas[host].as_mut() {
                replica.applied = replica.stored;
            }
        }
    }

    pub(crate) fn cut(&mut self, host: usize) {
        self.world.cut = Some(Cut {
            host,
            lasts: Lasts::Unnoticed,
        });
    }

    /// A ledger's clock runs on. Whoever uses a lease renews it three times a term.
    pub(crate) fn pass(&mut self, host: usize) {
        let holders = self
            .world
            .kernels
            .iter()
            .filter_map(|kernel| kernel.replicas[host].as_ref());
        let used = holders
            .filter(|replica| replica.offer.is_none())
            .filter_map(|replica| replica.lease);
        let renewed: Vec<LeaseId> = used.chain(self.world.hosts[host].foreign).collect();
        self.ledger(host, |ledger| {
            for lease in renewed {
                ledger.renew(lease);
            }
            ledger.pass()
        });
    }

    /// Others' cell ends.
    pub(crate) fn others_end(&mut self, host: usize) {
        if let Some(lease) = self.world.hosts[host].foreign.take() {
            self.ledger(host, |ledger| ledger.release(lease));
        }
    }
}

fn ticket(kernel: usize, asked: u8) -> u64 {
    kernel as u64 * TICKETS + u64::from(asked)
}

/// The entry as a state machine would see it that does not look at epochs.
fn as_if_current(entry: Entry, session: &Session) -> Entry {
    let epoch = session.epoch();
    match entry {
        Entry::CellStarted { cell, by, .. } => Entry::CellStarted {
            cell,
            by,
            epoch: epoch + 1,
        },
        Entry::CellFinished { seq, .. } => Entry::CellFinished { seq, epoch },
        Entry::CellAborted { seq, by, .. } => Entry::CellAborted {
            seq,
            by,
            epoch: epoch + 1,
        },
        Entry::ExecutorChanged { by, .. } => Entry::ExecutorChanged { by, epoch: epoch + 1 },
    }
}
