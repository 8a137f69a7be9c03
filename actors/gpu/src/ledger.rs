//! Who holds which device: a pure state machine.
//!
//! **Invariants** (architecture, number 4): no device is in two leases, no lease holds a device that is not lent to
//! it, and leases never hold more devices than the host has. A device goes `free → leased → clearing → free`; it is
//! lent to somebody else only after it was seen clear of its last holder, and never while it is failed. Requests wait
//! in one fair line, see [`line`].

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::info::{self, DeviceState, Health};
use crate::{Device, Lease, LeaseId, LeaseRequest, Place, Refusal, Terms};

mod event;
mod line;
#[cfg(test)]
mod tests;

pub(crate) use event::{Action, Event, HeldView, Ticket, View, Why};
pub(crate) use line::Bounds;
use line::{Line, Waiting};

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
/// Leases ended by a failed device whose holders have not heard of it yet. Each asks within a lease's term; a host has
/// at most 256 devices.
const MAX_BROKEN: usize = 256;
/// Longest wait a request can ask for; longer ones are cut to it. A day is longer than any front end stays.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The ledger of one host. Times given to it must not go backwards.
#[derive(Debug)]
pub(crate) struct GpuLedger {
    slots: BTreeMap<u32, Slot>,
    leases: BTreeMap<LeaseId, Held>,
    line: Line,
    last_lease: LeaseId,
    /// Leases that a device's failure ended, oldest first: what their holders are told when they renew.
    broken: VecDeque<(LeaseId, Refusal)>,
}

/// A device of the host, as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) device: Device,
    /// Bytes.
    pub(crate) memory: u64,
}

#[derive(Debug)]
struct Slot {
    installed: Installed,
    health: Health,
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

impl GpuLedger {
    /// A ledger of free devices, for a node that has just started.
    pub(crate) fn new(devices: Vec<Installed>, bounds: Bounds) -> Self {
        let slots = devices.into_iter().map(|it| {
            (
                it.device.index,
                Slot {
                    installed: it,
                    health: Health::Healthy,
                    state: SlotState::Free,
                },
            )
        });
        Self {
            slots: slots.collect(),
            leases: BTreeMap::new(),
            line: Line::new(bounds),
            last_lease: LeaseId(0),
            broken: VecDeque::new(),
        }
    }

    /// The ledger that follows one which crashed with its memory, as the `generation`-th (from 1).
    ///
    /// Every device may still be lent: nothing is granted until the longest possible old lease has run out and the
    /// device is seen clear. Ids start above all that earlier generations can have given out.
    pub(crate) fn after_crash(devices: Vec<Installed>, bounds: Bounds, generation: u32, now: Instant) -> Self {
        let mut ledger = Self::new(devices, bounds);
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
            Event::Withdraw { ticket } => drop(self.line.take_out(|it| it.ticket == ticket)),
            Event::Renew { ticket, lease } => actions.push(self.renew(now, ticket, lease)),
            Event::Release { ticket, lease } => {
                let answer = match self.end(now, lease, &mut actions) {
                    Some(_) => Action::Released(ticket),
                    None => Action::Refused(ticket, self.why_over(lease)),
                };
                actions.push(answer);
            }
            Event::Undelivered { lease } => {
                // Already over is as good.
                let _ = self.end(now, lease, &mut actions);
            }
            Event::Cleared { device, lease } => self.cleared(device, lease, &mut actions),
            Event::Health { device, health } => self.seen(now, device, health, &mut actions),
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
        let waiting = self.line.iter().map(|it| it.until);
        let looks = self
            .slots
            .values()
            .filter_map(|slot| match (&slot.health, &slot.state) {
                (Health::Healthy, SlotState::Clearing { look_at, .. }) => Some(*look_at),
                (Health::Healthy, SlotState::Free | SlotState::Leased(_)) | (Health::Failed { .. }, _) => None,
            });
        leases.chain(waiting).chain(looks).min()
    }

