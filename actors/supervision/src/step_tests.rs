use std::collections::BTreeSet;

use proptest::prelude::{Just, any, prop, prop_assert, prop_oneof, proptest};
use proptest::strategy::Strategy as _;

use super::*;
use crate::{BackOff, Intensity};

fn options(strategy: Strategy, max_restarts: u32) -> Options {
    Options {
        strategy,
        intensity: Intensity {
            max_restarts,
            window: Duration::from_secs(10),
        },
        backoff: BackOff {
            first: Duration::from_millis(10),
            max: Duration::from_millis(80),
        },
    }
}

/// Runs a decision the way the actor does, against children that exist only as a set of names.
struct World {
    state: State,
    now: Duration,
    running: BTreeSet<String>,
    due: Vec<(Duration, String, u64)>,
    log: Vec<String>,
    escalated: bool,
    /// Starts that are to fail.
    broken: BTreeSet<String>,
}

impl World {
    fn new(options: Options, children: &[(&str, Restart)]) -> Self {
        let mut world = Self {
            state: State::new(options),
            now: Duration::ZERO,
            running: BTreeSet::new(),
            due: Vec::new(),
            log: Vec::new(),
            escalated: false,
            broken: BTreeSet::new(),
        };
        for (name, restart) in children {
            world.feed(Event::Added {
                name: (*name).to_owned(),
                restart: *restart,
            });
        }
        world.log.clear();
        world
    }

    fn feed(&mut self, event: Event) {
        let mut actions = VecDeque::from(self.state.step(self.now, event));
        while let Some(action) = actions.pop_front() {
            assert!(!self.escalated, "nothing follows an escalation: {action:?}");
            match action {
                Action::Start { name } => {
                    self.log.push(format!("+{name}"));
                    let event = if self.broken.contains(&name) {
                        Event::StartFailed { name }
                    } else {
                        assert!(self.running.insert(name.clone()), "{name} was started twice");
                        Event::Started { name }
                    };
                    actions.extend(self.state.step(self.now, event));
                }
                Action::Stop { name } => {
                    assert!(self.running.remove(&name), "{name} was stopped while down");
                    self.log.push(format!("-{name}"));
                }
                Action::Schedule { name, ticket, after } => {
                    let backoff = self.state.options.backoff;
                    assert!(after >= backoff.first && after <= backoff.max);
                    self.due.push((self.now + after, name, ticket));
                }
                Action::Rest { name, .. } | Action::Forget { name } => assert!(!self.running.contains(&name)),
                Action::Escalate => {
                    assert!(self.running.is_empty(), "children outlived the escalation");
                    self.escalated = true;
                }
            }
        }
    }

    fn exit(&mut self, name: &str, exit: Exit) {
        if self.running.remove(name) {
            self.feed(Event::Exited {
                name: name.to_owned(),
                exit,
            });
        }
    }

    /// Lets every scheduled restart come due, in order, for at most `rounds`.
    fn settle(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.due.sort();
            if self.due.is_empty() {
                return;
            }
            let (at, name, ticket) = self.due.remove(0);
            self.now = self.now.max(at);
            self.feed(Event::Due { name, ticket });
        }
    }

    /// The first child that waits to be started again.
    fn down(&self) -> Option<usize> {
        let waits = |child: &Child| matches!(child.phase, Phase::Waiting { .. } | Phase::Held);
        self.state.children.iter().position(waits)
    }

    fn log(&mut self) -> String {
        std::mem::take(&mut self.log).join(" ")
    }
}

const ABC: [(&str, Restart); 3] = [
    ("a", Restart::Permanent),
    ("b", Restart::Permanent),
    ("c", Restart::Permanent),
];

#[test]
fn one_for_one_restarts_only_the_failed_child() {
    let mut world = World::new(options(Strategy::OneForOne, 5), &ABC);
    world.exit("b", Exit::Failed);
    world.settle(10);
    assert_eq!(world.log(), "+b");
}

#[test]
fn rest_for_one_takes_the_later_ones_down_and_up_in_order() {
    let mut world = World::new(options(Strategy::RestForOne, 5), &ABC);
    world.exit("a", Exit::Failed);
    assert_eq!(world.log(), "-c -b");
    world.settle(10);
    assert_eq!(world.log(), "+a +b +c");
}

#[test]
fn rest_for_one_waits_for_a_child_that_does_not_come_up() {
    let mut world = World::new(options(Strategy::RestForOne, 5), &ABC);
    world.broken.insert("b".to_owned());
    world.exit("b", Exit::Failed);
    world.settle(1);
    assert_eq!(world.log(), "-c +b");
    assert_eq!(world.running, BTreeSet::from(["a".to_owned()]));
    world.broken.clear();
    world.settle(10);
    assert_eq!(world.log(), "+b +c");
}

#[test]
fn transient_rests_after_a_normal_end_and_temporary_leaves() {
    let children = [("t", Restart::Transient), ("x", Restart::Temporary)];
    let mut world = World::new(options(Strategy::OneForOne, 5), &children);
    world.exit("t", Exit::Normal);
    world.exit("x", Exit::Failed);
    world.settle(10);
    assert_eq!(world.log(), "");
    assert_eq!(world.state.phase("t"), Some(Phase::Resting));
    assert_eq!(world.state.phase("x"), None);
    world.feed(Event::RestartAsked { name: "t".to_owned() });
    assert_eq!(world.log(), "+t");
}

