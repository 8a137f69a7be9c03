//! A kernel from nothing to its first reply, from the warm pool, forked and started the ordinary way, beside jupyter_server, and what a
//! standby's Python process keeps for itself: `just bench-start`. Writes `docs/results/start.md`.
//!
//! All four run at once on this machine and start their kernels in turns, so that all see the same noise.

#[path = "../main_job/jupyter.rs"]
mod jupyter;
mod report;
mod way;

use std::time::Instant;

use crate::jupyter::Jupyter;
use crate::report::Report;
use crate::way::Way;

/// Kernels started each way.
const RUNS: usize = 15;

fn main() {
    // Cargo passes `--bench`; nothing else is understood.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let began = Instant::now();
    jupyter::prepare();
    let jupyter = Jupyter::start().await;
    let mut ways = [
        Way::cluster("warm pool", "pool = { policy = \"minimum\", size = 1 }").await,
        Way::cluster("zygote", "pool = { policy = \"minimum\", size = 0 }").await,
        Way::cluster("ordinary", "zygote = false\npool = { policy = \"minimum\", size = 0 }").await,
        Way::jupyter(&jupyter),
    ];
    for run in 1..=RUNS {
        for way in &mut ways {
            way.start().await;
        }
        eprintln!("{:6.1} s  run {run} of {RUNS}", began.elapsed().as_secs_f64());
    }
    let mut report = Report::new();
    for way in &ways {
        report.way(way);
    }
    report.write(began.elapsed());
}
