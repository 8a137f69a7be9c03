use proptest::prelude::*;

use super::*;

const FIRST: Incarnation = Incarnation(1);
const SECOND: Incarnation = Incarnation(2);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn machine(side: Side) -> Machine {
    Machine::new(side, Options::default(), Duration::ZERO)
}

/// A machine with a ready link since `at`.
fn linked(side: Side, at: u64) -> Machine {
    let mut machine = machine(side);
    assert_eq!(
        machine.step(
            ms(at),
            Event::Authenticated {
                link: 1,
                incarnation: FIRST
            }
        ),
        [Action::Admit { link: 1 }]
    );
    assert_eq!(
        machine.step(ms(at), Event::Ready { link: 1 }),
        [Action::Ping { link: 1 }]
    );
    assert_eq!(machine.state(), PeerState::Up { incarnation: FIRST });
    machine
}

/// Ticks every 100 ms over `from..=to` and collects the actions.
fn ticks(machine: &mut Machine, from: u64, to: u64) -> Vec<Action> {
    (from..=to)
        .step_by(100)
        .flat_map(|at| machine.step(ms(at), Event::Tick))
        .collect()
}

#[test]
fn silence_is_suspected_in_time_and_down_later() {
    let mut machine = linked(Side::Dials, 0);
    ticks(&mut machine, 0, 1000);
    machine.step(ms(1000), Event::Heard { at: ms(950) });
    ticks(&mut machine, 1100, 2100);
    assert_eq!(machine.state(), PeerState::Up { incarnation: FIRST });
    ticks(&mut machine, 2200, 2200);
    assert_eq!(machine.state(), PeerState::Suspected);
    let actions = ticks(&mut machine, 2300, 6000);
    assert_eq!(machine.state(), PeerState::Down);
    assert_eq!(actions.last(), Some(&Action::Close { link: 1 }));
}

#[test]
fn a_suspected_peer_that_answers_is_up_again_on_the_same_link() {
    let mut machine = linked(Side::Accepts, 0);
    ticks(&mut machine, 0, 3000);
    assert_eq!(machine.state(), PeerState::Suspected);
    machine.step(ms(3000), Event::Heard { at: ms(2990) });
    assert_eq!(machine.state(), PeerState::Up { incarnation: FIRST });
}

#[test]
fn the_dialing_side_redials_at_once_and_a_refusal_is_a_death() {
    let mut machine = linked(Side::Dials, 0);
    ticks(&mut machine, 0, 2000);
    machine.step(ms(2000), Event::Heard { at: ms(2000) });
    assert_eq!(
        machine.step(ms(2001), Event::Gone { link: 1, jitter: 0 }),
        [Action::Dial]
    );
    assert_eq!(
        machine.state(),
        PeerState::Up { incarnation: FIRST },
        "a lost connection alone is no death"
    );
    machine.step(
        ms(2002),
        Event::DialFailed {
            failure: Failure::Refused,
            jitter: 0,
        },
    );
    assert_eq!(machine.state(), PeerState::Down);
}

#[test]
fn the_accepting_side_probes_and_a_refusal_is_a_death() {
    let mut machine = linked(Side::Accepts, 0);
    assert_eq!(
        machine.step(ms(10), Event::Gone { link: 1, jitter: 0 }),
        [Action::Probe]
    );
    machine.step(
        ms(11),
        Event::Probed {
            failure: Failure::Other,
        },
    );
    assert_eq!(machine.state(), PeerState::Up { incarnation: FIRST });
    let actions = ticks(&mut machine, 100, 2500);
    assert_eq!(machine.state(), PeerState::Suspected);
    assert!(
        actions.len() >= 7 && actions.iter().all(|action| *action == Action::Probe),
        "it keeps looking: {actions:?}"
    );
    machine.step(
        ms(2600),
        Event::Probed {
            failure: Failure::Refused,
        },
    );
    assert_eq!(machine.state(), PeerState::Down);
}

