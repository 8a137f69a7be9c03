//! Both policies in a small cluster that does what they order.

use std::collections::{BTreeMap, BTreeSet};

use nbos_mesh::NodeName;
use proptest::prelude::*;

use super::*;
use crate::policy::{Host, LimitRule, Ratio, Standing, Want, place};

const GPUS: u32 = 4;
const REPLICAS: usize = 3;
const MAX_SUBSCRIPTION: Ratio = Ratio::from_millis(2_000);
const SECOND: Duration = Duration::from_secs(1);

fn bounds(min: u32, max: u32) -> Bounds {
    Bounds {
        min,
        max,
        replicas: 3,
        gpus: GPUS,
        start_within: Duration::from_secs(60),
    }
}

fn own(bounds: Bounds) -> Box<dyn Autoscale> {
    let options = OwnOptions {
        headroom: Ratio::from_millis(1_200),
        cool_down: Duration::from_secs(10),
        waits: Duration::from_secs(2),
    };
    Box::new(Own::new(bounds, options))
}

fn documented(bounds: Bounds) -> Box<dyn Autoscale> {
    Box::new(Documented::new(bounds))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Coming(u32),
    Up,
    Draining,
}

#[derive(Clone, Debug)]
struct Machine {
    stage: Stage,
    ordered: bool,
}

#[derive(Clone, Debug)]
struct Kernel {
    homes: Vec<NodeName>,
    /// Its cell wants a GPU, and has one where it says.
    cell: Option<Option<NodeName>>,
}

struct World {
    policy: Box<dyn Autoscale>,
    bounds: Bounds,
    now: Duration,
    machines: BTreeMap<NodeName, Machine>,
    kernels: Vec<Kernel>,
    /// Seconds that a host takes to start.
    start: u32,
    names: u32,
    orders: Vec<(Duration, Action)>,
    /// Kernels without a place.
    refused: u32,
}

impl World {
    fn new(policy: Box<dyn Autoscale>, bounds: Bounds, start: u32) -> Self {
        let mut world = Self {
            policy,
            bounds,
            now: Duration::from_secs(1_000),
            machines: BTreeMap::new(),
            kernels: Vec::new(),
            start,
            names: 0,
            orders: Vec::new(),
            refused: 0,
        };
        for number in 1..=3 {
            let (stage, ordered) = (Stage::Up, false);
            let host = NodeName::from(format!("h{number}"));
            world.machines.insert(host.clone(), Machine { stage, ordered });
            world.tell(Event::HostUp {
                host,
                gpus: GPUS,
                origin: Origin::Configured,
            });
        }
        world
    }

    fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.policy.step(self.now, event, &mut actions);
        for action in actions {
            self.orders.push((self.now, action.clone()));
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::AddHosts(count) => {
                assert!(count > 0, "an order of nothing");
                for _ in 0..count {
                    self.names += 1;
                    let host = NodeName::from(format!("auto-{}", self.names));
                    let (stage, ordered) = (Stage::Coming(self.start), true);
                    self.machines.insert(host.clone(), Machine { stage, ordered });
                    self.tell(Event::HostComing { host });
                }
                assert!(
                    self.machines.len() <= self.bounds.max as usize,
                    "more hosts than the maximum"
                );
            }
            Action::DrainHost(host) => {
                let machine = self.machines.get_mut(&host).expect("a host that is there");
                assert!(
                    machine.ordered && machine.stage == Stage::Up,
                    "{host} is not to be drained"
                );
                machine.stage = Stage::Draining;
                assert_eq!(self.leased(&host), 0, "a cell runs on {host}");
                let left = self.up().len();
                assert!(left >= self.bounds.min.max(3) as usize, "{left} hosts are left");
                self.tell(Event::HostDraining { host });
            }
            Action::RemoveHost(host) => {
                let machine = self.machines.remove(&host).expect("a host that is there");
                assert!(machine.ordered, "{host} is of the configuration");
                assert_ne!(machine.stage, Stage::Up, "{host} takes replicas");
                assert_eq!(self.replicas(&host), 0, "replicas on {host}");
                assert_eq!(self.leased(&host), 0, "a cell runs on {host}");
                self.tell(Event::HostDown { host });
            }
        }
    }

    fn up(&self) -> Vec<NodeName> {
        let up = self.machines.iter().filter(|(_, machine)| machine.stage == Stage::Up);
        up.map(|(host, _)| host.clone()).collect()
    }

    fn replicas(&self, host: &NodeName) -> u32 {
        self.kernels.iter().filter(|kernel| kernel.homes.contains(host)).count() as u32
    }

    fn leased(&self, host: &NodeName) -> u32 {
        let runs = |kernel: &&Kernel| kernel.cell == Some(Some(host.clone()));
        self.kernels.iter().filter(runs).count() as u32
    }

    fn free(&self, host: &NodeName) -> bool {
        self.leased(host) < GPUS
    }

    fn hosts(&self) -> Vec<Host> {
        let host = |(name, machine): (&NodeName, &Machine)| Host {
            name: name.clone(),
            standing: if machine.stage == Stage::Up {
                Standing::Up
            } else {
                Standing::Draining
            },
            gpus: GPUS,
            idle: GPUS - self.leased(name),
            vram: None,
            memory: None,
            wanted: u64::from(self.replicas(name)),
            claimed: 0,
            replicas: self.replicas(name),
            preferred: 0,
        };
        let there = self.machines.iter();
        there
            .filter(|(_, machine)| !matches!(machine.stage, Stage::Coming(_)))
            .map(host)
            .collect()
    }

    fn create(&mut self) {
        let want = Want {
            replicas: REPLICAS,
            gpus: 1,
            vram: 0,
            memory: 0,
        };
        match place(&self.hosts(), want, MAX_SUBSCRIPTION, LimitRule::Keep) {
            Ok(homes) => self.kernels.push(Kernel { homes, cell: None }),
            Err(refusal) => {
                self.refused += 1;
                let hosts = refusal.lacking() as u32;
                self.tell(Event::PlacementFailed { hosts, gpus: 1 });
            }
        }
    }

    /// Cells take what is free, at home or where a replica can move to.
    fn run_cells(&mut self) -> u32 {
        let mut waiting = 0;
        for number in 0..self.kernels.len() {
            if self.kernels[number].cell != Some(None) {
                continue;
            }
            let homes = self.kernels[number].homes.clone();
            if let Some(home) = homes.iter().find(|home| self.free(home)) {
                self.kernels[number].cell = Some(Some(home.clone()));
            } else if let Some(other) = self.up().into_iter().find(|host| self.free(host)) {
                self.kernels[number].homes[0] = other.clone();
                self.kernels[number].cell = Some(Some(other));
            } else {
                waiting += 1;
            }
        }
        waiting
    }

    fn second(&mut self) {
        self.now += SECOND;
        for host in self.machines.keys().cloned().collect::<Vec<_>>() {
            match self.machines[&host].stage {
                Stage::Coming(0) => {
                    self.machines.get_mut(&host).expect("it is there").stage = Stage::Up;
                    self.tell(Event::HostUp {
                        host,
                        gpus: GPUS,
                        origin: Origin::Ordered,
                    });
                }
                Stage::Coming(left) => {
                    self.machines.get_mut(&host).expect("it is there").stage = Stage::Coming(left - 1);
                }
                Stage::Draining => self.move_one(&host),
                Stage::Up => {}
            }
        }
        let waiting = self.run_cells();
        for host in self.machines.keys().cloned().collect::<Vec<_>>() {
            let now = HostNow {
                replicas: self.replicas(&host),
                wanted: u64::from(self.replicas(&host)),
                leased: self.leased(&host),
                ..HostNow::default()
            };
            self.tell(Event::Load { host, now });
        }
        if waiting > 0 {
            self.tell(Event::CellWaiting { gpus: waiting });
        }
        self.tell(Event::Tick {
            limit: MAX_SUBSCRIPTION,
        });
    }

    /// One replica a second leaves a host that drains, unless its cell runs there.
    fn move_one(&mut self, from: &NodeName) {
        let target = |kernel: &Kernel| self.up().into_iter().find(|host| !kernel.homes.contains(host));
        let moves = self.kernels.iter().enumerate().find_map(|(number, kernel)| {
            let slot = kernel.homes.iter().position(|home| home == from)?;
            let runs = kernel.cell == Some(Some(from.clone()));
            (!runs).then(|| Some((number, slot, target(kernel)?))).flatten()
        });
        if let Some((number, slot, to)) = moves {
            self.kernels[number].homes[slot] = to;
        }
    }

    fn seconds(&mut self, count: u32) {
        (0..count).for_each(|_| self.second());
    }

    fn orders_since(&self, since: Duration) -> Vec<Action> {
        let late = self.orders.iter().filter(|(at, _)| *at > since);
        late.map(|(_, action)| action.clone()).collect()
    }
}

