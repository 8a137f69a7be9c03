//! Who acts for the kernel now, and when this replica steps in.

use super::ending::Cut;
use super::{Action, Core, Liveness, Member, Micros, TAKE_OVER_PAUSE_US, Ticket};
use crate::id::Version;
use crate::protocol::{LentCell, ReplicaReply};
use crate::state::{Command, ExecutorChanged, Restarted};

/// Where requests belong at this moment.
pub(super) enum Acting {
    Here,
    There(nbos_mesh::NodeName),
    /// The executor's host is gone or silent, and this replica is the one to replace it.
    Vacant,
}

/// Somebody wants this replica to be the executor.
pub(super) struct Handover {
    pub(super) ticket: Ticket,
    pub(super) deadline: Micros,
    pub(super) wanted: Wanted,
}

/// What a replica is to be the executor for.
pub(super) enum Wanted {
    /// Whatever comes.
    Role,
    /// A cell that touches what is pinned here.
    PinnedCell { msg_id: String },
    /// A cell whose GPUs are leased here; taken out when its start is proposed.
    LentCell {
        msg_id: String,
        lent: Option<Box<LentCell>>,
    },
}

/// The old executor's full pass before a planned hand-over.
pub(super) struct Passing {
    asked: u64,
    /// The hand-over goes on without it then.
    deadline: Micros,
    /// Its answer: all up to this version is committed.
    version: Option<Version>,
    /// Not asked again before.
    again_at: Micros,
}

/// Pause before an old executor that had no time for a pass is asked again.
const ASK_AGAIN_US: Micros = 200_000;

impl Core {
    pub(super) fn acting(&self) -> Acting {
        let executor = self.state.executor();
        if executor == Some(self.me) {
            return Acting::Here;
        }
        if self.is_joining() {
            return self.nearest_member();
        }
        let lost = executor.map(|executor| executor.replica);
        if let Some(executor) = executor
            && let Some(host) = self.host_of(executor.replica)
            && self.liveness(host)
                == (Liveness::Up {
                    incarnation: executor.incarnation,
                })
        {
            // Its process answers. If that is this one, an earlier life of this replica ended in it: step in.
            return if executor.replica == self.me.replica {
                Acting::Vacant
            } else {
                Acting::There(host.clone())
            };
        }
        // Before the first cell, or after a loss: the first replica in order of preference whose host is up. Every replica uses
        // the same order, so that two seldom step in at once; if they do, the log takes the first. One whose host came back
        // after a loss comes last: the others have the session's state in memory.
        let is_up = |member: &&Member| member.replica == self.me.replica || self.is_up(&member.host);
        let members = &self.membership.members;
        let others = members.iter().filter(|member| Some(member.replica) != lost);
        let last = members.iter().filter(|member| Some(member.replica) == lost);
        match others.chain(last).find(is_up) {
            Some(member) if member.replica != self.me.replica => Acting::There(member.host.clone()),
            _ if executor.is_none() => Acting::Here,
            _ => Acting::Vacant,
        }
    }

    /// This replica answers for the kernel.
    pub(super) fn acting_here(&self) -> bool {
        matches!(self.acting(), Acting::Here)
    }

    /// The executor is alive elsewhere: gateways send there what waits here.
    pub(super) fn drop_what_belongs_elsewhere(&mut self) {
        if self.cell.is_none() && matches!(self.acting(), Acting::There(_)) {
            self.clear_queue();
            self.backlog.clear();
        }
    }

    /// Steps in for a lost executor when someone waits for the kernel, or ends a cell of an earlier life of this replica.
    pub(super) fn take_over_if_needed(&mut self) {
        if self.proposal.is_some() {
            return;
        }
        // An earlier life of this replica left a cell: it must end even if nobody asks.
        let orphan = self.state.running().is_some()
            && self
                .state
                .executor()
                .is_some_and(|executor| executor.replica == self.me.replica);
        let wanted = orphan || !self.queue.is_empty() || !self.backlog.is_empty() || !self.restarts.is_empty();
        match self.acting() {
            Acting::Vacant if wanted => {
                let silent = self
                    .state
                    .executor()
                    .and_then(|executor| self.host_of(executor.replica))
                    .is_some_and(|host| self.liveness(host) == Liveness::Suspected);
                if silent {
                    self.run_after = self.now + TAKE_OVER_PAUSE_US;
                }
                self.propose_succession();
            }
            // The log says that this replica runs a cell, and it does not: it was started by a process that is gone.
            Acting::Here if self.cell.is_none() && self.is_executor() => self.end_orphan(),
            Acting::Vacant | Acting::Here | Acting::There(_) => {}
        }
    }

