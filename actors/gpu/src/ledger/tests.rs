use super::*;

mod random;

const SECOND: Duration = Duration::from_secs(1);
const GIB: u64 = 1 << 30;
const BOUNDS: Bounds = Bounds {
    total: 256,
    per_user: 128,
};

fn ledger(devices: u32) -> GpuLedger {
    GpuLedger::new(installed(devices, |_| 80 * GIB), BOUNDS)
}

fn installed(count: u32, memory: impl Fn(u32) -> u64) -> Vec<Installed> {
    let device = |index| Device {
        index,
        uuid: format!("GPU-{index}"),
        path: None,
    };
    (0..count)
        .map(|index| Installed {
            device: device(index),
            memory: memory(index),
        })
        .collect()
}

fn failed() -> Health {
    Health::Failed {
        why: "xid 79".to_owned(),
    }
}

fn request(ticket: u64, holder: &str, epoch: u64, count: u32, within: Duration) -> Event {
    request_on(Terms::Firm, ticket, holder, epoch, count, within)
}

fn request_on(terms: Terms, ticket: u64, holder: &str, epoch: u64, count: u32, within: Duration) -> Event {
    let request = LeaseRequest {
        holder: holder.to_owned(),
        user: user_of(holder),
        epoch,
        count,
        memory: 0,
        within,
        terms,
    };
    Event::Request {
        ticket: Ticket(ticket),
        request,
    }
}

/// `h1-a` and `h2-a` are of user a, everybody else for themselves.
fn user_of(holder: &str) -> String {
    holder.rsplit_once('-').map_or(holder, |(_, user)| user).to_owned()
}

fn granted(actions: &[Action]) -> Vec<(u64, Lease)> {
    let grants = actions.iter().filter_map(|it| match it {
        Action::Granted(ticket, lease) => Some((ticket.0, lease.clone())),
        _ => None,
    });
    grants.collect()
}

fn refused(actions: &[Action]) -> Vec<(u64, Refusal)> {
    let refusals = actions.iter().filter_map(|it| match it {
        Action::Refused(ticket, refusal) => Some((ticket.0, refusal.clone())),
        _ => None,
    });
    refusals.collect()
}

fn indexes(lease: &Lease) -> Vec<u32> {
    lease.devices.iter().map(|it| it.index).collect()
}

/// Grants `count` devices to `holder` and gives the lease.
fn lend(ledger: &mut GpuLedger, now: Instant, holder: &str, count: u32) -> Lease {
    let actions = ledger.step(now, request(1000, holder, 1, count, Duration::ZERO));
    granted(&actions).pop().expect("granted").1
}

fn clear(ledger: &mut GpuLedger, now: Instant, lease: &Lease) -> Vec<Action> {
    let looks = indexes(lease).into_iter().map(|device| Event::Cleared {
        device,
        lease: lease.id,
    });
    looks.flat_map(|it| ledger.step(now, it)).collect()
}

#[test]
fn lends_all_or_nothing() {
    let (mut ledger, now) = (ledger(4), Instant::now());
    let first = lend(&mut ledger, now, "a", 3);
    assert_eq!(indexes(&first), [0, 1, 2]);
    assert_eq!(first.deadline, now + LEASE_TERM);
    let actions = ledger.step(now, request(2, "b", 1, 2, Duration::ZERO));
    assert_eq!(
        refused(&actions),
        [(
            2,
            Refusal::NoRoom {
                asked: 2,
                waited: Duration::ZERO
            }
        )]
    );
    assert_eq!(indexes(&lend(&mut ledger, now, "b", 1)), [3]);
}

#[test]
fn refuses_what_can_never_be() {
    let (mut ledger, now) = (ledger(2), Instant::now());
    for asked in [0, 3] {
        let actions = ledger.step(now, request(1, "a", 1, asked, SECOND));
        assert_eq!(
            refused(&actions),
            [(
                1,
                Refusal::Impossible {
                    asked,
                    memory: 0,
                    installed: 2
                }
            )]
        );
    }
}

#[test]
fn lends_to_another_only_what_was_seen_clear() {
    let (mut ledger, now) = (ledger(1), Instant::now());
    let first = lend(&mut ledger, now, "a", 1);
    assert!(granted(&ledger.step(now, request(2, "b", 1, 1, SECOND))).is_empty());
    let actions = ledger.step(
        now,
        Event::Release {
            ticket: Ticket(3),
            lease: first.id,
        },
    );
    assert!(actions.contains(&Action::Released(Ticket(3))) && granted(&actions).is_empty());
    // A late report about something else frees nothing.
    assert!(
        ledger
            .step(
                now,
                Event::Cleared {
                    device: 0,
                    lease: LeaseId(99)
                }
            )
            .is_empty()
    );
    assert_eq!(granted(&clear(&mut ledger, now, &first))[0].0, 2);
}