/// What users do in one second.
#[derive(Clone, Debug)]
enum Users {
    Create,
    Run(usize),
    End(usize),
    Delete(usize),
    Nothing(u32),
}

fn users() -> impl Strategy<Value = Users> {
    prop_oneof![
        3 => Just(Users::Create),
        3 => (0_usize..40).prop_map(Users::Run),
        2 => (0_usize..40).prop_map(Users::End),
        1 => (0_usize..40).prop_map(Users::Delete),
        1 => (1_u32..30).prop_map(Users::Nothing),
    ]
}

fn play(world: &mut World, script: &[Users]) {
    for users in script {
        match users {
            Users::Create => world.create(),
            Users::Run(number) => {
                if let Some(kernel) = world.kernels.get_mut(*number) {
                    kernel.cell.get_or_insert(None);
                }
            }
            Users::End(number) => {
                if let Some(kernel) = world.kernels.get_mut(*number) {
                    kernel.cell = None;
                }
            }
            Users::Delete(number) if *number < world.kernels.len() => drop(world.kernels.remove(*number)),
            Users::Delete(_) => {}
            Users::Nothing(seconds) => world.seconds(*seconds),
        }
        world.second();
    }
}

proptest! {
    /// The world asserts the bounds at every order. When users leave everything as it is, the policy comes to rest.
    #[test]
    fn bounds_hold_and_constant_load_brings_rest(
        script in proptest::collection::vec(users(), 1..120),
        min in 1_u32..5,
        more in 0_u32..6,
        start in 0_u32..20,
        which in 0_usize..2,
    ) {
        let bounds = bounds(min, min.max(3) + more);
        let policy = [own, documented][which](bounds);
        let mut world = World::new(policy, bounds, start);
        play(&mut world, &script);
        world.seconds(600);
        let settled = world.now;
        let before: BTreeSet<NodeName> = world.machines.keys().cloned().collect();
        world.seconds(400);
        let orders = world.orders_since(settled);
        prop_assert!(orders.is_empty(), "it does not rest: {orders:?}");
        prop_assert!(world.machines.keys().cloned().collect::<BTreeSet<_>>() == before);
        prop_assert!(world.machines.len() >= min.max(3) as usize);
    }
}

#[test]
fn a_failed_placement_adds_what_is_missing_at_once() {
    let mut world = World::new(own(bounds(3, 8)), bounds(3, 8), 5);
    (0..24).for_each(|_| world.create());
    assert_eq!(world.refused, 1);
    assert_eq!(
        world.orders,
        [(world.now, Action::AddHosts(3))],
        "three replicas on three new hosts"
    );
    world.create();
    assert_eq!(world.orders.len(), 1, "those that come count");
    world.seconds(7);
    world.create();
    assert_eq!((world.refused, world.kernels.len()), (2, 24));
}