    /// After the epoch changed hands: answers whoever asked for it.
    pub(super) fn settle_handovers(&mut self) {
        if self.handovers.is_empty() {
            return;
        }
        let done = self.is_executor() && self.child_is_current();
        let failure = self.child_failure().map(str::to_owned);
        // Its start was proposed, and did not come to pass.
        let overtaken = self.cell.is_none() && self.proposal.is_none();
        let (settled, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.handovers).into_iter().partition(|handover| {
                let lost = overtaken && matches!(handover.wanted, Wanted::LentCell { lent: None, .. });
                done || failure.is_some() || lost || handover.deadline <= self.now
            });
        for handover in settled {
            let reply = match &failure {
                _ if done => ReplicaReply::Done,
                Some(why) => ReplicaReply::Refused {
                    code: "NB0406".to_owned(),
                    message: format!("the Python process cannot be started: {why}"),
                },
                None => ReplicaReply::Refused {
                    code: "NB0405".to_owned(),
                    message: "the hand-over did not finish in time".to_owned(),
                },
            };
            self.drop_handover(handover, reply);
        }
        self.handovers = waiting;
        if self.handovers.is_empty() || self.is_executor() {
            self.passing = None;
            return;
        }
        let idle = self.proposal.is_none() && self.state.running().is_none();
        // Asked while a cell runs, too: the old executor then starts no other one.
        if self.passed() && idle && self.cell.is_none() {
            self.take_role();
        }
    }

    pub(super) fn drop_handover(&mut self, handover: Handover, reply: ReplicaReply) {
        let Handover { ticket, wanted, .. } = handover;
        if matches!(wanted, Wanted::LentCell { lent: Some(_), .. }) {
            self.actions.push(Action::ReleaseLease);
        }
        self.actions.push(Action::Answer { ticket, reply });
    }

    fn take_role(&mut self) {
        let mut pinned = None;
        for handover in &mut self.handovers {
            match &mut handover.wanted {
                Wanted::Role => {}
                Wanted::PinnedCell { msg_id } => pinned = Some(msg_id.clone()),
                Wanted::LentCell { msg_id, lent } => {
                    if let Some(lent) = lent.take() {
                        let msg_id = msg_id.clone();
                        return self.start_lent(msg_id, *lent);
                    }
                }
            }
        }
        self.propose(Command::ExecutorChanged(ExecutorChanged {
            epoch: self.state.epoch().next(),
            executor: self.me,
            cell: pinned,
        }));
    }

    /// The old executor has committed what a full pass found, or cannot be waited for. Asks it where needed.
    fn passed(&mut self) -> bool {
        let Acting::There(host) = self.acting() else {
            // Nobody runs there who could hold more than the log.
            return true;
        };
        if self.state.executor().is_none() {
            return true;
        }
        let patience = self.barrier_patience();
        let passing = self.passing.get_or_insert(Passing {
            asked: 0,
            deadline: self.now + patience,
            version: None,
            again_at: 0,
        });
        if self.state.running().is_some() {
            passing.deadline = self.now + patience;
        }
        if passing.version.is_some_and(|version| version >= self.state.version()) || passing.deadline <= self.now {
            return true;
        }
        let stale = passing.version.take().is_some();
        if stale || passing.asked == 0 || passing.again_at <= self.now {
            self.next_order += 1;
            passing.asked = self.next_order;
            // Not while the answer is under way.
            passing.again_at = Micros::MAX;
            self.actions.push(Action::AskScrub {
                asked: self.next_order,
                host,
                within: patience,
            });
        }
        false
    }

    pub(super) fn scrub_answered(&mut self, asked: u64, version: Option<Version>) {
        let again_at = self.now + ASK_AGAIN_US;
        if let Some(passing) = self.passing.as_mut().filter(|passing| passing.asked == asked) {
            passing.version = version;
            passing.again_at = again_at;
        }
    }

    pub(super) fn settle_restarts(&mut self) {
        if self.restarts.is_empty() {
            return;
        }
        if self.restart_requested {
            if self.proposal.is_none() {
                self.propose(Command::Restarted(Restarted {
                    epoch: self.state.epoch().next(),
                    executor: self.me,
                }));
            }
            return;
        }
        let reply = if self.child_is_current() {
            ReplicaReply::Done
        } else if let Some(why) = self.child_failure() {
            ReplicaReply::Refused {
                code: "NB0406".to_owned(),
                message: format!("the Python process cannot be started: {why}"),
            }
        } else {
            return;
        };
        for ticket in std::mem::take(&mut self.restarts) {
            self.actions.push(Action::Answer {
                ticket,
                reply: reply.clone(),
            });
        }
    }

    pub(super) fn liveness(&self, host: &nbos_mesh::NodeName) -> Liveness {
        if *host == self.host {
            return Liveness::Up {
                incarnation: self.me.incarnation,
            };
        }
        self.liveness.get(host).copied().unwrap_or(Liveness::Down)
    }

    pub(super) fn is_up(&self, host: &nbos_mesh::NodeName) -> bool {
        matches!(self.liveness(host), Liveness::Up { .. })
    }

    fn propose_succession(&mut self) {
        let epoch = self.state.epoch().next();
        let command = match self.state.running().cloned() {
            Some(running) => self.abort_command(running.seq, epoch, running.header, &Cut::lost()),
            None => Command::ExecutorChanged(ExecutorChanged {
                epoch,
                executor: self.me,
                cell: None,
            }),
        };
        self.propose(command);
    }

    fn end_orphan(&mut self) {
        if let Some(running) = self.state.running().cloned() {
            let epoch = self.state.epoch();
            let command = self.abort_command(running.seq, epoch, running.header, &Cut::lost());
            self.propose(command);
        }
    }
}