#[test]
fn gives_a_holder_its_own_device_back_at_once() {
    let (mut ledger, now) = (ledger(2), Instant::now());
    let (_, mine) = (lend(&mut ledger, now, "other", 1), lend(&mut ledger, now, "me", 1));
    ledger.step(
        now,
        Event::Release {
            ticket: Ticket(1),
            lease: mine.id,
        },
    );
    let again = lend(&mut ledger, now, "me", 1);
    assert_eq!(indexes(&again), indexes(&mine));
    // The report of the first clearing comes late: the device stays lent.
    ledger.step(
        now,
        Event::Cleared {
            device: 1,
            lease: mine.id,
        },
    );
    assert_eq!(ledger.view()[1].state, DeviceState::Leased);
}

#[test]
fn large_request_is_not_overtaken() {
    let (mut ledger, now) = (ledger(2), Instant::now());
    let first = lend(&mut ledger, now, "a", 1);
    ledger.step(now, request(2, "large", 1, 2, SECOND));
    assert!(granted(&ledger.step(now, request(3, "small", 1, 1, 2 * SECOND))).is_empty());
    ledger.step(
        now,
        Event::Release {
            ticket: Ticket(4),
            lease: first.id,
        },
    );
    let grants = granted(&clear(&mut ledger, now, &first));
    assert_eq!(grants.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [2]);
}

#[test]
fn head_that_gives_up_lets_the_next_one_through() {
    let (mut ledger, now) = (ledger(2), Instant::now());
    lend(&mut ledger, now, "a", 1);
    ledger.step(now, request(2, "large", 1, 2, SECOND));
    ledger.step(now, request(3, "small", 1, 1, 2 * SECOND));
    assert_eq!(ledger.next_tick(), Some(now + SECOND));
    let actions = ledger.step(now + SECOND, Event::Tick);
    assert_eq!(
        refused(&actions),
        [(
            2,
            Refusal::NoRoom {
                asked: 2,
                waited: SECOND
            }
        )]
    );
    assert_eq!(granted(&actions)[0].0, 3);
}

#[test]
fn withdrawn_request_gets_nothing() {
    let (mut ledger, now) = (ledger(1), Instant::now());
    let first = lend(&mut ledger, now, "a", 1);
    ledger.step(now, request(2, "b", 1, 1, SECOND));
    ledger.step(now, Event::Withdraw { ticket: Ticket(2) });
    ledger.step(
        now,
        Event::Release {
            ticket: Ticket(3),
            lease: first.id,
        },
    );
    assert!(clear(&mut ledger, now, &first).is_empty());
    assert_eq!(ledger.view()[0].state, DeviceState::Free);
}

#[test]
fn lease_ends_unless_renewed() {
    let (mut ledger, start) = (ledger(1), Instant::now());
    let lease = lend(&mut ledger, start, "a", 1);
    let half = start + LEASE_TERM / 2;
    let actions = ledger.step(
        half,
        Event::Renew {
            ticket: Ticket(2),
            lease: lease.id,
        },
    );
    assert_eq!(actions, [Action::Renewed(Ticket(2), half + LEASE_TERM)]);
    assert_eq!(ledger.step(start + LEASE_TERM, Event::Tick), []);
    let actions = ledger.step(half + LEASE_TERM, Event::Tick);
    assert!(actions.contains(&Action::Ended {
        lease: lease.id,
        holder: "a".to_owned(),
        why: Why::Expired
    }));
    let late = ledger.step(
        half + LEASE_TERM,
        Event::Renew {
            ticket: Ticket(3),
            lease: lease.id,
        },
    );
    assert_eq!(refused(&late), [(3, Refusal::LeaseOver(lease.id))]);
}

#[test]
fn a_conditional_lease_is_short_until_it_is_renewed() {
    let (mut ledger, start) = (ledger(2), Instant::now());
    let ask = |ticket, holder| request_on(Terms::Conditional, ticket, holder, 1, 1, Duration::ZERO);
    let won = granted(&ledger.step(start, ask(1, "won"))).remove(0).1;
    let lost = granted(&ledger.step(start, ask(2, "lost"))).remove(0).1;
    assert_eq!(won.deadline, start + CONDITIONAL_TERM);
    let (ticket, lease) = (Ticket(3), won.id);
    let actions = ledger.step(start + SECOND, Event::Renew { ticket, lease });
    assert_eq!(actions, [Action::Renewed(ticket, start + SECOND + LEASE_TERM)]);
    let actions = ledger.step(start + CONDITIONAL_TERM, Event::Tick);
    assert_eq!(
        actions,
        [
            Action::Clear {
                device: 1,
                lease: lost.id
            },
            Action::Ended {
                lease: lost.id,
                holder: "lost".to_owned(),
                why: Why::Expired
            }
        ]
    );
}

