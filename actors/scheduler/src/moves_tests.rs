//! Moves against a model of the kernel's group, with crashes between any two steps and commands that arrive twice or late.

use std::collections::{BTreeMap, BTreeSet};

use nbos_kernel::protocol::KernelSpec;
use proptest::prelude::*;

use super::*;
use crate::choice::Cluster;
use crate::load::HostLoad;
use crate::state::Command;
use crate::upkeep::{left, upkeep};

const HOSTS: usize = 5;

fn host(number: usize) -> NodeName {
    NodeName::from(format!("h{}", number % HOSTS))
}

/// What can happen.
#[derive(Clone, Debug)]
enum Event {
    Begin {
        slot: usize,
        to: usize,
    },
    /// Whoever leads carries out the next step of the move.
    Step,
    /// It changes the group's members and is lost before it can write that down.
    HalfStep,
    /// A cell of the old replica does not end in time, or somebody gives the move up.
    GiveUp,
    /// A command of the past arrives once more.
    Again(usize),
    Down(usize),
    Up,
    Drain(usize),
    Serve(usize),
    Look,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..3_usize, 0..HOSTS).prop_map(|(slot, to)| Event::Begin { slot, to }),
        8 => Just(Event::Step),
        3 => Just(Event::HalfStep),
        1 => Just(Event::GiveUp),
        2 => (0..1_000_usize).prop_map(Event::Again),
        2 => (0..HOSTS).prop_map(Event::Down),
        2 => Just(Event::Up),
        1 => (0..HOSTS).prop_map(Event::Drain),
        1 => (0..HOSTS).prop_map(Event::Serve),
        2 => Just(Event::Look),
    ]
}

struct World {
    state: ControlState,
    kernel: KernelId,
    /// Who votes in the kernel's group, and where.
    voters: BTreeMap<u64, NodeName>,
    down: Option<NodeName>,
    past: Vec<Command>,
}

impl World {
    fn new() -> Self {
        let mut state = ControlState::default();
        for number in 0..HOSTS {
            state.apply(Command::RegisterHost {
                host: host(number),
                incarnation: 1,
                gpus: 1,
            });
        }
        let kernel = KernelId::random();
        state.apply(Command::CreateKernel {
            id: kernel,
            spec: KernelSpec::default(),
            hosts: (0..3).map(host).collect(),
            at_us: 0,
        });
        let replicas = &state.kernels[&kernel].replicas;
        let voters = replicas
            .iter()
            .map(|placement| (placement.replica, placement.host.clone()));
        Self {
            voters: voters.collect(),
            state,
            kernel,
            down: None,
            past: Vec::new(),
        }
    }

    fn record(&self) -> &KernelRecord {
        &self.state.kernels[&self.kernel]
    }

    fn command(&mut self, command: Command) {
        self.past.push(command.clone());
        self.state.apply(command);
    }

    /// As the scheduler does: the group first, then the control state.
    fn next(&self) -> Option<(BTreeMap<u64, NodeName>, Step)> {
        let record = self.record();
        let moving = record.moving.as_ref()?;
        let named = |placement: &Placement| (placement.replica, placement.host.clone());
        let old: BTreeMap<u64, NodeName> = record.replicas.iter().map(named).collect();
        let mut new = old.clone();
        new.remove(&moving.from.replica);
        new.insert(moving.to.replica, moving.to.host.clone());
        let lost = self.down.as_ref() == Some(&moving.to.host);
        let undo = Step::Undo { why: "lost".to_owned() };
        Some(match moving.phase {
            Phase::Joining | Phase::Leaving if lost => (self.voters.clone(), undo),
            Phase::Joining => (self.voters.clone(), Step::Leave),
            Phase::Leaving => (new, Step::Finish),
            Phase::Undoing => (old, Step::Finish),
        })
    }

    fn happen(&mut self, event: Event) {
        let kernel = self.kernel;
        match event {
            Event::Begin { slot, to } => {
                let from = self.record().replicas[slot].replica;
                self.command(Command::BeginMove {
                    kernel,
                    from,
                    to: host(to),
                    why: Why::Asked,
                    at_us: 0,
                });
            }
            Event::Step | Event::HalfStep => {
                let Some((voters, step)) = self.next() else { return };
                self.voters = voters;
                if matches!(event, Event::Step) {
                    let replica = self.record().moving.as_ref().expect("it moves").to.replica;
                    self.command(Command::AdvanceMove { kernel, replica, step });
                }
            }
            Event::GiveUp => {
                if let Some(moving) = &self.record().moving {
                    let (replica, why) = (moving.to.replica, "late".to_owned());
                    let step = Step::Undo { why };
                    self.command(Command::AdvanceMove { kernel, replica, step });
                }
            }
            Event::Again(number) => {
                // What was meant for the group's members is not repeated: each change of those is a compare-and-set.
                let repeated = self.past.get(number % self.past.len().max(1)).cloned();
                let harmless = |command: &Command| !matches!(command, Command::AdvanceMove { step: Step::Finish, .. });
                if let Some(command) = repeated.filter(harmless) {
                    self.state.apply(command);
                }
            }
            Event::Down(number) => self.down = Some(host(number)),
            Event::Up => self.down = None,
            Event::Drain(number) => self.command(Command::SetDuty {
                host: host(number),
                duty: Duty::Draining,
            }),
            Event::Serve(number) => self.command(Command::SetDuty {
                host: host(number),
                duty: Duty::Serving,
            }),
            Event::Look => {
                for command in self.due() {
                    self.command(command);
                }
            }
        }
    }