#[test]
fn cells_that_wait_bring_hosts_and_rest_takes_them_away() {
    let limits = bounds(3, 5);
    let mut world = World::new(own(limits), limits, 2);
    (0..18).for_each(|_| world.create());
    for kernel in &mut world.kernels {
        kernel.cell = Some(None);
    }
    world.seconds(2);
    assert!(world.orders.is_empty(), "cells may wait for a moment");
    world.seconds(8);
    assert_eq!(world.up().len(), 5, "eighteen cells of one GPU");
    assert_eq!(world.run_cells(), 0, "all run");
    world.seconds(60);
    assert_eq!(world.up().len(), 5, "they still run");
    for kernel in &mut world.kernels {
        kernel.cell = None;
    }
    world.seconds(5);
    assert_eq!(world.up().len(), 5, "not at once");
    world.seconds(100);
    assert_eq!(world.machines.len(), 3, "{:?}", world.orders);
    assert!(
        world
            .kernels
            .iter()
            .all(|kernel| kernel.homes.iter().collect::<BTreeSet<_>>().len() == 3)
    );
}

#[test]
fn a_host_that_is_missed_again_stays_longer() {
    let limits = bounds(3, 4);
    let mut world = World::new(own(limits), limits, 0);
    let mut stays = Vec::new();
    for _ in 0..3 {
        (0..13).for_each(|_| {
            world.kernels.push(Kernel {
                homes: world.up().into_iter().take(3).collect(),
                cell: Some(None),
            })
        });
        world.seconds(8);
        assert_eq!(world.up().len(), 4);
        world.kernels.clear();
        let idle = world.now;
        while world.machines.len() == 4 {
            world.second();
        }
        stays.push((world.now - idle).as_secs());
    }
    assert!(stays[1] >= stays[0] + 10 && stays[2] >= stays[1] + 20, "{stays:?}");
}

#[test]
fn the_documented_policy_follows_its_formulas() {
    let limits = bounds(1, 20);
    let mut world = World::new(documented(limits), limits, 0);
    world.seconds(16);
    assert_eq!(world.up().len(), 4, "minimum and buffer");
    (0..12).for_each(|number| {
        let homes: Vec<NodeName> = world.up().into_iter().cycle().skip(number % 4).take(3).collect();
        world.kernels.push(Kernel {
            homes,
            cell: Some(None),
        });
    });
    // ⌈12 · 1.05 / 4⌉ = 4 hosts.
    world.seconds(16);
    assert_eq!(world.up().len(), 4);
    (0..4).for_each(|_| {
        world.kernels.push(Kernel {
            homes: world.up().into_iter().take(3).collect(),
            cell: Some(None),
        })
    });
    // ⌈16 · 1.05 / 4⌉ = 5 hosts.
    world.seconds(16);
    assert_eq!(world.up().len(), 5);
}

#[test]
fn a_host_that_never_comes_is_given_up() {
    let limits = bounds(4, 5);
    let mut world = World::new(own(limits), limits, 1_000);
    world.seconds(59);
    assert_eq!(world.names, 1, "one to reach the minimum");
    world.seconds(4);
    assert_eq!(world.names, 2, "and another when it did not come: {:?}", world.orders);
    assert_eq!(world.machines.len(), 4);
}

#[test]
fn a_host_that_is_lost_is_replaced_until_it_is_back() {
    let limits = bounds(3, 4);
    let mut world = World::new(own(limits), limits, 0);
    world.second();
    let host = NodeName::from("h3");
    world.machines.get_mut(&host).expect("it is there").stage = Stage::Draining;
    world.tell(Event::HostDraining { host: host.clone() });
    world.seconds(5);
    assert_eq!(world.up().len(), 3, "{:?}", world.orders);
    world.machines.get_mut(&host).expect("it is there").stage = Stage::Up;
    world.tell(Event::HostUp {
        host,
        gpus: GPUS,
        origin: Origin::Configured,
    });
    world.seconds(30);
    assert_eq!(world.machines.len(), 3, "{:?}", world.orders);
}

#[test]
fn a_new_host_that_would_not_help_is_not_added() {
    let limits = bounds(3, 8);
    for make in [own, documented] {
        let mut world = World::new(make(limits), limits, 0);
        world.tell(Event::PlacementFailed {
            hosts: 3,
            gpus: GPUS + 1,
        });
        assert!(world.orders.is_empty());
    }
}
