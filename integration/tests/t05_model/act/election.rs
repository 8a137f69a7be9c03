//! Elections: `core/election.rs` and what of `replica/perform.rs` serves it.

use std::collections::BTreeSet;

use nbos_gpu::model::Answer;
use nbos_gpu::{LeaseId, Terms};

use super::{Act, LONG, TICKETS};
use crate::bug::Bug;
use crate::world::{Call, Cell, Offer, Phase, What};

impl Act<'_> {
    /// An answer of the ledger arrives: `State::leased`, `Core::leased`
    pub(crate) fn granted(&mut self, host: usize) {
        let Answer { ticket, lease } = self.world.hosts[host].mail.remove(0);
        let (kernel, asked) = ((ticket / TICKETS) as usize, (ticket % TICKETS) as u8);
        let waits = self.world.kernels[kernel].replicas[host]
            .as_ref()
            .is_some_and(|replica| replica.leasing == Some(asked));
        if !waits {
            if let Some(lease) = lease {
                self.ledger(host, |ledger| ledger.release(lease));
            }
            return;
        }
        self.replica(kernel, host).leasing = None;
        if let Some(lease) = lease
            && let Some(before) = self.replica(kernel, host).lease.replace(lease)
        {
            self.ledger(host, |ledger| ledger.release(before));
        }
        match (self.replica(kernel, host).phase().cloned(), lease) {
            (Some(Phase::Leasing), Some(_)) => self.propose_start(kernel, host),
            (Some(Phase::Leasing), None) => self.elect(kernel, host),
            (Some(Phase::Electing { .. }), Some(_)) => {
                self.leave_lines(kernel, host, None);
                self.propose_start(kernel, host);
            }
            (Some(Phase::Electing { .. }), None) => {}
            (_, lease) => self.offer_leased(kernel, host, lease),
        }
    }

    /// `Core::offer_leased`
    pub(super) fn offer_leased(&mut self, kernel: usize, host: usize, lease: Option<LeaseId>) {
        let waiting = self.replica(kernel, host).offer.filter(|offer| !offer.held);
        match (waiting, lease) {
            (Some(offer), Some(_)) => {
                self.replica(kernel, host).offer = Some(Offer { held: true, ..offer });
                let election = offer.election;
                self.call(kernel, host, offer.to, What::RoomYes { election });
            }
            (Some(offer), None) => {
                self.replica(kernel, host).offer = None;
                let election = offer.election;
                self.call(kernel, host, offer.to, What::RoomNo { election });
            }
            (None, Some(_)) => self.release(kernel, host),
            (None, None) => {}
        }
    }

    /// `Core::elect`, `advance_election`
    pub(super) fn elect(&mut self, kernel: usize, host: usize) {
        let epoch = self.session(kernel, host).epoch();
        let control = &self.world.kernels[kernel].control;
        let leaving = control.leaving();
        let members: Vec<usize> = control.hosts().filter(|&member| Some(member) != leaving).collect();
        let may_ask = self.replica(kernel, host).rounds < self.world.left.rounds;
        let waiting: BTreeSet<usize> = members
            .into_iter()
            .filter(|&other| may_ask && other != host && self.world.seen_up(host, other))
            .collect();
        let replica = self.replica(kernel, host);
        replica.rounds += u8::from(may_ask);
        let election = (epoch, replica.rounds);
        let Some(cell) = replica.cell.as_mut() else {
            return;
        };
        let number = cell.number;
        cell.phase = Phase::Electing {
            election,
            waiting: waiting.clone(),
        };
        self.lease(kernel, host, LONG, Terms::Firm);
        for other in waiting {
            self.call(kernel, host, other, What::Room { cell: number, election });
        }
    }

    /// `Core::leave_lines`
    pub(super) fn leave_lines(&mut self, kernel: usize, host: usize, winner: Option<usize>) {
        if let Some(Phase::Electing { election, waiting }) = self.replica(kernel, host).phase().cloned() {
            self.leave_line(kernel, host);
            for other in waiting.into_iter().filter(|&other| Some(other) != winner) {
                self.call(kernel, host, other, What::LeaveRoom { election });
            }
        }
    }

    /// A message of another replica arrives.
    pub(crate) fn deliver(&mut self, kernel: usize, call: Call) {
        self.world.kernels[kernel].calls.remove(&call);
        let Call { from, to: host, what } = call;
        if self.world.kernels[kernel].replicas[host].is_none() {
            return self.refuse(kernel, call);
        }
        match what {
            What::Room { cell, election } => self.offer(kernel, host, from, cell, election),
            What::RoomYes { election } => self.room_answered(kernel, host, from, election),
            What::RoomNo { election } => {
                if let Some(Phase::Electing {
                    election: current,
                    waiting,
                }) = self.replica(kernel, host).cell.as_mut().map(|cell| &mut cell.phase)
                    && *current == election
                {
                    waiting.remove(&from);
                }
            }
            What::LeaveRoom { election } => {
                let replica = self.replica(kernel, host);
                replica.gone = replica.gone.max(election);
                if replica.offer.is_some_and(|offer| offer.election <= election) {
                    self.withdraw_offer(kernel, host);
                }
            }
            What::Take { cell } => self.take(kernel, host, from, cell),
            What::TakeNo { cell } => self.not_moved(kernel, host, cell),
        }
    }

    /// The call failed: its caller hears that, as `State::ask` says it.
    pub(crate) fn refuse(&mut self, kernel: usize, call: Call) {
        self.world.kernels[kernel].calls.remove(&call);
        let Call { from, to, what } = call;
        let answer = match what {
            What::Room { election, .. } => What::RoomNo { election },
            What::Take { cell } => What::TakeNo { cell },
            What::RoomYes { election } => {
                // The answer is lost: who waits for it hears nothing good.
                let what = What::RoomNo { election };
                self.world.kernels[kernel].calls.insert(Call { from, to, what });
                return;
            }
            What::RoomNo { .. } | What::LeaveRoom { .. } | What::TakeNo { .. } => return,
        };
        if self.world.hosts[from].up {
            self.call(kernel, to, from, answer);
        }
    }

    /// `Core::offer`
    pub(super) fn offer(&mut self, kernel: usize, host: usize, from: usize, cell: u8, election: (u64, u8)) {
        self.withdraw_offer(kernel, host);
        let (me, session) = (self.me(kernel, host), self.session(kernel, host));
        let control = &self.world.kernels[kernel].control;
        let on_its_way = control.leaving() == Some(host) || !control.has(host);
        let replica = self.replica(kernel, host);
        let refused = on_its_way
            || session.executor() == Some(me)
            || replica.cell.is_some()
            || replica.handover.is_some()
            || election <= replica.gone
            || election.0 < session.epoch();
        if refused {
            return self.call(kernel, host, from, What::RoomNo { election });
        }
        replica.offer = Some(Offer {
            election,
            cell,
            to: from,
            held: false,
        });
        self.lease(kernel, host, LONG, Terms::Conditional);
    }

    /// `Core::withdraw_offer`
    pub(crate) fn withdraw_offer(&mut self, kernel: usize, host: usize) {
        match self.replica(kernel, host).offer.take() {
            Some(offer) if offer.held => self.release(kernel, host),
            Some(offer) => {
                self.leave_line(kernel, host);
                let election = offer.election;
                self.call(kernel, host, offer.to, What::RoomNo { election });
            }
            None => {}
        }
    }

    /// `Core::room_answered`, `hand_to`
    pub(super) fn room_answered(&mut self, kernel: usize, host: usize, from: usize, election: (u64, u8)) {
        let current = match self.replica(kernel, host).phase() {
            Some(Phase::Electing { election: current, .. }) => *current == election,
            _ => false,
        };
        if !current {
            return self.call(kernel, host, from, What::LeaveRoom { election });
        }
        self.leave_lines(kernel, host, Some(from));
        if let Some(cell) = self.replica(kernel, host).cell.as_mut() {
            cell.phase = Phase::Moving;
            let cell = cell.number;
            self.call(kernel, host, from, What::Take { cell });
        }
    }

    /// `Core::take`, `accept_lent`, `State::confirm_lease`
    pub(super) fn take(&mut self, kernel: usize, host: usize, from: usize, cell: u8) {
        let replica = self.replica(kernel, host);
        let held = replica
            .offer
            .take_if(|offer| offer.held && offer.cell == cell)
            .is_some();
        if !held {
            return self.call(kernel, host, from, What::TakeNo { cell });
        }
        let lease = replica.lease;
        let mut alive = false;
        if let Some(lease) = lease {
            self.ledger(host, |ledger| {
                alive = ledger.renew(lease);
                Vec::new()
            });
        }
        if alive {
            self.replica(kernel, host).handover = Some(cell);
            return;
        }
        // `Core::lease_lost`
        self.replica(kernel, host).lease = None;
        if self.bug == Bug::LostLeaseForgotten {
            self.replica(kernel, host).handover = Some(cell);
        } else {
            self.call(kernel, host, from, What::TakeNo { cell });
        }
    }

    /// `Core::take_role`, `start_lent`
    pub(crate) fn take_role(&mut self, kernel: usize, host: usize) {
        if let Some(number) = self.replica(kernel, host).handover.take() {
            let phase = Phase::Starting;
            self.replica(kernel, host).cell = Some(Cell { number, phase });
            self.propose_start(kernel, host);
        }
    }

    /// `Core::settle_handovers`: it is the executor already, or its time is up.
    pub(crate) fn settle(&mut self, kernel: usize, host: usize) {
        if self.replica(kernel, host).handover.take().is_some() {
            self.release(kernel, host);
        }
    }

    /// `Core::moved`, and the deadline of `Phase::Moving`: it is begun again.
    pub(crate) fn not_moved(&mut self, kernel: usize, host: usize, cell: u8) {
        let replica = self.replica(kernel, host);
        let moving = |it: &mut Cell| it.number == cell && it.phase == Phase::Moving;
        if replica.cell.take_if(moving).is_some() {
            self.begin(kernel, host, cell);
        }
    }
}