    fn due(&self) -> Vec<Command> {
        let loads = BTreeMap::<NodeName, HostLoad>::new();
        let lost: BTreeSet<NodeName> = self.down.iter().cloned().collect();
        let up: BTreeSet<NodeName> = (0..HOSTS).map(host).filter(|host| !lost.contains(host)).collect();
        let cluster = Cluster {
            state: &self.state,
            loads: &loads,
            up: &up,
        };
        upkeep(&cluster, &lost, 0)
    }

    fn check(&self) {
        let record = self.record();
        assert_eq!(record.replicas.len(), 3);
        assert!(self.state.replicas_on_distinct_hosts());
        assert_eq!(self.voters.len(), 3, "never fewer voters");
        for (replica, host) in &self.voters {
            let placed = record
                .placements()
                .any(|placement| placement.replica == *replica && placement.host == *host);
            assert!(placed, "voter {replica} has been told to stop: {record:?}");
        }
        let live = self
            .voters
            .values()
            .filter(|host| self.down.as_ref() != Some(*host))
            .count();
        assert!(live >= 2, "one host lost, and no quorum: {:?}", self.voters);
        let membership = record.membership();
        for quorum in membership.quorums() {
            assert_eq!(quorum.len(), 3);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_kernel_keeps_its_quorum_through_every_move(events in proptest::collection::vec(event(), 1..80)) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
            world.check();
        }
        // Faults stop: what has begun ends, and nothing is left on a host that is lost or drained unless nobody can take it.
        world.down = None;
        for number in 0..HOSTS {
            world.happen(Event::Serve(number));
        }
        for _ in 0..40 {
            world.happen(Event::Step);
            world.happen(Event::Look);
            world.check();
        }
        let record = world.record();
        prop_assert!(record.moving.is_none(), "{record:?}");
        let homes: BTreeMap<u64, NodeName> = record.replicas.iter().map(|placement| (placement.replica, placement.host.clone())).collect();
        prop_assert_eq!(homes, world.voters, "the group is what the control state says");
    }
}

/// Moves until nothing is due.
fn settle(world: &mut World) -> usize {
    let mut moves = 0;
    for _ in 0..50 {
        world.happen(Event::Look);
        moves += usize::from(world.state.moves().any(|(_, moving)| moving.phase == Phase::Joining));
        world.happen(Event::Step);
        world.check();
    }
    moves
}

#[test]
fn a_lost_host_is_left_and_a_drained_one_too() {
    let mut world = World::new();
    world.happen(Event::Down(1));
    assert_eq!(settle(&mut world), 1);
    let homes = |world: &World| -> Vec<String> {
        let replicas = world.record().replicas.iter();
        replicas.map(|placement| placement.host.to_string()).collect()
    };
    assert_eq!(homes(&world), ["h0", "h3", "h2"], "it takes its place");
    world.happen(Event::Up);
    world.happen(Event::Drain(0));
    assert_eq!(settle(&mut world), 1);
    assert_eq!(homes(&world), ["h1", "h3", "h2"]);
    for number in 1..4 {
        world.happen(Event::Drain(number));
    }
    settle(&mut world);
    assert_eq!(
        homes(&world).iter().filter(|home| *home == "h4").count(),
        1,
        "one goes where there is room"
    );
    let loads = BTreeMap::new();
    let up = (0..HOSTS).map(host).collect();
    let cluster = Cluster {
        state: &world.state,
        loads: &loads,
        up: &up,
    };
    let stuck = homes(&world)
        .into_iter()
        .find(|home| home != "h4")
        .expect("three replicas");
    let why = left(&cluster, &NodeName::from(stuck.as_str()));
    let why = why.values().next().expect("one kernel");
    assert!(
        matches!(why, crate::upkeep::Left::Stays { code, .. } if code == "NB0612"),
        "{why:?}"
    );
}

#[test]
fn only_so_many_move_at_once_and_one_of_a_kernel() {
    let mut world = World::new();
    let begin = |kernel, from| Command::BeginMove {
        kernel,
        from,
        to: host(3),
        why: Why::Asked,
        at_us: 0,
    };
    let code = |outcome: Outcome| match outcome {
        Outcome::Refused { code, .. } => code,
        Outcome::Done | Outcome::Kernel(_) => "done".to_owned(),
    };
    let kernel = world.kernel;
    assert_eq!(code(world.state.apply(begin(kernel, 1))), "done");
    assert_eq!(code(world.state.apply(begin(kernel, 2))), "NB0611");
    for number in 1..=MAX_MOVES {
        let kernel = KernelId::random();
        let created = world.state.apply(Command::CreateKernel {
            id: kernel,
            spec: KernelSpec::default(),
            hosts: (0..3).map(host).collect(),
            at_us: 0,
        });
        let Outcome::Kernel(record) = created else {
            panic!("it is created");
        };
        let expected = if number < MAX_MOVES { "done" } else { "NB0613" };
        assert_eq!(
            code(world.state.apply(begin(kernel, record.replicas[0].replica))),
            expected
        );
    }
}
