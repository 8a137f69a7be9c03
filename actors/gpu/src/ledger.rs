//! Who holds which device: a pure state machine.
//!
//! **Invariants** (architecture, number 4): no device is in two leases, no lease holds a device that is not lent to
//! it, and leases never hold more devices than the host has. A device goes `free → leased → clearing → free`; it is
//! lent to somebody else only after it was seen clear of its last holder. Requests wait in one line, first come
//! first served: a large request at its head is never overtaken by small ones, so it cannot starve.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::info::{DeviceState, Line};
use crate::{Device, Lease, LeaseId, LeaseRequest, Refusal, Terms};

#[cfg(test)]
mod tests;

/// How long a lease lives without a renewal. A dead holder keeps devices this long at most, which fits the 10 s a
/// kernel has to be whole again after a loss (architecture, invariant 11).
pub(crate) const LEASE_TERM: Duration = Duration::from_secs(10);
/// How long a conditional lease lives: an election is over in a third of a second, and a winner confirms at once.
pub(crate) const CONDITIONAL_TERM: Duration = Duration::from_secs(2);
/// Pause between two looks at a device that is not clear yet. Drivers tear a CUDA context down in tens to hundreds
/// of milliseconds, so a shorter one would mostly look in vain.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A device that is not clear after this long is reported as quarantined: as long as a lease's own term.
pub(crate) const QUARANTINE_AFTER: Duration = LEASE_TERM;
/// Bound of the waiting line. A host carries some tens of replicas and each asks for one lease at a time.
pub(crate) const MAX_WAITING: usize = 256;
/// Longest wait a request can ask for; longer ones are cut to it. A day is longer than any front end stays.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Names a caller whose answer is still owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Somebody asks for devices; answered by `Granted` or `Refused`, now or until its `within` is over.
    Request {
        /// Who is owed the answer.
        ticket: Ticket,
        /// What is asked.
        request: LeaseRequest,
    },
    /// The caller of a request no longer waits.
    Withdraw {
        /// Whose.
        ticket: Ticket,
    },
    /// A holder wants another term; answered by `Renewed` or `Refused`.
    Renew {
        /// Who is owed the answer.
        ticket: Ticket,
        /// Which lease.
        lease: LeaseId,
    },
    /// A holder is done; answered by `Released` or `Refused`.
    Release {
        /// Who is owed the answer.
        ticket: Ticket,
        /// Which lease.
        lease: LeaseId,
    },
    /// A grant reached nobody: the caller had gone.
    Undelivered {
        /// Which lease.
        lease: LeaseId,
    },
    /// A device was seen clear of this lease.
    Cleared {
        /// Its index.
        device: u32,
        /// The lease it was cleared of.
        lease: LeaseId,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Tell the caller.
    Granted(Ticket, Lease),
    /// Tell the caller, with the new deadline.
    Renewed(Ticket, Instant),
    /// Tell the caller.
    Released(Ticket),
    /// Tell the caller.
    Refused(Ticket, Refusal),
    /// Tell the device that a lease begins.
    Bind {
        /// Its index.
        device: u32,
    },
    /// Have the device checked, and freed if it is simulated; it answers with `Cleared` once it is clear.
    Clear {
        /// Its index.
        device: u32,
        /// The lease that ended.
        lease: LeaseId,
    },
    /// A lease ended without its holder's wish. Only for the log.
    Ended {
        /// Which lease.
        lease: LeaseId,
        /// Who held it.
        holder: String,
        /// What ended it.
        why: Why,
    },
    /// A device has not come clear for a long time. Only for the log.
    Quarantined {
        /// Its index.
        device: u32,
    },
}

/// Why a lease ended without its holder's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Not renewed in time.
    Expired,
    /// The holder came back with a newer epoch.
    NewerEpoch,
}

/// One device as the ledger sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) index: u32,
    pub(crate) state: DeviceState,
    pub(crate) lease: Option<HeldView>,
}

/// The lease of a [`View`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldView {
    pub(crate) holder: String,
    pub(crate) epoch: u64,
    pub(crate) since: Instant,
}

/// The ledger of one host. Times given to it must not go backwards.
#[derive(Debug)]
pub(crate) struct GpuLedger {
    slots: BTreeMap<u32, Slot>,
    leases: BTreeMap<LeaseId, Held>,
    waiting: VecDeque<Waiting>,
    last_lease: LeaseId,
}

#[derive(Debug)]
struct Slot {
    uuid: String,
    state: SlotState,
}

