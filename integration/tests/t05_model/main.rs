//! A model check of elections, leases, take-overs and moves of replicas: every order of everything within bounds.
//!
//! Who holds which GPU is decided by the real ledger (`nbos_gpu`), what the log agrees on by the real session (`nbos_kernel`), where
//! replicas live by the real control state (`nbos_scheduler`). Between them, `act.rs` follows `core/` and the replica's shell function by
//! function; the log is a total order that needs a majority of connected voters. The random schedules of `actors/kernel/src/core/tests`
//! run the core itself, without bounds but without all orders either.
//!
//! Two things are taken as given, as the product takes them: an executor without a quorum ends its cell before the time that a taker
//! over waits (`FENCE_SILENCE_US`, `TAKE_OVER_PAUSE_US`), and one that is heard again has read within that pause what was committed in
//! the meantime.

mod act;
mod bug;
mod cluster;
mod control;
mod properties;
mod world;

use std::time::{Duration, Instant};

use bug::Bug;
use cluster::Cluster;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use world::{Budget, REPLICAS, Replica, World};

/// Longest time for one model: it must have seen every state within its bounds by then.
const WITHIN: Duration = Duration::from_secs(200);

/// The same with larger bounds, in `just model`.
const WITHIN_LARGE: Duration = Duration::from_secs(3_600);

/// Steps that are looked at from each state of an undisturbed run, in all orders.
const STEPS: usize = 10;

fn is_large() -> bool {
    std::env::var_os("NBOS_MODEL").is_some()
}

/// So many steps, or as many as `just model` was asked for.
fn steps() -> usize {
    let asked = std::env::var("NBOS_MODEL").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(STEPS)
}

const NO_FAULTS: Budget = Budget {
    crashes: 0,
    cuts: 0,
    deaths: 0,
    moves: 0,
    repeats: 0,
    passes: 0,
    rounds: 1,
};

/// The preferred executor's host has no GPU at first.
fn one_kernel() -> Cluster {
    Cluster {
        hosts: REPLICAS,
        kernels: 1,
        cells: 2,
        taken: &[0],
        budget: NO_FAULTS,
        bug: Bug::None,
        from: Vec::new(),
    }
}

/// Every state of a run in which an election moves a cell, which ends well: from each of them, all that can happen with this budget.
fn around_an_election(budget: Budget) -> Cluster {
    let mut cluster = one_kernel();
    cluster.hosts += usize::from(budget.moves > 0);
    let enough = HasDiscoveries::AnyOf([properties::MOVED_AND_ENDED].into());
    let found = cluster
        .clone()
        .checker()
        .timeout(WITHIN)
        .finish_when(enough)
        .spawn_bfs()
        .join();
    let path = found.discovery(properties::MOVED_AND_ENDED);
    let path = path.expect("such a run exists");
    let with_budget = |mut world: World| {
        world.left = budget;
        world
    };
    cluster.from = path.into_states().into_iter().map(with_budget).collect();
    cluster.budget = budget;
    cluster
}

/// All that must be true is true in every state within so many steps. Gives how many states there are.
fn holds(what: &str, cluster: Cluster, steps: usize) -> impl Checker<Cluster> {
    let (began, within) = (Instant::now(), if is_large() { WITHIN_LARGE } else { WITHIN });
    let properties = cluster.properties();
    let checker = cluster.checker().threads(2).timeout(within).target_max_depth(steps);
    let checker = checker.spawn_bfs().join();
    println!(
        "{what}: {} states, {} of them different, depth {}, {:?}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        began.elapsed()
    );
    assert!(began.elapsed() < within, "{what}: not every state was seen");
    for property in properties.iter().filter(|it| it.expectation == Expectation::Always) {
        if let Some(path) = checker.discovery(property.name) {
            panic!("{what}: `{}` is broken by {:#?}", property.name, path.into_actions());
        }
    }
    checker
}