#[test]
fn a_refused_probe_says_nothing_once_a_new_connection_is_there() {
    let mut machine = linked(Side::Accepts, 0);
    machine.step(ms(10), Event::Gone { link: 1, jitter: 0 });
    machine.step(
        ms(11),
        Event::Authenticated {
            link: 2,
            incarnation: FIRST,
        },
    );
    machine.step(
        ms(12),
        Event::Probed {
            failure: Failure::Refused,
        },
    );
    assert_eq!(machine.state(), PeerState::Up { incarnation: FIRST });
}

#[test]
fn the_newer_connection_waits_for_the_older_one_to_end() {
    let mut machine = linked(Side::Accepts, 0);
    let authenticated = |link| Event::Authenticated {
        link,
        incarnation: FIRST,
    };
    assert_eq!(machine.step(ms(100), authenticated(2)), [Action::Close { link: 1 }]);
    assert_eq!(machine.step(ms(110), authenticated(3)), [Action::Discard { link: 2 }]);
    assert_eq!(
        machine.step(ms(120), Event::Gone { link: 1, jitter: 0 }),
        [Action::Admit { link: 3 }]
    );
}

#[test]
fn a_new_incarnation_is_a_death_and_a_birth() {
    let mut machine = linked(Side::Accepts, 0);
    machine.step(
        ms(100),
        Event::Authenticated {
            link: 2,
            incarnation: SECOND,
        },
    );
    assert_eq!(machine.state(), PeerState::Down);
    machine.step(ms(110), Event::Gone { link: 1, jitter: 0 });
    machine.step(ms(120), Event::Ready { link: 2 });
    assert_eq!(machine.state(), PeerState::Up { incarnation: SECOND });
    machine.step(ms(130), Event::Ready { link: 1 });
    assert_eq!(machine.state(), PeerState::Up { incarnation: SECOND });
}

#[test]
fn our_own_pause_is_not_the_peers_silence() {
    let mut machine = linked(Side::Dials, 0);
    ticks(&mut machine, 0, 300);
    machine.step(ms(6300), Event::Tick);
    assert_eq!(machine.state(), PeerState::Up { incarnation: FIRST });
    ticks(&mut machine, 6400, 7600);
    assert_eq!(machine.state(), PeerState::Suspected);
}

#[test]
fn redials_back_off_with_jitter() {
    let mut machine = machine(Side::Dials);
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        while machine.step(ms(now), Event::Tick) != [Action::Dial] {
            now += 1;
        }
        let failed = now;
        machine.step(
            ms(failed),
            Event::DialFailed {
                failure: Failure::Other,
                jitter: 1000,
            },
        );
        while machine.step(ms(now), Event::Tick) != [Action::Dial] {
            now += 1;
        }
        pauses.push(now - failed);
        machine.step(
            ms(now),
            Event::DialFailed {
                failure: Failure::Other,
                jitter: 0,
            },
        );
    }
    assert_eq!(pauses[..3], [50, 200, 800]);
    assert!(pauses[3..].iter().all(|pause| *pause == 1000), "{pauses:?}");
}

#[test]
fn a_session_that_dies_young_is_not_redialled_in_a_loop() {
    let mut machine = machine(Side::Dials);
    assert_eq!(machine.step(ms(0), Event::Tick), [Action::Dial]);
    let mut dials = 1;
    for now in 0..2000u64 {
        // Whatever is dialed authenticates, gets ready and dies within the same millisecond.
        for event in [
            Event::Authenticated {
                link: now,
                incarnation: FIRST,
            },
            Event::Ready { link: now },
            Event::Gone { link: now, jitter: 500 },
            Event::Tick,
        ] {
            if !machine.dialing && matches!(event, Event::Authenticated { .. }) {
                continue;
            }
            dials += machine
                .step(ms(now), event)
                .iter()
                .filter(|action| **action == Action::Dial)
                .count();
        }
    }
    assert!(dials < 15, "{dials} dials in two seconds");
}

#[derive(Debug, Clone)]
enum Op {
    Tick(u64),
    DialOk(u64),
    DialFailed(bool, u32),
    Accepted(u64),
    Probed(bool),
    Ready,
    Lost,
    Heard,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..700u64).prop_map(Op::Tick),
        2 => (1..3u64).prop_map(Op::DialOk),
        1 => (any::<bool>(), 0..1000u32).prop_map(|(refused, jitter)| Op::DialFailed(refused, jitter)),
        1 => (1..3u64).prop_map(Op::Accepted),
        1 => any::<bool>().prop_map(Op::Probed),
        3 => Just(Op::Ready),
        1 => Just(Op::Lost),
        3 => Just(Op::Heard),
    ]
}

