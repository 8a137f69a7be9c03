//! Three cores share one log under random schedules of crashes, lost proposals, suspicions and hand-overs.
//!
//! Each cell appends its own name to a list; some make or use a large value, make changes that only a full pass finds, pin a
//! variable or touch it. Whatever happens: a cell that was acknowledged `ok` is in the list exactly once and in order, a cell that
//! was refused is not in it, what a full pass found is never lost once committed and never comes out of order, every process holds
//! what the log says, no cell runs without the GPUs that it needs, none of them stays lent, no process
//! runs a cell after it left memory on a GPU (unless it is to stay, or something is pinned there), and once faults stop the next cell
//! runs. Repeat one schedule with
//! `NBOS_SEED=n cargo nextest run -p nbos-kernel schedules`,
//! and more of them with `NBOS_SEEDS=n`.

mod gpus;
mod python;
mod view;
mod world;

use world::{Counts, World};

const SEEDS: u64 = 1_200;

#[test]
fn schedules() {
    let only = std::env::var("NBOS_SEED")
        .ok()
        .and_then(|seed| seed.parse::<u64>().ok());
    let many = std::env::var("NBOS_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(SEEDS);
    let seeds = only.map_or(0..many, |seed| seed..seed + 1);
    let mut met = Counts::default();
    for seed in seeds {
        met += World::new(seed).run();
    }
    if only.is_some() {
        return;
    }
    println!("{met:?}");
    // A schedule without progress proves nothing, nor do schedules that never meet what they are for.
    assert!(met.acknowledged > SEEDS * 3, "too few cells: {met:?}");
    let rare = [
        met.scrubs,
        met.large,
        met.not_stored,
        met.needs,
        met.moved,
        met.touched,
        met.elected,
        met.without,
        met.respawned,
    ];
    assert!(rare.iter().all(|times| *times > SEEDS / 100), "too few: {met:?}");
}

#[test]
fn planned_hand_overs_lose_nothing() {
    let found: u64 = (0..SEEDS / 20).map(|seed| World::new(seed).run_gently()).sum();
    assert!(found > SEEDS / 20, "only {found} changes were there to be lost");
}