#[derive(Debug)]
enum SlotState {
    Free,
    Leased(LeaseId),
    Clearing {
        /// What it is to be cleared of.
        lease: LeaseId,
        /// Who held it: may have it back as it is, its memory is its own. Unknown after a restart of the ledger.
        holder: Option<String>,
        since: Instant,
        look_at: Instant,
        reported: bool,
    },
}

#[derive(Debug)]
struct Held {
    holder: String,
    epoch: u64,
    devices: Vec<u32>,
    since: Instant,
    deadline: Instant,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    request: LeaseRequest,
    until: Instant,
}

impl GpuLedger {
    /// A ledger of free devices, for a node that has just started.
    pub(crate) fn new(devices: Vec<Device>) -> Self {
        let slots = devices.into_iter().map(|it| {
            (
                it.index,
                Slot {
                    uuid: it.uuid,
                    state: SlotState::Free,
                },
            )
        });
        Self {
            slots: slots.collect(),
            leases: BTreeMap::new(),
            waiting: VecDeque::new(),
            last_lease: LeaseId(0),
        }
    }

    /// The ledger that follows one which crashed with its memory, as the `generation`-th (from 1).
    ///
    /// Every device may still be lent: nothing is granted until the longest possible old lease has run out and the
    /// device is seen clear. Ids start above all that earlier generations can have given out.
    pub(crate) fn after_crash(devices: Vec<Device>, generation: u32, now: Instant) -> Self {
        let mut ledger = Self::new(devices);
        ledger.last_lease = LeaseId(u64::from(generation) << 32);
        for slot in ledger.slots.values_mut() {
            let look_at = now + LEASE_TERM;
            slot.state = SlotState::Clearing {
                lease: ledger.last_lease,
                holder: None,
                since: look_at,
                look_at,
                reported: false,
            };
        }
        ledger
    }

    /// Takes one event and says what follows.
    pub(crate) fn step(&mut self, now: Instant, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.expire(now, &mut actions);
        match event {
            Event::Request { ticket, request } => self.request(now, ticket, request, &mut actions),
            Event::Withdraw { ticket } => self.waiting.retain(|it| it.ticket != ticket),
            Event::Renew { ticket, lease } => actions.push(self.renew(now, ticket, lease)),
            Event::Release { ticket, lease } => {
                let known = self.end(now, lease, &mut actions).is_some();
                actions.push(match known {
                    true => Action::Released(ticket),
                    false => Action::Refused(ticket, Refusal::LeaseOver(lease)),
                });
            }
            Event::Undelivered { lease } => {
                // Already over is as good.
                let _ = self.end(now, lease, &mut actions);
            }
            Event::Cleared { device, lease } => self.cleared(device, lease),
            Event::Tick => self.look_again(now, &mut actions),
        }
        self.grant(now, &mut actions);
        if self.refuse_late(now, &mut actions) {
            // A large request may have left the head of the line.
            self.grant(now, &mut actions);
        }
        debug_assert_eq!(self.violation(), None);
        actions
    }

