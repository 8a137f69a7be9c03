//! Where a cell gets its GPUs: at the executor's host, else at the first host of another replica that has them. That replica becomes
//! the executor by the commit that starts the cell.
//!
//! The executor asks its own host first. If that has no room, the cell joins the lines of all hosts that live, at once: the first
//! to grant wins, and the other lines are left. Nobody waits for a silent host. Another host grants on condition, for two
//! seconds, until the cell is handed to it or not. Members come and go meanwhile: a new one is asked like the others. When nobody
//! has room, those who place replicas are told, who may move one to a host that has.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use super::cell::{Cell, Phase, Queued};
use super::event::Failure;
use super::line::Standing;
use super::takeover::{Handover, Wanted};
use super::{Action, Core, Micros, Ticket};
use crate::protocol::{ElectionId, LentCell, ReplicaReply, Room};

/// A host that said no, or nothing, is asked again after this.
const ASK_AGAIN_US: Micros = 1_000_000;

/// Less than a conditional lease lives at the ledger: what is held here can still be confirmed.
const OFFER_US: Micros = 1_500_000;

/// All hosts have answered by then; a moment more does not hurt who waits for GPUs of a new host.
const RELOCATE_AFTER_US: Micros = 150_000;

/// A scheduler that could do nothing, or did not hear of it, is told again.
const RELOCATE_AGAIN_US: Micros = 10_000_000;

/// The ledger's word for: that many devices are not there at all.
const IMPOSSIBLE: &str = "NB0701";

/// The lines that the cell at hand stands in.
pub(super) struct Election {
    pub(super) id: ElectionId,
    until: Micros,
    here: Line,
    there: BTreeMap<NodeName, Line>,
    pub(super) standing: Standing,
    /// When to ask for another host.
    relocate_at: Micros,
}

impl Election {
    /// The hosts in whose lines the cell stands.
    pub(super) fn lines<'a>(&'a self, myself: &'a NodeName) -> impl Iterator<Item = &'a NodeName> {
        let there = self.there.iter().filter(|(_, line)| line.waits()).map(|(host, _)| host);
        self.here.waits().then_some(myself).into_iter().chain(there)
    }
}

enum Line {
    Waiting,
    Out { why: Failure, again_at: Micros },
}

/// GPUs of this host for a cell of another replica.
pub(super) struct Offer {
    election: ElectionId,
    msg_id: String,
    phase: OfferPhase,
}

enum OfferPhase {
    /// In the line; whoever asked waits for an answer.
    Waiting(Ticket),
    /// Lent on condition.
    Held { until: Micros },
}

impl Line {
    fn out(why: Failure, again_at: Micros) -> Self {
        Self::Out { why, again_at }
    }

    fn waits(&self) -> bool {
        matches!(self, Self::Waiting)
    }

    /// No wait helps.
    fn is_hopeless(&self) -> bool {
        matches!(self, Self::Out { why, .. } if why.code == IMPOSSIBLE)
    }
}

impl Core {
    /// What came of a request for GPUs of this host.
    pub(super) fn leased(&mut self, msg_id: &str, result: Result<(), Failure>) {
        let phase = self
            .cell
            .as_ref()
            .filter(|cell| cell.msg_id == msg_id)
            .map(|cell| &cell.phase);
        match (phase, result) {
            (Some(Phase::Leasing), Ok(())) => self.propose_start(),
            (Some(Phase::Leasing), Err(why)) => self.elect(why),
            (Some(Phase::Electing), Ok(())) => {
                self.leave_lines(None);
                self.propose_start();
            }
            (Some(Phase::Electing), Err(why)) => {
                if let Some(election) = &mut self.election {
                    election.here = Line::out(why, self.now + ASK_AGAIN_US);
                }
            }
            (_, result) => self.offer_leased(msg_id, result),
        }
    }

    /// This host has no room now.
    fn elect(&mut self, why: Failure) {
        let now = self.now;
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        cell.phase = Phase::Electing;
        cell.phase_since = now;
        self.next_order += 1;
        self.election = Some(Election {
            id: ElectionId {
                epoch: self.state.epoch(),
                round: self.next_order,
            },
            until: now.saturating_add(self.settings.gpu_wait),
            here: Line::out(why, now),
            there: BTreeMap::new(),
            standing: Standing::default(),
            relocate_at: now + RELOCATE_AFTER_US,
        });
        self.advance_election();
    }

