//! Three cores share one log under random schedules of crashes, lost proposals, suspicions and hand-overs.
//!
//! Each cell appends its own name to a list. Whatever happens: a cell that was acknowledged `ok` is in the list exactly once and
//! in order, a cell that was refused is not in it, and once faults stop the next cell runs. Repeat one schedule with
//! `NBOS_SEED=n cargo nextest run -p nbos-kernel schedules`.

mod world;

use world::World;

const SEEDS: u64 = 1_200;

#[test]
fn schedules() {
    let only = std::env::var("NBOS_SEED")
        .ok()
        .and_then(|seed| seed.parse::<u64>().ok());
    let seeds = only.map_or(0..SEEDS, |seed| seed..seed + 1);
    let mut acknowledged = 0;
    for seed in seeds {
        acknowledged += World::new(seed).run();
    }
    // A schedule without progress proves nothing.
    assert!(
        only.is_some() || acknowledged > SEEDS * 3,
        "only {acknowledged} cells were acknowledged"
    );
}