    pub(crate) fn line(&self) -> info::Line {
        info::Line {
            requests: u32::try_from(self.line.len()).unwrap_or(u32::MAX),
            devices: self.line.iter().map(|it| it.request.count).fold(0, u32::saturating_add),
        }
    }

    pub(crate) fn view(&self) -> Vec<View> {
        let view = |(&index, slot): (&u32, &Slot)| View {
            index,
            state: slot.device_state(),
            health: slot.health.clone(),
            lease: match slot.state {
                SlotState::Leased(lease) => self.leases.get(&lease).map(|held| HeldView {
                    holder: held.holder.clone(),
                    epoch: held.epoch,
                    since: held.since,
                }),
                SlotState::Free | SlotState::Clearing { .. } => None,
            },
        };
        self.slots.iter().map(view).collect()
    }

    /// Where a holder's request stands, if one waits.
    pub(crate) fn place(&self, holder: &str) -> Option<Place> {
        let (position, request) = self.line.place(holder)?;
        let count = |states: &[DeviceState]| {
            let suits = |slot: &&Slot| slot.installed.memory >= request.memory && states.contains(&slot.device_state());
            small(self.slots.values().filter(suits).count())
        };
        Some(Place {
            position: small(position),
            waiting: small(self.line.len()),
            wanted: request.count,
            free: count(&[DeviceState::Free]),
            lent: count(&[DeviceState::Leased]),
            clearing: count(&[DeviceState::Clearing]),
            broken: count(&[DeviceState::Quarantined, DeviceState::Failed]),
        })
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
        let suit = self.slots.values().filter(|it| it.installed.memory >= request.memory);
        let installed = small(suit.count());
        if request.count == 0 || request.count > installed {
            let refusal = Refusal::Impossible {
                asked: request.count,
                memory: request.memory,
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
        let until = now + request.within.min(MAX_WAIT);
        if let Err((ticket, refusal)) = self.line.join(Waiting { ticket, request, until }) {
            actions.push(Action::Refused(ticket, refusal));
        }
    }

    /// The newest epoch under which the holder has or awaits devices. Forgotten with the last of them, which bounds
    /// the memory; the kernel's own log fences what comes later.
    fn newest_epoch(&self, holder: &str) -> Option<u64> {
        let held = self.leases.values().filter(|it| it.holder == holder).map(|it| it.epoch);
        let awaited = self
            .line
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
            None => Action::Refused(ticket, self.why_over(lease)),
        }
    }

    /// Tells a holder once why its lease is over.
    fn why_over(&mut self, lease: LeaseId) -> Refusal {
        let broken = self.broken.iter().position(|(id, _)| *id == lease);
        broken
            .and_then(|at| self.broken.remove(at))
            .map_or(Refusal::LeaseOver(lease), |(_, why)| why)
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

    /// A report about another lease than the one being cleared, or about a device that failed since, is late and changes
    /// nothing.
    fn cleared(&mut self, device: u32, cleared_of: LeaseId, actions: &mut Vec<Action>) {
        if let Some(slot) = self.slots.get_mut(&device)
            && let SlotState::Clearing { lease, reported, .. } = slot.state
            && lease == cleared_of
            && slot.health == Health::Healthy
        {
            if reported {
                actions.push(Action::Recovered { device });
            }
            slot.state = SlotState::Free;
        }
    }

    /// A device that fails is taken from its holder; one that is well again is lent once it was seen clear.
    fn seen(&mut self, now: Instant, device: u32, health: Health, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(&device) else {
            return;
        };
        if slot.health == health {
            return;
        }
        slot.health = health.clone();
        actions.push(Action::Changed {
            device,
            health: health.clone(),
        });
        match (&mut slot.state, health) {
            (SlotState::Leased(lease), Health::Failed { why }) => {
                let lease = *lease;
                if self.broken.len() == MAX_BROKEN {
                    self.broken.pop_front();
                }
                self.broken
                    .push_back((lease, Refusal::DeviceFailed { lease, device, why }));
                self.end_unasked(now, lease, Why::DeviceFailed, actions);
            }
            // Whatever happened to it, nothing is known of what is on it.
            (SlotState::Free, Health::Failed { .. }) => {
                slot.state = SlotState::Clearing {
                    lease: self.last_lease,
                    holder: None,
                    since: now,
                    look_at: now,
                    reported: false,
                };
            }
            (SlotState::Clearing { since, look_at, .. }, Health::Healthy) => (*since, *look_at) = (now, now),
            (SlotState::Clearing { .. }, Health::Failed { .. })
            | (SlotState::Free | SlotState::Leased(_), Health::Healthy) => {}
        }
        self.look_again(now, actions);
    }

    /// Asks again for devices that are not clear yet: the first look came too early, or was lost with its actor.
    fn look_again(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let healthy = self.slots.iter_mut().filter(|(_, it)| it.health == Health::Healthy);
        for (&device, slot) in healthy {
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
        while let Some(head) = self.line.head() {
            let Some(devices) = pick(&self.slots, &head.request) else {
                return;
            };
            let Waiting { ticket, request, .. } = self.line.serve_head().expect("invariant: just seen");
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
                granted.push(slot.installed.device.clone());
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

    /// Refuses those whose time is up after this step; true when there were any.
    fn refuse_late(&mut self, now: Instant, actions: &mut Vec<Action>) -> bool {
        let before = self.line.len();
        self.refuse_waiting(actions, |it| it.until <= now, no_room);
        self.line.len() < before
    }

    fn refuse_waiting(
        &mut self,
        actions: &mut Vec<Action>,
        which: impl Fn(&Waiting) -> bool,
        why: impl Fn(Waiting) -> Refusal,
    ) {
        let refused = self.line.take_out(which);
        actions.extend(refused.into_iter().map(|it| Action::Refused(it.ticket, why(it))));
    }

    /// What breaks an invariant, if anything does.
    fn violation(&self) -> Option<String> {
        for (index, slot) in &self.slots {
            if slot.health != Health::Healthy && !matches!(slot.state, SlotState::Clearing { .. }) {
                return Some(format!("device {index} has failed and is {:?}", slot.state));
            }
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
        (lent > self.slots.len()).then(|| format!("{lent} devices lent of {}", self.slots.len()))
    }
}

impl Slot {
    fn device_state(&self) -> DeviceState {
        match (&self.health, &self.state) {
            (Health::Failed { .. }, _) => DeviceState::Failed,
            (Health::Healthy, SlotState::Free) => DeviceState::Free,
            (Health::Healthy, SlotState::Leased(_)) => DeviceState::Leased,
            (Health::Healthy, SlotState::Clearing { reported: false, .. }) => DeviceState::Clearing,
            (Health::Healthy, SlotState::Clearing { reported: true, .. }) => DeviceState::Quarantined,
        }
    }
}

/// The devices a request would get: those it had last, for what is still on them, then free ones, the smallest that
/// suffice first so that larger ones stay free for who needs them. Ties are broken by index.
fn pick(slots: &BTreeMap<u32, Slot>, request: &LeaseRequest) -> Option<Vec<u32>> {
    let wanted = request.count as usize;
    let suits = |slot: &Slot| slot.health == Health::Healthy && slot.installed.memory >= request.memory;
    let mut candidates: Vec<(bool, u64, u32)> = slots
        .iter()
        .filter(|(_, slot)| suits(slot))
        .filter_map(|(&index, slot)| match &slot.state {
            SlotState::Clearing { holder, .. } if holder.as_ref() == Some(&request.holder) => Some((false, 0, index)),
            SlotState::Free => Some((true, slot.installed.memory, index)),
            SlotState::Clearing { .. } | SlotState::Leased(_) => None,
        })
        .collect();
    candidates.sort_unstable();
    let mut devices: Vec<u32> = candidates.into_iter().map(|(.., index)| index).take(wanted).collect();
    devices.sort_unstable();
    (devices.len() == wanted).then_some(devices)
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("invariant: a host has few devices and a bounded line")
}

fn no_room(late: Waiting) -> Refusal {
    Refusal::NoRoom {
        asked: late.request.count,
        waited: late.request.within,
    }
}