    pub(super) fn advance_election(&mut self) {
        let now = self.now;
        let members = self.membership.members.iter();
        let all: Vec<NodeName> = members
            .filter(|member| member.replica != self.me.replica && !self.leaves(member.replica))
            .map(|member| member.host.clone())
            .collect();
        let others: Vec<NodeName> = all.iter().filter(|host| self.is_up(host)).cloned().collect();
        let (Some(election), Some(cell)) = (&mut self.election, &self.cell) else {
            return;
        };
        if !matches!(cell.phase, Phase::Electing) {
            return;
        }
        let gone: Vec<NodeName> = election
            .there
            .keys()
            .filter(|host| !all.contains(host))
            .cloned()
            .collect();
        for host in gone {
            if election.there.remove(&host).is_some_and(|line| line.waits()) {
                let election = election.id;
                self.actions.push(Action::LeaveRoom { host, election });
            }
        }
        let is_hopeless = |host: &NodeName| election.there.get(host).is_some_and(Line::is_hopeless);
        if election.here.is_hopeless() && all.iter().all(is_hopeless) {
            let evalue = format!(
                "{IMPOSSIBLE}: no host of this kernel has {} GPUs; ask for fewer",
                cell.gpus
            );
            self.leave_lines(None);
            return self.refuse_cell("NoGpus", &evalue);
        }
        let left = election.until.saturating_sub(now);
        if left == 0 {
            let evalue = format!(
                "NB0412: {} GPUs did not come free on any of the kernel's hosts in {} s",
                cell.gpus,
                self.settings.gpu_wait / 1_000_000
            );
            self.leave_lines(None);
            return self.refuse_cell("NoGpus", &evalue);
        }
        let due = |line: &Line| matches!(line, Line::Out { again_at, .. } if *again_at <= now && !line.is_hopeless());
        if due(&election.here) {
            election.here = Line::Waiting;
            self.actions.push(Action::Lease {
                msg_id: cell.msg_id.clone(),
                gpus: cell.gpus,
                within: left,
                on_condition: false,
            });
        }
        for host in others {
            if election.there.get(&host).is_none_or(due) {
                election.there.insert(host.clone(), Line::Waiting);
                self.actions.push(Action::AskRoom {
                    host,
                    room: Room {
                        election: election.id,
                        msg_id: cell.msg_id.clone(),
                        gpus: cell.gpus,
                        within_us: left,
                    },
                });
            }
        }
        if election.relocate_at <= now {
            election.relocate_at = now + RELOCATE_AGAIN_US;
            self.actions.push(Action::AskRelocation {
                gpus: cell.gpus,
                waited: now - cell.phase_since,
            });
        }
        self.pass_ahead();
        self.advance_standing();
    }

    /// Another host has lent GPUs to the cell on condition, or will not.
    pub(super) fn room_answered(&mut self, election: ElectionId, host: NodeName, result: Result<(), Failure>) {
        let now = self.now;
        let current = self.election.as_mut().filter(|current| current.id == election);
        match (current, result) {
            (Some(_), Ok(())) => self.hand_to(host),
            (Some(election), Err(why)) => {
                election.there.insert(host, Line::out(why, now + ASK_AGAIN_US));
            }
            // Somebody else was faster.
            (None, Ok(())) => self.actions.push(Action::LeaveRoom { host, election }),
            (None, Err(_)) => {}
        }
    }

    fn hand_to(&mut self, host: NodeName) {
        self.leave_lines(Some(&host));
        let now = self.now;
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        cell.phase = Phase::Moving {
            to: host.clone(),
            lent: true,
        };
        cell.phase_since = now;
        let lent = LentCell {
            message: cell.message.clone(),
            origins: cell.origins.clone(),
            gpus: cell.gpus,
        };
        self.actions.push(Action::AskMove {
            host,
            msg_id: cell.msg_id.clone(),
            lent: Some(Box::new(lent)),
        });
    }

    /// The election is over: gives up every place in line but the winner's.
    pub(super) fn leave_lines(&mut self, winner: Option<&NodeName>) {
        let Some(election) = self.election.take() else {
            return;
        };
        if election.here.waits() {
            self.actions.push(Action::LeaveLine);
        }
        for (host, line) in election.there {
            if line.waits() && winner != Some(&host) {
                self.actions.push(Action::LeaveRoom {
                    host,
                    election: election.id,
                });
            }
        }
    }

    /// The executor's host has no room for a cell: this one may have.
    pub(super) fn offer(&mut self, ticket: Ticket, room: Room) {
        self.withdraw_offer();
        let refusal = if self.is_executor() || self.cell.is_some() || self.has_lent() {
            Some("this replica is the executor, or about to be".to_owned())
        } else if room.election <= self.left || room.election.epoch < self.state.epoch() {
            Some("that is over".to_owned())
        } else if self.is_leaving() || self.is_joining() {
            Some("this replica is on its way to or from its host".to_owned())
        } else {
            self.child_failure()
                .map(|why| format!("the Python process cannot be started: {why}"))
        };
        if let Some(message) = refusal {
            let code = "NB0413".to_owned();
            return self.actions.push(Action::Answer {
                ticket,
                reply: ReplicaReply::Refused { code, message },
            });
        }
        self.asked_at = self.now;
        // Whoever may run a cell next has a process for it.
        self.start_child();
        self.offer = Some(Offer {
            election: room.election,
            msg_id: room.msg_id.clone(),
            phase: OfferPhase::Waiting(ticket),
        });
        self.actions.push(Action::Lease {
            msg_id: room.msg_id,
            gpus: room.gpus,
            within: room.within_us,
            on_condition: true,
        });
    }