    /// When the next `Tick` is due.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let leases = self.leases.values().map(|it| it.deadline);
        let waiting = self.waiting.iter().map(|it| it.until);
        let looks = self.slots.values().filter_map(|slot| match &slot.state {
            SlotState::Clearing { look_at, .. } => Some(*look_at),
            SlotState::Free | SlotState::Leased(_) => None,
        });
        leases.chain(waiting).chain(looks).min()
    }

    pub(crate) fn line(&self) -> Line {
        Line {
            requests: u32::try_from(self.waiting.len()).unwrap_or(u32::MAX),
            devices: self
                .waiting
                .iter()
                .map(|it| it.request.count)
                .fold(0, u32::saturating_add),
        }
    }

    pub(crate) fn view(&self) -> Vec<View> {
        let view = |(&index, slot): (&u32, &Slot)| match &slot.state {
            SlotState::Free => View {
                index,
                state: DeviceState::Free,
                lease: None,
            },
            SlotState::Clearing { reported: false, .. } => View {
                index,
                state: DeviceState::Clearing,
                lease: None,
            },
            SlotState::Clearing { reported: true, .. } => View {
                index,
                state: DeviceState::Quarantined,
                lease: None,
            },
            SlotState::Leased(lease) => View {
                index,
                state: DeviceState::Leased,
                lease: self.leases.get(lease).map(|held| HeldView {
                    holder: held.holder.clone(),
                    epoch: held.epoch,
                    since: held.since,
                }),
            },
        };
        self.slots.iter().map(view).collect()
    }

    /// Ends what was not renewed and refuses who waited longer than asked.
    fn expire(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let overdue = self
            .leases
            .iter()
            .filter(|(_, held)| held.deadline <= now)
            .map(|(&id, _)| id);
        for id in overdue.collect::<Vec<_>>() {
            self.end_unasked(now, id, Why::Expired, actions);
        }
        // Who is due exactly now is still served by this step if it can be.
        self.refuse_waiting(actions, |it| it.until < now, no_room);
    }

    fn request(&mut self, now: Instant, ticket: Ticket, request: LeaseRequest, actions: &mut Vec<Action>) {
        let installed = u32::try_from(self.slots.len()).expect("invariant: a host has few devices");
        if request.count == 0 || request.count > installed {
            let refusal = Refusal::Impossible {
                asked: request.count,
                installed,
            };
            return actions.push(Action::Refused(ticket, refusal));
        }
        match self.newest_epoch(&request.holder) {
            Some(newest) if newest > request.epoch => {
                let refusal = Refusal::StaleEpoch {
                    holder: request.holder,
                    epoch: request.epoch,
                    newest,
                };
                return actions.push(Action::Refused(ticket, refusal));
            }
            Some(older) if older < request.epoch => self.supersede(now, &request.holder, request.epoch, actions),
            Some(_) | None => {}
        }
        if self.waiting.len() >= MAX_WAITING {
            return actions.push(Action::Refused(ticket, Refusal::QueueFull { waiting: MAX_WAITING }));
        }
        let until = now + request.within.min(MAX_WAIT);
        self.waiting.push_back(Waiting { ticket, request, until });
    }

    /// The newest epoch under which the holder has or awaits devices. Forgotten with the last of them, which bounds
    /// the memory; the kernel's own log fences what comes later.
    fn newest_epoch(&self, holder: &str) -> Option<u64> {
        let held = self.leases.values().filter(|it| it.holder == holder).map(|it| it.epoch);
        let awaited = self
            .waiting
            .iter()
            .filter(|it| it.request.holder == holder)
            .map(|it| it.request.epoch);
        held.chain(awaited).max()
    }

    /// Ends what the holder has under older epochs.
    fn supersede(&mut self, now: Instant, holder: &str, epoch: u64, actions: &mut Vec<Action>) {
        let old = self
            .leases
            .iter()
            .filter(|(_, held)| held.holder == holder && held.epoch < epoch);
        for id in old.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.end_unasked(now, id, Why::NewerEpoch, actions);
        }
        let is_old = |it: &Waiting| it.request.holder == holder && it.request.epoch < epoch;
        self.refuse_waiting(actions, is_old, |it| Refusal::StaleEpoch {
            holder: it.request.holder,
            epoch: it.request.epoch,
            newest: epoch,
        });
    }

    fn renew(&mut self, now: Instant, ticket: Ticket, lease: LeaseId) -> Action {
        match self.leases.get_mut(&lease) {
            Some(held) => {
                held.deadline = now + LEASE_TERM;
                Action::Renewed(ticket, held.deadline)
            }
            None => Action::Refused(ticket, Refusal::LeaseOver(lease)),
        }
    }

    fn end_unasked(&mut self, now: Instant, id: LeaseId, why: Why, actions: &mut Vec<Action>) {
        if let Some(holder) = self.end(now, id, actions) {
            actions.push(Action::Ended { lease: id, holder, why });
        }
    }

    /// Ends a lease and has its devices cleared; gives its holder, or none when it was over already.
    fn end(&mut self, now: Instant, id: LeaseId, actions: &mut Vec<Action>) -> Option<String> {
        let held = self.leases.remove(&id)?;
        for device in held.devices {
            let slot = self
                .slots
                .get_mut(&device)
                .expect("invariant: leases name devices of this host");
            slot.state = SlotState::Clearing {
                lease: id,
                holder: Some(held.holder.clone()),
                since: now,
                look_at: now + LOOK_AGAIN,
                reported: false,
            };
            actions.push(Action::Clear { device, lease: id });
        }
        Some(held.holder)
    }

    /// A report about another lease than the one being cleared is late, and changes nothing.
    fn cleared(&mut self, device: u32, cleared_of: LeaseId) {
        if let Some(slot) = self.slots.get_mut(&device)
            && matches!(slot.state, SlotState::Clearing { lease, .. } if lease == cleared_of)
        {
            slot.state = SlotState::Free;
        }
    }

    /// Asks again for devices that are not clear yet: the first look came too early, or was lost with its actor.
    fn look_again(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for (&device, slot) in &mut self.slots {
            let SlotState::Clearing {
                lease,
                since,
                look_at,
                reported,
                ..
            } = &mut slot.state
            else {
                continue;
            };
            if *look_at > now {
                continue;
            }
            *look_at = now + LOOK_AGAIN;
            actions.push(Action::Clear { device, lease: *lease });
            if !*reported && now >= *since + QUARANTINE_AFTER {
                *reported = true;
                actions.push(Action::Quarantined { device });
            }
        }
    }

    /// Serves the line from its head until somebody must wait.
    fn grant(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while let Some(devices) = self.waiting.front().and_then(|it| self.pick(&it.request)) {
            let Waiting { ticket, request, .. } = self.waiting.pop_front().expect("invariant: just seen");
            self.last_lease = LeaseId(self.last_lease.0 + 1);
            let id = self.last_lease;
            let deadline = now
                + match request.terms {
                    Terms::Firm => LEASE_TERM,
                    Terms::Conditional => CONDITIONAL_TERM,
                };
            let mut granted = Vec::new();
            for &index in &devices {
                let slot = self.slots.get_mut(&index).expect("invariant: picked from the slots");
                slot.state = SlotState::Leased(id);
                granted.push(Device {
                    index,
                    uuid: slot.uuid.clone(),
                });
                actions.push(Action::Bind { device: index });
            }
            let LeaseRequest { holder, epoch, .. } = request;
            self.leases.insert(
                id,
                Held {
                    holder,
                    epoch,
                    devices,
                    since: now,
                    deadline,
                },
            );
            actions.push(Action::Granted(
                ticket,
                Lease {
                    id,
                    devices: granted,
                    deadline,
                },
            ));
        }
    }

    /// The devices a request would get: those it had last, for what is still on them, then free ones by index.
    fn pick(&self, request: &LeaseRequest) -> Option<Vec<u32>> {
        let wanted = request.count as usize;
        let own = self.slots.iter().filter(|(_, slot)| match &slot.state {
            SlotState::Clearing { holder, .. } => holder.as_ref() == Some(&request.holder),
            SlotState::Free | SlotState::Leased(_) => false,
        });
        let free = self
            .slots
            .iter()
            .filter(|(_, slot)| matches!(slot.state, SlotState::Free));
        let mut devices: Vec<u32> = own.chain(free).map(|(&index, _)| index).take(wanted).collect();
        devices.sort_unstable();
        (devices.len() == wanted).then_some(devices)
    }

    /// Refuses those whose time is up after this step; true when there were any.
    fn refuse_late(&mut self, now: Instant, actions: &mut Vec<Action>) -> bool {
        let before = self.waiting.len();
        self.refuse_waiting(actions, |it| it.until <= now, no_room);
        self.waiting.len() < before
    }

    fn refuse_waiting(
        &mut self,
        actions: &mut Vec<Action>,
        which: impl Fn(&Waiting) -> bool,
        why: impl Fn(Waiting) -> Refusal,
    ) {
        let (refused, kept) = self.waiting.drain(..).partition::<VecDeque<_>, _>(which);
        self.waiting = kept;
        actions.extend(refused.into_iter().map(|it| Action::Refused(it.ticket, why(it))));
    }

    /// What breaks an invariant, if anything does.
    fn violation(&self) -> Option<String> {
        for (index, slot) in &self.slots {
            if let SlotState::Leased(id) = slot.state
                && !self.leases.get(&id).is_some_and(|held| held.devices.contains(index))
            {
                return Some(format!("device {index} is lent by lease {id}, which does not hold it"));
            }
        }
        for (id, held) in &self.leases {
            for device in &held.devices {
                match self.slots.get(device).map(|slot| &slot.state) {
                    Some(SlotState::Leased(by)) if by == id => {}
                    other => return Some(format!("lease {id} holds device {device}, which is {other:?}")),
                }
            }
        }
        let lent: usize = self.leases.values().map(|held| held.devices.len()).sum();
        if lent > self.slots.len() {
            return Some(format!("{lent} devices lent of {}", self.slots.len()));
        }
        (self.waiting.len() > MAX_WAITING).then(|| format!("{} requests wait", self.waiting.len()))
    }
}

fn no_room(late: Waiting) -> Refusal {
    Refusal::NoRoom {
        asked: late.request.count,
        waited: late.request.within,
    }
}
