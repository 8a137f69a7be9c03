//! Random runs, watched by somebody who sees only events and actions.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// One thing a random run does. Tickets and leases are chosen among those seen so far, by remainder.
#[derive(Debug, Clone)]
enum Op {
    Ask {
        holder: u8,
        epoch: u64,
        count: u32,
        within_ms: u64,
        conditional: bool,
    },
    Withdraw(usize),
    Renew(usize),
    Release(usize),
    Undelivered(usize),
    ClearAll,
    ClearOne {
        device: u32,
        lease: usize,
    },
    Wait(u64),
    UntilDue,
    Health {
        device: u32,
        works: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..6u8, 0..3u64, 0..6u32, prop_oneof![Just(0), 1..15_000u64], any::<bool>())
            .prop_map(|(holder, epoch, count, within_ms, conditional)|
                Op::Ask { holder, epoch, count, within_ms, conditional }),
        1 => any::<usize>().prop_map(Op::Withdraw),
        2 => any::<usize>().prop_map(Op::Renew),
        3 => any::<usize>().prop_map(Op::Release),
        1 => any::<usize>().prop_map(Op::Undelivered),
        3 => Just(Op::ClearAll),
        1 => (0..6u32, any::<usize>()).prop_map(|(device, lease)| Op::ClearOne { device, lease }),
        2 => (0..4_000u64).prop_map(Op::Wait),
        2 => Just(Op::UntilDue),
        2 => (0..6u32, prop::bool::weighted(0.7)).prop_map(|(device, works)| Op::Health { device, works }),
    ]
}

/// What an observer who sees only events and actions knows.
#[derive(Default)]
struct Observer {
    /// Device → lease, from grant until `Clear` is asked.
    lent: BTreeMap<u32, LeaseId>,
    /// Device → (lease, holder), from `Clear` asked until it is seen clear or lent again.
    dirty: BTreeMap<u32, (LeaseId, String)>,
    holders: BTreeMap<LeaseId, String>,
    deadlines: BTreeMap<LeaseId, Instant>,
    /// Ticket → (holder, when it must be answered).
    owed: BTreeMap<Ticket, (String, Instant)>,
    /// What was asked on condition.
    conditional: BTreeSet<Ticket>,
    /// User → the last ticket that was served.
    last_granted: BTreeMap<String, Ticket>,
    failed: BTreeSet<u32>,
    leases: Vec<LeaseId>,
}

impl Observer {
    fn see(&mut self, now: Instant, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Granted(ticket, lease) => self.see_grant(now, *ticket, lease),
                Action::Renewed(_, deadline) => assert_eq!(*deadline, now + LEASE_TERM),
                Action::Refused(ticket, _) => {
                    self.owed.remove(ticket);
                }
                Action::Clear { device, lease } => {
                    if self.lent.remove(device).is_some_and(|it| it != *lease) {
                        panic!("device {device} is cleared of a lease that does not have it");
                    }
                    self.deadlines.remove(lease);
                    // A device that failed while nobody held it is cleared of whoever there was before.
                    let holder = self.holders.get(lease).cloned().unwrap_or_default();
                    self.dirty.insert(*device, (*lease, holder));
                }
                Action::Released(_)
                | Action::Ended { .. }
                | Action::Quarantined { .. }
                | Action::Recovered { .. }
                | Action::Changed { .. } => {}
            }
        }
        assert!(
            self.deadlines.values().all(|it| *it > now),
            "a lease outlives its deadline"
        );
        assert!(
            self.owed.values().all(|(_, until)| *until > now),
            "a caller waits longer than it asked"
        );
    }

    fn see_grant(&mut self, now: Instant, ticket: Ticket, lease: &Lease) {
        let (holder, _) = self
            .owed
            .remove(&ticket)
            .expect("granted to somebody who is owed an answer");
        let before = self.last_granted.insert(user_of(&holder), ticket);
        assert!(before < Some(ticket), "first come, first served within a user");
        assert!(!self.holders.contains_key(&lease.id), "lease ids are not reused");
        let term = if self.conditional.contains(&ticket) {
            CONDITIONAL_TERM
        } else {
            LEASE_TERM
        };
        assert_eq!(lease.deadline, now + term);
        for device in &lease.devices {
            assert!(!self.failed.contains(&device.index), "a failed device is lent");
            assert_eq!(
                self.lent.insert(device.index, lease.id),
                None,
                "device {} is lent twice",
                device.index
            );
            if let Some((_, last)) = self.dirty.remove(&device.index) {
                assert_eq!(last, holder, "device {} still has memory of another", device.index);
            }
        }
        self.holders.insert(lease.id, holder);
        self.deadlines.insert(lease.id, lease.deadline);
        self.leases.push(lease.id);
    }
}

fn chosen<T: Copy>(from: &[T], by: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[by % from.len()])
}