    fn offer_leased(&mut self, msg_id: &str, result: Result<(), Failure>) {
        let until = self.now + OFFER_US;
        let waiting = self.offer.as_mut().and_then(|offer| match offer.phase {
            OfferPhase::Waiting(ticket) if offer.msg_id == msg_id => Some((ticket, &mut offer.phase)),
            OfferPhase::Waiting(_) | OfferPhase::Held { .. } => None,
        });
        match (waiting, result) {
            (Some((ticket, phase)), Ok(())) => {
                *phase = OfferPhase::Held { until };
                let reply = ReplicaReply::Done;
                self.actions.push(Action::Answer { ticket, reply });
            }
            (Some((ticket, _)), Err(Failure { code, message })) => {
                self.offer = None;
                let reply = ReplicaReply::Refused { code, message };
                self.actions.push(Action::Answer { ticket, reply });
            }
            (None, Ok(())) => self.actions.push(Action::ReleaseLease),
            (None, Err(_)) => {}
        }
    }

    /// The election is over.
    pub(super) fn leave_offer(&mut self, election: ElectionId) {
        self.left = self.left.max(election);
        if self.offer.as_ref().is_some_and(|offer| offer.election <= election) {
            self.withdraw_offer();
        }
    }

    /// The cell runs elsewhere.
    pub(super) fn drop_offer_for(&mut self, msg_id: &str) {
        if self.offer.as_ref().is_some_and(|offer| offer.msg_id == msg_id) {
            self.withdraw_offer();
        }
    }

    pub(super) fn withdraw_offer(&mut self) {
        match self.offer.take().map(|offer| offer.phase) {
            Some(OfferPhase::Waiting(ticket)) => {
                self.actions.push(Action::LeaveLine);
                let reply = ReplicaReply::Refused {
                    code: "NB0413".to_owned(),
                    message: "the cell no longer waits here".to_owned(),
                };
                self.actions.push(Action::Answer { ticket, reply });
            }
            Some(OfferPhase::Held { .. }) => self.actions.push(Action::ReleaseLease),
            None => {}
        }
    }

    /// Whoever asked for it is gone.
    pub(super) fn drop_orphaned_offer(&mut self) {
        let executor = self
            .state
            .executor()
            .and_then(|executor| self.host_of(executor.replica));
        if self.offer.is_some() && !executor.is_some_and(|host| self.is_up(host)) {
            self.withdraw_offer();
        }
    }

    pub(super) fn expire_offer(&mut self) {
        if matches!(&self.offer, Some(Offer { phase: OfferPhase::Held { until }, .. }) if *until <= self.now) {
            self.withdraw_offer();
        }
    }

    /// The executor hands a cell over to the GPUs that wait for it here. True when they still do; they are the cell's then.
    pub(super) fn accept_lent(&mut self, msg_id: &str) -> bool {
        let held = self
            .offer
            .take_if(|offer| offer.msg_id == msg_id && matches!(offer.phase, OfferPhase::Held { .. }))
            .is_some();
        if held {
            self.actions.push(Action::ConfirmLease);
        }
        held
    }

    /// A cell was handed over to GPUs that are held here, and has yet to start.
    fn has_lent(&self) -> bool {
        let is_lent = |handover: &Handover| matches!(handover.wanted, Wanted::LentCell { lent: Some(_), .. });
        self.handovers.iter().any(is_lent)
    }

    /// A cell of this replica's own needs GPUs: those held for a cell that was handed over go back now. Given back as that hand-over
    /// is settled, it would be the lease of the cell that runs.
    pub(super) fn return_lent(&mut self) {
        if self.forget_lent() {
            self.actions.push(Action::ReleaseLease);
        }
    }

    /// The GPUs held for a cell that was handed over are gone: it does not start here. True when there were any.
    pub(super) fn forget_lent(&mut self) -> bool {
        let lent = self
            .handovers
            .iter_mut()
            .filter_map(|handover| match &mut handover.wanted {
                Wanted::LentCell { lent, .. } => lent.take(),
                Wanted::Role | Wanted::PinnedCell { .. } => None,
            });
        lent.count() > 0
    }

    /// Starts the cell that was handed to this replica, which makes it the executor.
    pub(super) fn start_lent(&mut self, msg_id: String, lent: LentCell) {
        let queued = Queued {
            msg_id,
            message: lent.message,
            origins: lent.origins,
        };
        self.cell = Some(Cell::new(queued, lent.gpus, self.now));
        self.propose_start();
    }
}
