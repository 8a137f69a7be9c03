//! The main job, measured beside jupyter_server on the same machine in the same run: `just bench`.
//!
//! Runs of the two alternate, so that both see the same noise. The client is an ordinary one: no TCP_QUICKACK.

mod jupyter;
mod report;
mod server;
mod work;

use std::time::Instant;

use nbos::client::Framing;
use nbos_integration::{Cluster, Sample, Seed, failover};

use crate::jupyter::Jupyter;
use crate::report::Report;
use crate::server::Server;

/// Fresh starts of each server.
const STARTS: usize = 3;
/// Fresh kernels of each server.
const KERNELS: usize = 7;
/// Rounds over all cells, framings and servers.
const ROUNDS: usize = 3;
/// Kernels that work at once.
const AT_ONCE: usize = 8;
/// Nodes killed while a user works.
const FAILOVERS: usize = 5;
/// Cells of such a user.
const CELLS: u64 = 100;

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
    let mut report = Report::new();
    step(began, "Python of jupyter_server");
    jupyter::prepare();
    // Makes the cluster's own, which must not count as its start.
    drop(Cluster::start().await);

    step(began, "time to ready");
    let (mut ours, mut theirs) = (Sample::default(), Sample::default());
    for _ in 0..STARTS {
        let at = Instant::now();
        let cluster = Cluster::start().await;
        ours.add(at.elapsed());
        drop(cluster);
        let at = Instant::now();
        let jupyter = Jupyter::start().await;
        theirs.add(at.elapsed());
        drop(jupyter);
    }
    report.row(
        "time to ready",
        "start of the program → a kernel can start (jupyter_server: `/api` answers)",
        &ours,
        &theirs,
    );

    let cluster = Cluster::start().await;
    let jupyter = Jupyter::start().await;
    let servers = [Server::of_cluster(&cluster), Server::of_jupyter(&jupyter)];
    step(began, "memory");
    let idle = servers.each_ref().map(|server| server.memory_kib());

    step(began, "kernel start");
    let mut starts = [work::Starts::default(), work::Starts::default()];
    for _ in 0..KERNELS {
        for (server, starts) in servers.iter().zip(&mut starts) {
            work::start(server, starts).await;
        }
    }
    report.starts(&starts);

    step(began, "round trips");
    round_trips(&servers, &mut report).await;

    step(began, "8 kernels at once");
    let mut rates = Vec::new();
    for server in &servers {
        rates.push(work::at_once(server, AT_ONCE, &idle[rates.len()]).await);
    }
    report.at_once(AT_ONCE, &rates);
    drop(jupyter);

    step(began, "fail-over");
    let mut seed = Seed::announced();
    let (mut answered, mut carried_on) = (Sample::default(), Sample::default());
    for _ in 0..FAILOVERS {
        let seen = failover(&cluster, CELLS, &mut seed).await;
        answered.add(seen.answered);
        carried_on.add(seen.carried_on);
    }
    report.failover(&answered, &carried_on);
    drop(cluster);
    step(began, "done");
    report.write(began.elapsed());
}

/// Both kinds of cell, in both framings, through both servers, in turns.
async fn round_trips(servers: &[Server; 2], report: &mut Report) {
    for (framing, name) in [(Framing::V1, "v1"), (Framing::Legacy, "JSON")] {
        for code in ["pass", "print(1)"] {
            let mut samples = [work::Trips::default(), work::Trips::default()];
            let mut kernels = Vec::new();
            for server in servers {
                kernels.push(work::warm_kernel(server, framing).await);
            }
            for _ in 0..ROUNDS {
                for (kernel, sample) in kernels.iter_mut().zip(&mut samples) {
                    work::round_trips(&mut kernel.1, code, sample).await;
                }
            }
            report.trips(code, name, &samples);
            for (server, kernel) in servers.iter().zip(kernels) {
                server.delete(&kernel.0).await;
            }
        }
    }
}

fn step(began: Instant, what: &str) {
    eprintln!("{:6.1} s  {what}", began.elapsed().as_secs_f64());
}
