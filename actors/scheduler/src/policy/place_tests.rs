use std::collections::BTreeSet;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use proptest::prelude::*;

use super::*;
use crate::load::HostLoad;
use crate::state::{Command, ControlState};

const GIB: u64 = 1 << 30;
const LIMIT: Ratio = Ratio::from_millis(7_000);

fn want(gpus: u32) -> Want {
    Want {
        replicas: 3,
        gpus,
        vram: 0,
        memory: 0,
    }
}

fn cluster(hosts: usize, gpus: u32) -> ControlState {
    let mut state = ControlState::default();
    for number in 0..hosts {
        state.apply(Command::RegisterHost {
            host: NodeName::from(format!("h{number}")),
            incarnation: 1,
            gpus,
        });
    }
    state
}

fn hosts(state: &ControlState) -> Vec<Host> {
    Host::all(state, &BTreeMap::new(), |_| Standing::Up)
}

fn create(state: &mut ControlState, hosts: Vec<NodeName>, gpus: u32, memory: u64) {
    state.apply(Command::CreateKernel {
        id: KernelId::random(),
        spec: KernelSpec {
            gpus,
            memory,
            ..KernelSpec::default()
        },
        hosts,
        at_us: 0,
    });
}

fn names(chosen: &[NodeName]) -> Vec<&str> {
    chosen.iter().map(NodeName::as_str).collect()
}

proptest! {
    /// Executors and replicas spread, whatever the kernels want.
    #[test]
    fn kernels_spread(count in 3_usize..9, kernels in 1_usize..40, gpus in 0_u32..3) {
        let mut state = cluster(count, 4);
        for _ in 0..kernels {
            let chosen = place(&hosts(&state), want(gpus), LIMIT, LimitRule::Ignore).expect("enough hosts");
            prop_assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), 3);
            create(&mut state, chosen, gpus, 0);
        }
        let all = hosts(&state);
        let spread = |of: fn(&Host) -> u32| {
            let most = all.iter().map(of).max().unwrap_or(0);
            most - all.iter().map(of).min().unwrap_or(0)
        };
        prop_assert!(spread(|host| host.replicas) <= 1 || gpus == 0, "{all:?}");
        // A host that a kernel does not need is nobody's executor for one round.
        prop_assert!(spread(|host| host.preferred) <= 1 + u32::from(gpus > 0), "{all:?}");
    }

    /// No host ever goes beyond the limit, and who is refused by it alone is placed without it.
    #[test]
    fn the_limit_holds(count in 3_usize..6, kernels in 1_usize..60, gpus in 1_u32..4, limit in 1_000_u64..7_000) {
        let limit = Ratio::from_millis(limit);
        let mut state = cluster(count, 4);
        for _ in 0..kernels {
            match place(&hosts(&state), want(gpus), limit, LimitRule::Keep) {
                Ok(chosen) => create(&mut state, chosen, gpus, 0),
                Err(refusal) => {
                    prop_assert!(refusal.by_limit_alone(), "{refusal}");
                    prop_assert_eq!(refusal.code(), "NB0620");
                    prop_assert!(place(&hosts(&state), want(gpus), limit, LimitRule::Ignore).is_ok());
                }
            }
            for host in hosts(&state) {
                prop_assert!(host.subscription(0, 3) < limit, "{host:?}");
            }
        }
    }
}

#[test]
fn a_full_limit_is_reached_by_one_replica_and_not_by_three() {
    // Twelve GPUs wanted of four, three replicas each: a ratio of 1.
    let mut state = cluster(3, 4);
    let all: Vec<NodeName> = state.hosts.keys().cloned().collect();
    create(&mut state, all, 11, 0);
    let three = want(1);
    assert!(place(&hosts(&state), three, Ratio::ONE, LimitRule::Keep).is_err());
    assert!(place(&hosts(&state), three, Ratio::from_millis(1_001), LimitRule::Keep).is_ok());
    let mut single = cluster(1, 4);
    create(&mut single, vec![NodeName::from("h0")], 3, 0);
    let one = Want { replicas: 1, ..three };
    assert!(place(&hosts(&single), one, Ratio::ONE, LimitRule::Keep).is_ok());
}