#[test]
fn newer_epoch_ends_the_older_and_refuses_its_return() {
    let (mut ledger, now) = (ledger(2), Instant::now());
    let old = lend(&mut ledger, now, "a", 2);
    let actions = ledger.step(now, request(2, "a", 2, 1, Duration::ZERO));
    assert!(actions.contains(&Action::Ended {
        lease: old.id,
        holder: "a".to_owned(),
        why: Why::NewerEpoch
    }));
    assert_eq!(granted(&actions)[0].0, 2);
    let actions = ledger.step(now, request(3, "a", 1, 1, SECOND));
    assert_eq!(
        refused(&actions),
        [(
            3,
            Refusal::StaleEpoch {
                holder: "a".to_owned(),
                epoch: 1,
                newest: 2
            }
        )]
    );
}

#[test]
fn waiting_line_is_bounded() {
    let bounds = Bounds { total: 3, per_user: 2 };
    let (mut ledger, now) = (GpuLedger::new(installed(1, |_| GIB), bounds), Instant::now());
    lend(&mut ledger, now, "a", 1);
    for (ticket, holder) in [(1, "1-b"), (2, "2-b")] {
        assert!(refused(&ledger.step(now, request(ticket, holder, 1, 1, SECOND))).is_empty());
    }
    let actions = ledger.step(now, request(3, "3-b", 1, 1, SECOND));
    let user = "b".to_owned();
    assert_eq!(refused(&actions), [(3, Refusal::UserQueueFull { user, waiting: 2 })]);
    ledger.step(now, request(4, "c", 1, 1, SECOND));
    let actions = ledger.step(now, request(5, "d", 1, 1, SECOND));
    assert_eq!(refused(&actions), [(5, Refusal::QueueFull { waiting: 3 })]);
}

#[test]
fn users_take_turns() {
    let (mut ledger, now) = (ledger(1), Instant::now());
    let mut lease = lend(&mut ledger, now, "0-a", 1);
    for (ticket, holder) in [(1, "1-a"), (2, "2-a"), (3, "1-b"), (4, "2-b"), (5, "1-c")] {
        ledger.step(now, request(ticket, holder, 1, 1, 60 * SECOND));
    }
    // It was alone as it came, so it is next, and stays so.
    assert_eq!(ledger.place("1-a").expect("waits").position, 1);
    let mut order = Vec::new();
    while let Some((ticket, next)) = {
        let id = lease.id;
        ledger.step(
            now,
            Event::Release {
                ticket: Ticket(100),
                lease: id,
            },
        );
        granted(&clear(&mut ledger, now, &lease)).pop()
    } {
        order.push(ticket);
        lease = next;
    }
    assert_eq!(order, [1, 3, 5, 2, 4]);
}

#[test]
fn tells_a_request_where_it_stands() {
    let (mut ledger, now) = (ledger(3), Instant::now());
    let lease = lend(&mut ledger, now, "a", 2);
    ledger.step(
        now,
        Event::Health {
            device: 2,
            health: failed(),
        },
    );
    ledger.step(now, request(1, "b", 1, 1, SECOND));
    ledger.step(now, request(2, "c", 1, 2, SECOND));
    let place = ledger.place("c").expect("waits");
    assert_eq!(
        place.to_string(),
        "number 2 of 2 in line for 2 GPUs: 2 lent, 0 free, 1 out of order"
    );
    ledger.step(
        now,
        Event::Release {
            ticket: Ticket(3),
            lease: lease.id,
        },
    );
    let place = ledger.place("b").expect("waits");
    assert_eq!(
        place.to_string(),
        "number 1 of 2 in line for 1 GPU: 0 lent, 0 free, 2 being cleared, 1 out of order"
    );
    assert_eq!(ledger.place("a"), None);
}

#[test]
fn lends_only_devices_with_enough_memory_and_the_smallest_of_these() {
    let memory = [80, 16, 40];
    let devices = installed(3, |index| memory[index as usize] * GIB);
    let (mut ledger, now) = (GpuLedger::new(devices, BOUNDS), Instant::now());
    let ask = |ledger: &mut GpuLedger, ticket, holder: &str, count, gib: u64| {
        let Event::Request { ticket, mut request } = request(ticket, holder, 1, count, Duration::ZERO) else {
            unreachable!()
        };
        request.memory = gib * GIB;
        ledger.step(now, Event::Request { ticket, request })
    };
    assert_eq!(indexes(&granted(&ask(&mut ledger, 1, "a", 1, 24))[0].1), [2]);
    assert_eq!(indexes(&granted(&ask(&mut ledger, 2, "b", 1, 0))[0].1), [1]);
    let memory = 40 * GIB;
    let impossible = Refusal::Impossible {
        asked: 3,
        memory,
        installed: 2,
    };
    assert_eq!(
        impossible.to_string(),
        "3 GPUs with 40960 MiB each asked of a host that has 2: ask for 1 to 2"
    );
    assert_eq!(refused(&ask(&mut ledger, 3, "c", 3, 40)), [(3, impossible)]);
    assert!(matches!(
        refused(&ask(&mut ledger, 4, "c", 1, 81))[..],
        [(4, Refusal::Impossible { installed: 0, .. })]
    ));
    assert_eq!(indexes(&granted(&ask(&mut ledger, 5, "c", 1, 40))[0].1), [0]);
}