/// The checker finds what this bug breaks.
fn is_found(bug: Bug, property: &'static str, mut cluster: Cluster, steps: usize) {
    cluster.bug = bug;
    let enough = HasDiscoveries::AnyOf([property].into());
    let checker = cluster.checker().threads(2).timeout(WITHIN).target_max_depth(steps);
    let checker = checker.finish_when(enough).spawn_bfs().join();
    let path = checker.discovery(property);
    let path = path.unwrap_or_else(|| panic!("{bug:?} breaks nothing in {} states", checker.unique_state_count()));
    let actions = path.into_actions();
    println!("{bug:?} breaks `{property}` in {} steps: {actions:?}", actions.len());
}

#[test]
fn every_order_of_an_election_without_faults() {
    let mut cluster = one_kernel();
    cluster.cells = 1;
    let checker = holds("no faults", cluster, usize::MAX);
    checker.assert_any_discovery(properties::MOVED_AND_ENDED);
    checker.assert_any_discovery(properties::DONE_AND_FREE);
}

#[test]
fn a_crash_at_any_moment() {
    let budget = Budget {
        crashes: 1,
        ..NO_FAULTS
    };
    holds("a crash", around_an_election(budget), steps());
}

#[test]
fn a_cut_at_any_moment() {
    let budget = Budget { cuts: 1, ..NO_FAULTS };
    holds("a cut", around_an_election(budget), steps());
}

#[test]
fn a_move_at_any_moment() {
    let budget = Budget { moves: 1, ..NO_FAULTS };
    let checker = holds("a move", around_an_election(budget), steps());
    checker.assert_any_discovery(properties::REPLICA_MOVED);
}

#[test]
fn leases_that_end_and_entries_that_come_twice() {
    let budget = Budget {
        deaths: 1,
        passes: 1,
        repeats: 1,
        rounds: 2,
        ..NO_FAULTS
    };
    holds(
        "a process dies, time passes, an entry repeats",
        around_an_election(budget),
        steps(),
    );
}

#[test]
fn everything_at_once() {
    let budget = Budget {
        crashes: 1,
        cuts: 1,
        moves: 1,
        repeats: 1,
        passes: 1,
        ..NO_FAULTS
    };
    holds("a crash, a cut and a move", around_an_election(budget), steps() - 4);
}

#[test]
fn two_kernels_want_the_same_gpus() {
    let mut cluster = one_kernel();
    cluster.kernels = 2;
    cluster.cells = 1;
    cluster.taken = &[];
    holds("two kernels", cluster, steps() + 10);
}

/// As [`around_an_election`], from the moments in which a cell runs.
fn while_a_cell_runs(budget: Budget) -> Cluster {
    let mut cluster = around_an_election(budget);
    let runs = |world: &World| world.kernels[0].replicas.iter().flatten().any(Replica::runs);
    cluster.from.retain(runs);
    cluster
}

const CUT: Budget = Budget { cuts: 1, ..NO_FAULTS };

#[test]
fn a_loser_that_keeps_its_lease_is_found() {
    let property = "4: nobody keeps a lease for nothing";
    is_found(Bug::LoserKeepsItsLease, property, around_an_election(CUT), 10);
}

#[test]
fn an_executor_that_is_not_fenced_is_found() {
    is_found(Bug::NoFence, "3: one executor runs code", while_a_cell_runs(CUT), 16);
}

#[test]
fn a_successor_that_does_not_pause_is_found() {
    is_found(Bug::NoPause, "3: one executor runs code", while_a_cell_runs(CUT), 16);
}

#[test]
fn epochs_that_are_ignored_are_found() {
    let mut cluster = around_an_election(CUT);
    // The start of the next cell is what may come late.
    cluster.from.drain(..cluster.from.len() - 1);
    is_found(Bug::EpochsIgnored, "6: an old epoch changes nothing", cluster, 18);
}

#[test]
fn a_lost_lease_that_is_forgotten_is_found() {
    let property = "4: code runs on a lease of its own";
    let passes = Budget { passes: 1, ..NO_FAULTS };
    is_found(Bug::LostLeaseForgotten, property, around_an_election(passes), 12);
}

#[test]
fn an_old_replica_that_leaves_early_is_found() {
    let property = "5: what is committed is on a majority's disks";
    let moves = Budget {
        moves: 1,
        cuts: 1,
        ..NO_FAULTS
    };
    is_found(Bug::OldLeavesEarly, property, around_an_election(moves), 10);
}