fn run(installed: u32, ops: Vec<Op>) {
    let mut ledger = ledger(installed);
    let mut observer = Observer::default();
    let mut now = Instant::now();
    let mut last_ticket = 0;
    for op in ops {
        last_ticket += 1;
        let ticket = Ticket(last_ticket);
        let events = match op {
            Op::Ask {
                holder,
                epoch,
                count,
                within_ms,
                conditional,
            } => {
                let (holder, within) = (format!("h{holder}-u{}", holder / 2), Duration::from_millis(within_ms));
                // Something due now may still be served by this step.
                observer
                    .owed
                    .insert(ticket, (holder.clone(), now + within + Duration::from_nanos(1)));
                let terms = if conditional {
                    observer.conditional.insert(ticket);
                    Terms::Conditional
                } else {
                    Terms::Firm
                };
                vec![request_on(terms, ticket.0, &holder, epoch, count, within)]
            }
            Op::Withdraw(by) => {
                let owed: Vec<Ticket> = observer.owed.keys().copied().collect();
                let ticket = chosen(&owed, by).unwrap_or(ticket);
                observer.owed.remove(&ticket);
                vec![Event::Withdraw { ticket }]
            }
            Op::Renew(by) => chosen(&observer.leases, by)
                .map(|lease| Event::Renew { ticket, lease })
                .into_iter()
                .collect(),
            Op::Release(by) => chosen(&observer.leases, by)
                .map(|lease| Event::Release { ticket, lease })
                .into_iter()
                .collect(),
            Op::Undelivered(by) => chosen(&observer.leases, by)
                .map(|lease| Event::Undelivered { lease })
                .into_iter()
                .collect(),
            Op::ClearAll => {
                let dirty = observer.dirty.iter();
                dirty
                    .map(|(&device, (lease, _))| Event::Cleared { device, lease: *lease })
                    .collect()
            }
            Op::ClearOne { device, lease } => {
                let lease = chosen(&observer.leases, lease).unwrap_or(LeaseId(7));
                vec![Event::Cleared { device, lease }]
            }
            Op::Wait(ms) => {
                now += Duration::from_millis(ms);
                vec![Event::Tick]
            }
            Op::Health { device, works } => {
                let health = if works { Health::Healthy } else { failed() };
                vec![Event::Health { device, health }]
            }
            Op::UntilDue => {
                now = ledger.next_tick().map_or(now, |due| due.max(now));
                vec![Event::Tick]
            }
        };
        for event in events {
            if let Event::Cleared { device, lease } = &event
                && !observer.failed.contains(device)
                && observer.dirty.get(device).is_some_and(|(of, _)| of == lease)
            {
                observer.dirty.remove(device);
            }
            if let Event::Health { device, health } = &event {
                match health {
                    Health::Healthy => observer.failed.remove(device),
                    Health::Failed { .. } => observer.failed.insert(*device),
                };
            }
            let tick = matches!(event, Event::Tick);
            let renewed = match event {
                Event::Renew { lease, .. } => Some(lease),
                _ => None,
            };
            let actions = ledger.step(now, event);
            if let (Some(lease), true) = (renewed, actions.iter().any(|it| matches!(it, Action::Renewed(..)))) {
                observer.deadlines.insert(lease, now + LEASE_TERM);
            }
            observer.see(now, &actions);
            assert_eq!(ledger.violation(), None);
            assert!(
                !tick || ledger.next_tick().is_none_or(|due| due > now),
                "a tick leaves nothing due"
            );
            let head_could_go = ledger.line.head().and_then(|it| pick(&ledger.slots, &it.request));
            assert_eq!(head_could_go, None, "nobody waits for what is there");
            let mut places: Vec<u32> = ledger
                .line
                .iter()
                .filter_map(|it| ledger.place(&it.request.holder))
                .map(|it| it.position)
                .collect();
            places.sort_unstable();
            assert_eq!(places.first().copied().unwrap_or(1), 1, "somebody is next");
            let lent: BTreeSet<u32> = ledger
                .leases
                .values()
                .flat_map(|it| it.devices.iter().copied())
                .collect();
            assert_eq!(
                lent,
                observer.lent.keys().copied().collect(),
                "ledger and observer agree"
            );
        }
    }
    // Whatever is left ends: granted or refused by its deadline.
    while let Some(due) = ledger.next_tick().filter(|_| ledger.line.len() > 0) {
        now = due.max(now);
        let actions = ledger.step(now, Event::Tick);
        observer.see(now, &actions);
    }
    assert_eq!(
        (ledger.line.len(), observer.owed.len()),
        (0, 0),
        "everybody is answered"
    );
}

proptest! {
    #[test]
    fn random_runs_keep_the_invariants(installed in 1..6u32, ops in prop::collection::vec(op(), 1..120)) {
        run(installed, ops);
    }
}