#[test]
fn idle_gpus_come_first() {
    let state = cluster(4, 4);
    let load = |free, waiting_gpus| HostLoad {
        gpus: 4,
        free,
        waiting_gpus,
        ..HostLoad::default()
    };
    let loads = BTreeMap::from([
        (NodeName::from("h0"), load(1, 0)),
        (NodeName::from("h1"), load(4, 4)),
        (NodeName::from("h2"), load(2, 0)),
        (NodeName::from("h3"), load(3, 0)),
    ]);
    let seen = Host::all(&state, &loads, |_| Standing::Up);
    let chosen = place(&seen, want(1), LIMIT, LimitRule::Keep).unwrap();
    assert_eq!(names(&chosen), ["h3", "h2", "h0"], "who waits at h1 was there before");
}

#[test]
fn memory_of_hosts_and_gpus_counts() {
    let mut state = cluster(4, 2);
    let load = |vram, memory| HostLoad {
        gpus: 2,
        free: 2,
        vram: vram * GIB,
        memory: memory * GIB,
        ..HostLoad::default()
    };
    let mut loads = BTreeMap::from([
        (NodeName::from("h0"), load(16, 64)),
        (NodeName::from("h1"), load(80, 64)),
        (NodeName::from("h2"), load(80, 64)),
    ]);
    let big = Want {
        vram: 40 * GIB,
        memory: 48 * GIB,
        ..want(1)
    };
    let seen = |state: &ControlState, loads: &BTreeMap<NodeName, HostLoad>| Host::all(state, loads, |_| Standing::Up);
    let chosen = place(&seen(&state, &loads), big, LIMIT, LimitRule::Keep).unwrap();
    assert_eq!(
        names(&chosen),
        ["h1", "h2", "h3"],
        "one that has not told limits nothing"
    );
    create(&mut state, chosen, 1, 48 * GIB);
    loads.insert(NodeName::from("h3"), load(80, 64));
    let refusal = place(&seen(&state, &loads), big, LIMIT, LimitRule::Ignore).unwrap_err();
    assert_eq!((refusal.code(), refusal.lacking()), ("NB0602", 3));
    assert_eq!(
        refusal.to_string(),
        "a kernel needs 3 hosts with 1 GPUs of 40.0 GiB and 48.0 GiB of memory each; 0 of 4 can take it now: \
         1 with too little memory on a GPU, 3 with too little memory left"
    );
    // Who wants no GPU does not care what they have.
    let plain = Want {
        vram: 400 * GIB,
        ..want(0)
    };
    assert!(place(&seen(&state, &loads), plain, LIMIT, LimitRule::Keep).is_ok());
}

#[test]
fn hosts_that_drain_take_nothing_and_those_away_complete_a_majority() {
    let state = cluster(4, 2);
    let standing = |name: &NodeName| match name.as_str() {
        "h0" => Standing::Draining,
        "h1" => Standing::Away,
        _ => Standing::Up,
    };
    let seen = Host::all(&state, &BTreeMap::new(), standing);
    let chosen = place(&seen, want(1), LIMIT, LimitRule::Keep).unwrap();
    assert_eq!(names(&chosen), ["h2", "h3", "h1"], "the one away comes last");
    let seen = Host::all(&state, &BTreeMap::new(), |name| match name.as_str() {
        "h2" => Standing::Away,
        _ => standing(name),
    });
    let refusal = place(&seen, want(1), LIMIT, LimitRule::Ignore).unwrap_err();
    assert_eq!(
        (refusal.hosts_with(Reason::Away), refusal.hosts_with(Reason::Draining)),
        (2, 1)
    );
    assert_eq!(refusal.code(), "NB0602");
}

#[test]
fn too_few_or_too_small_hosts() {
    let refused = |count, gpus| place(&hosts(&cluster(count, 4)), want(gpus), LIMIT, LimitRule::Keep).unwrap_err();
    assert_eq!(refused(2, 0).lacking(), 1);
    assert_eq!(refused(3, 5).hosts_with(Reason::Gpus), 3);
    assert!(place(&hosts(&cluster(3, 4)), want(4), LIMIT, LimitRule::Keep).is_ok());
}