#[test]
fn failed_device_is_taken_from_its_holder_and_lent_again_once_it_works_and_is_clear() {
    let (mut ledger, now) = (ledger(2), Instant::now());
    let lease = lend(&mut ledger, now, "a", 2);
    let actions = ledger.step(
        now,
        Event::Health {
            device: 1,
            health: failed(),
        },
    );
    assert!(actions.contains(&Action::Ended {
        lease: lease.id,
        holder: "a".to_owned(),
        why: Why::DeviceFailed
    }));
    assert_eq!(ledger.view()[1].state, DeviceState::Failed);
    // Its holder hears why, once.
    let renew = Event::Renew {
        ticket: Ticket(1),
        lease: lease.id,
    };
    let why = "xid 79".to_owned();
    let told = Refusal::DeviceFailed {
        lease: lease.id,
        device: 1,
        why,
    };
    assert_eq!(refused(&ledger.step(now, renew.clone())), [(1, told)]);
    assert_eq!(refused(&ledger.step(now, renew)), [(1, Refusal::LeaseOver(lease.id))]);
    // Not even its last holder gets it, and clear is not enough.
    clear(&mut ledger, now, &lease);
    assert!(granted(&ledger.step(now, request(2, "a", 1, 2, Duration::ZERO))).is_empty());
    ledger.step(now, request(3, "b", 1, 2, SECOND));
    let actions = ledger.step(
        now,
        Event::Health {
            device: 1,
            health: Health::Healthy,
        },
    );
    let [Action::Changed { .. }, Action::Clear { device: 1, lease }] = actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(granted(&ledger.step(now, Event::Cleared { device: 1, lease }))[0].0, 3);
}

#[test]
fn device_that_stays_occupied_is_quarantined_and_comes_back() {
    let (mut ledger, start) = (ledger(1), Instant::now());
    let lease = lend(&mut ledger, start, "a", 1);
    ledger.step(
        start,
        Event::Release {
            ticket: Ticket(1),
            lease: lease.id,
        },
    );
    let mut reports = 0;
    let mut now = start;
    while let Some(due) = ledger.next_tick().filter(|it| *it <= start + 2 * QUARANTINE_AFTER) {
        assert!(due > now, "each look is later than the last");
        now = due;
        let actions = ledger.step(now, Event::Tick);
        assert!(actions.contains(&Action::Clear {
            device: 0,
            lease: lease.id
        }));
        reports += actions
            .iter()
            .filter(|it| matches!(it, Action::Quarantined { device: 0 }))
            .count();
    }
    assert_eq!((reports, ledger.view()[0].state), (1, DeviceState::Quarantined));
    clear(&mut ledger, now, &lease);
    assert_eq!(ledger.view()[0].state, DeviceState::Free);
}

#[test]
fn ledger_after_a_crash_waits_for_old_leases_and_reuses_no_id() {
    let (mut old, start) = (ledger(1), Instant::now());
    let lost = lend(&mut old, start, "a", 1);
    let mut ledger = GpuLedger::after_crash(installed(1, |_| 80 * GIB), BOUNDS, 1, start);
    let actions = ledger.step(
        start,
        Event::Renew {
            ticket: Ticket(1),
            lease: lost.id,
        },
    );
    assert_eq!(refused(&actions), [(1, Refusal::LeaseOver(lost.id))]);
    // Not even to the old holder: who that was is unknown.
    assert!(granted(&ledger.step(start, request(2, "a", 1, 1, 2 * LEASE_TERM))).is_empty());
    ledger.step(
        start,
        Event::Cleared {
            device: 0,
            lease: lost.id,
        },
    );
    assert_eq!(ledger.next_tick(), Some(lost.deadline));
    let look = ledger.step(lost.deadline, Event::Tick);
    let [Action::Clear { device: 0, lease }] = look[..] else {
        panic!("{look:?}")
    };
    let grants = granted(&ledger.step(lost.deadline, Event::Cleared { device: 0, lease }));
    assert!(grants[0].1.id > lost.id);
}