#[test]
fn a_first_start_that_fails_leaves_no_trace() {
    let mut world = World::new(options(Strategy::RestForOne, 5), &ABC);
    world.broken.insert("d".to_owned());
    world.feed(Event::Added {
        name: "d".to_owned(),
        restart: Restart::Permanent,
    });
    world.settle(10);
    assert_eq!(world.log(), "+d");
    assert_eq!(world.state.phase("d"), None);
}

#[test]
fn intensity_counts_only_the_window() {
    let mut world = World::new(options(Strategy::OneForOne, 2), &ABC);
    for _ in 0..20 {
        world.exit("a", Exit::Failed);
        world.settle(10);
        world.now += Duration::from_secs(6);
    }
    assert!(!world.escalated);
    for _ in 0..3 {
        world.exit("a", Exit::Failed);
        world.settle(10);
    }
    assert!(world.escalated);
}

#[test]
fn back_off_grows_with_failures_in_a_row_and_resets_after_a_quiet_window() {
    let mut world = World::new(options(Strategy::OneForOne, 100), &ABC);
    let pause = |world: &mut World| {
        world.exit("a", Exit::Failed);
        let pause = world.due[0].0 - world.now;
        world.settle(10);
        pause.as_millis()
    };
    assert_eq!([pause(&mut world), pause(&mut world), pause(&mut world)], [10, 20, 40]);
    world.now += Duration::from_secs(11);
    assert_eq!(pause(&mut world), 10);
}

#[test]
fn removing_the_child_that_others_wait_for_releases_them() {
    let mut world = World::new(options(Strategy::RestForOne, 5), &ABC);
    world.exit("a", Exit::Failed);
    world.log();
    world.feed(Event::Removed { name: "a".to_owned() });
    assert_eq!(world.log(), "+b +c");
}

#[derive(Debug, Clone)]
enum Op {
    Add(usize, Restart),
    Exit(usize, Exit),
    Break(usize),
    Mend(usize),
    Remove(usize),
    Restart(usize),
    Settle(usize),
    Wait(u64),
}

fn op() -> impl proptest::strategy::Strategy<Value = Op> {
    let restart = prop_oneof![
        Just(Restart::Permanent),
        Just(Restart::Transient),
        Just(Restart::Temporary)
    ];
    let exit = prop_oneof![Just(Exit::Normal), Just(Exit::Failed)];
    prop_oneof![
        3 => (0..6usize, restart).prop_map(|(name, restart)| Op::Add(name, restart)),
        4 => (0..6usize, exit).prop_map(|(name, exit)| Op::Exit(name, exit)),
        1 => (0..6usize).prop_map(Op::Break),
        1 => (0..6usize).prop_map(Op::Mend),
        1 => (0..6usize).prop_map(Op::Remove),
        1 => (0..6usize).prop_map(Op::Restart),
        3 => (1..4usize).prop_map(Op::Settle),
        1 => (1..20_000u64).prop_map(Op::Wait),
    ]
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

proptest! {
    /// Whatever happens: nothing is started twice or stopped while down (checked in `World`), rest-for-one never
    /// runs a child above one that is down, the history is bounded, and once starts succeed everything that
    /// must run does.
    #[test]
    fn invariants(
        rest_for_one in any::<bool>(),
        max_restarts in 0..12u32,
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let strategy = if rest_for_one { Strategy::RestForOne } else { Strategy::OneForOne };
        let mut world = World::new(options(strategy, max_restarts), &[]);
        for op in ops {
            match op {
                Op::Add(name, restart) => {
                    let name = NAMES[name].to_owned();
                    // Whoever adds a child while an earlier one is down gets it started at once; that is not
                    // what is checked here.
                    if rest_for_one && world.down().is_some() {
                        continue;
                    }
                    if world.state.phase(&name).is_none_or(|phase| phase == Phase::Resting) {
                        world.feed(Event::Added { name, restart });
                    }
                }
                Op::Exit(name, exit) => world.exit(NAMES[name], exit),
                Op::Break(name) => { world.broken.insert(NAMES[name].to_owned()); }
                Op::Mend(name) => { world.broken.remove(NAMES[name]); }
                Op::Remove(name) => world.feed(Event::Removed { name: NAMES[name].to_owned() }),
                Op::Restart(name) => world.feed(Event::RestartAsked { name: NAMES[name].to_owned() }),
                Op::Settle(rounds) => world.settle(rounds),
                Op::Wait(millis) => world.now += Duration::from_millis(millis),
            }
            prop_assert!(world.state.restarts.len() <= max_restarts as usize + 1);
            if rest_for_one && !world.escalated {
                let above = world.down().map_or(&[][..], |down| &world.state.children[down..]);
                for child in above.iter().filter(|child| child.restart == Restart::Permanent) {
                    prop_assert!(!world.running.contains(&child.name), "{} runs above one that is down", child.name);
                }
            }
        }
        world.broken.clear();
        world.settle(200);
        if !world.escalated {
            for child in &world.state.children {
                prop_assert!(child.phase == Phase::Resting || world.running.contains(&child.name), "{child:?}");
            }
        }
    }
}
