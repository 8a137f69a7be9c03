//! What keeping the state costs, on a real cluster of this machine: `just bench-state`. Writes `docs/results/state.md`.
//!
//! A plain copy over loopback runs in turns with the large arrays, so that both see the same noise; before each the
//! machine comes to rest.

mod copy;
mod hook;
mod notebook;
mod report;
mod rest;

use std::time::{Duration, Instant};

use nbos_integration::{Cluster, Sample, Shape};

use crate::notebook::{Bench, loopback_bytes};
use crate::report::Report;

/// Small cells whose way to the reply is timed.
const SMALL_CELLS: usize = 400;
/// Turns of a plain copy and a new array.
const TURNS: usize = 5;
/// Elements changed one by one.
const CHANGES: usize = 10;
/// Bytes of the large array.
const LARGE: u64 = 1 << 30;
/// Small cells of another kernel, quiet and while large arrays are on their way.
const BESIDE: usize = 400;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let Some(python) = hook::python() else {
        panic!("the Python environment of the tests is missing; .ci/python makes it");
    };
    let began = Instant::now();
    let mut report = Report::new();
    step(began, "the hook in one process");
    report.hook(&hook::measure(&python));

    let cluster = Cluster::shaped(Shape {
        interpreter: Some(python),
        ..Shape::default()
    })
    .await;
    step(began, "small cells");
    let mut small = Bench::start(&cluster).await;
    small.cell("import time; x = 0").await;
    let (mut durable, mut sent) = (Sample::default(), Vec::new());
    for _ in 0..SMALL_CELLS {
        let seen = small.timed("x += 1").await;
        durable.add(seen.durable);
        sent.push(seen.sent);
    }
    report.small(&durable, &mut sent);

    step(began, "small cells, large array at rest");
    let mut large = Bench::start(&cluster).await;
    large.cell("import time, numpy as np; x = 0").await;
    let before = large.memory().await;
    let (mut copies, mut arrays) = (Sample::default(), Sample::default());
    for turn in 0..TURNS {
        // Each is the first of the two as often as the other.
        for of_two in 0..2 {
            rest::everything().await;
            if (turn + of_two) % 2 == 0 {
                copies.add(copy::over_loopback(LARGE, &cluster.path("copy")).await);
            } else {
                arrays.add(large.timed(&with_memory_at_hand(&new_array(turn))).await.durable);
                large.settled().await;
            }
        }
    }
    rest::everything().await;
    report.new_array(&copies, &arrays, LARGE);
    let mut at_rest = Sample::default();
    for _ in 0..SMALL_CELLS / 2 {
        at_rest.add(large.timed("x += 1").await.durable);
    }
    report.at_rest(&durable, &at_rest);

    step(began, "one element changed");
    let (mut changed, mut sent) = (Sample::default(), Vec::new());
    for change in 0..CHANGES {
        let before = loopback_bytes();
        changed.add(
            large
                .timed(&format!("big[{}] += 1", change * 100_000_000))
                .await
                .durable,
        );
        // The reply needs one of the peers; the other's bytes count too.
        rest::connections().await;
        sent.push(loopback_bytes() - before);
    }
    report.changed(&changed, &mut sent);
    report.memory(before, large.memory().await);

    step(began, "another kernel beside large arrays");
    rest::everything().await;
    let mut quiet = Sample::default();
    for _ in 0..BESIDE {
        quiet.add(small.timed("x += 1").await.durable);
    }
    let mut beside = Sample::default();
    let work = async {
        let mut turn = TURNS;
        loop {
            large.timed(&new_array(turn)).await;
            turn += 1;
        }
    };
    let cells = async {
        for _ in 0..BESIDE {
            beside.add(small.timed("x += 1").await.durable);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = cells => {}
    }
    report.beside(&quiet, &beside);
    step(began, "done");
    report.write(began.elapsed());
}

/// Another one for each number, which nobody has yet.
fn new_array(number: usize) -> String {
    format!("big = np.random.default_rng({number}).integers(0, 255, {LARGE}, dtype=np.uint8)")
}

/// Another array that is gone at once leaves its memory for what comes after the cell.
fn with_memory_at_hand(code: &str) -> String {
    format!("{code}\nnp.ones({}, np.uint8).size", rest::TURN_BYTES)
}

fn step(began: Instant, what: &str) {
    eprintln!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
}