proptest! {
    /// Any order of events: one session at a time, never two dials at once, nothing discarded twice, never up
    /// without having been heard in time, and a peer that behaves comes up in the end.
    #[test]
    fn invariants(dials in any::<bool>(), ops in prop::collection::vec(op(), 1..150)) {
        let side = if dials { Side::Dials } else { Side::Accepts };
        let mut machine = machine(side);
        let mut world = World::default();
        for op in ops {
            let event = match op {
                Op::Tick(gap) => { world.now += gap; Event::Tick }
                Op::DialOk(incarnation) if world.dialing => world.proved(Incarnation(incarnation)),
                Op::DialFailed(refused, jitter) if world.dialing => {
                    world.dialing = false;
                    Event::DialFailed { failure: if refused { Failure::Refused } else { Failure::Other }, jitter }
                }
                Op::Accepted(incarnation) if !dials => world.proved(Incarnation(incarnation)),
                Op::Probed(refused) => Event::Probed { failure: if refused { Failure::Refused } else { Failure::Other } },
                Op::Ready => match world.open { Some(link) => Event::Ready { link }, None => continue },
                Op::Lost => match world.open.take() {
                    Some(link) => Event::Gone { link, jitter: 500 },
                    None => continue,
                },
                Op::Heard => Event::Heard { at: ms(world.now) },
                Op::DialOk(_) | Op::DialFailed(..) | Op::Accepted(_) => continue,
            };
            world.feed(&mut machine, event)?;
        }
        // From here the network is fine: dials succeed, sessions get ready, heartbeats are answered.
        for _ in 0..200 {
            world.now += 100;
            if dials && world.dialing || !dials && machine.current.is_none() {
                let event = world.proved(SECOND);
                world.feed(&mut machine, event)?;
            }
            if let Some(link) = world.open {
                world.feed(&mut machine, Event::Ready { link })?;
                world.feed(&mut machine, Event::Heard { at: ms(world.now) })?;
            }
            world.feed(&mut machine, Event::Tick)?;
        }
        prop_assert!(matches!(machine.state(), PeerState::Up { .. }), "{:?}", machine);
    }
}

/// What performs the actions, in miniature.
#[derive(Default)]
struct World {
    now: u64,
    next: LinkId,
    dialing: bool,
    open: Option<LinkId>,
    waiting: Vec<LinkId>,
}

impl World {
    fn proved(&mut self, incarnation: Incarnation) -> Event {
        self.dialing = false;
        self.next += 1;
        self.waiting.push(self.next);
        Event::Authenticated {
            link: self.next,
            incarnation,
        }
    }

    fn feed(&mut self, machine: &mut Machine, event: Event) -> Result<(), TestCaseError> {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in machine.step(ms(self.now), event) {
                match action {
                    Action::Dial => {
                        prop_assert!(!self.dialing, "two dials at once");
                        self.dialing = true;
                    }
                    Action::Admit { link } => {
                        prop_assert!(self.open.is_none(), "two sessions at once");
                        prop_assert!(self.waiting.contains(&link));
                        self.waiting.retain(|waiting| *waiting != link);
                        self.open = Some(link);
                    }
                    Action::Discard { link } => {
                        prop_assert!(self.waiting.contains(&link));
                        self.waiting.retain(|waiting| *waiting != link);
                    }
                    Action::Close { link } => {
                        prop_assert_eq!(self.open, Some(link));
                        self.open = None;
                        events.push(Event::Gone { link, jitter: 0 });
                    }
                    Action::Ping { link } => prop_assert_eq!(self.open, Some(link)),
                    Action::Probe => {}
                }
            }
        }
        if let PeerState::Up { incarnation } = machine.state() {
            prop_assert_eq!(machine.incarnation(), Some(incarnation));
        }
        prop_assert!(self.waiting.len() <= 1, "{:?} pile up", self.waiting);
        Ok(())
    }
}
