//! Many users who want few GPUs, while processes are killed at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nbos::client::{Execute, StartOptions};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Kernel, Notebook};
use crate::cluster::Cluster;
use crate::gpu_witness::GpuWitness;
use crate::lease_watch::{LeaseWatch, Watched};
use crate::ledger::Ledger;
use crate::process::{is_alive, kill_9};
use crate::seed::Seed;
use crate::wait::{LONG, holds, within};

/// How long a cell holds its GPUs, in milliseconds.
const HOLDS: (u64, u64) = (5, 400);

/// Cells that every kernel must still end well when nothing fails any more.
const AFTERWARDS: u64 = 2;

/// What is left of a lease when nobody renews it (10 s), two looks of a driver at its device, and a loaded machine.
const FREE_WITHIN: Duration = Duration::from_secs(15);

/// Longest pause between two faults.
const PAUSE: Duration = Duration::from_millis(600);

/// Longest time that a node hangs: below, at and above what it takes to be suspected.
const HANGS: Duration = Duration::from_secs(3);

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct LeaseLoad {
    pub kernels: usize,
    /// `kill -9` of a node or of a Python process; other faults come on top.
    pub kills: usize,
    pub gpus_per_host: usize,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct LeaseFigures {
    pub nodes_killed: usize,
    pub pythons_killed: usize,
    pub nodes_frozen: usize,
    pub interrupts: usize,
    pub kernels_deleted: usize,
    pub cells_ok: usize,
    pub cells_cut: usize,
    /// Leases that nobody gave back: the ledger's own words. A node that hangs cannot.
    pub expired: Vec<String>,
    /// From the last fault until every kernel had gone on.
    pub all_went_on: Duration,
    /// From the last cell until every device was free.
    pub all_free: Duration,
    pub watched: Watched,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Python,
    Node,
    Freeze,
    Interrupt,
    Delete,
}

/// Python processes die most often, whole nodes least.
const FAULTS: [Fault; 10] = [
    Fault::Python,
    Fault::Python,
    Fault::Python,
    Fault::Python,
    Fault::Node,
    Fault::Node,
    Fault::Freeze,
    Fault::Interrupt,
    Fault::Interrupt,
    Fault::Delete,
];

/// What all take part in.
struct Stage<'a> {
    cluster: &'a Cluster,
    watch: Arc<LeaseWatch>,
    witness: GpuWitness,
    kernels: Vec<Kernel>,
}

/// One user at a notebook, and what was said of the cells.
struct User {
    kernel: Kernel,
    notebook: Notebook,
    ledger: Ledger,
    seed: Seed,
    /// Cells that ended well.
    done: Arc<AtomicU64>,
}

impl LeaseLoad {
    /// Runs it and checks: at no moment a lease too many, no device used by two, every acknowledged cell kept, everybody goes on when
    /// nothing fails any more, and at the end everything is free.
    pub async fn run(self, cluster: &Cluster, seed: &mut Seed) -> LeaseFigures {
        let watch = Arc::new(LeaseWatch::start(cluster, self.gpus_per_host, self.gpus_per_host));
        let witness = GpuWitness::new(cluster.path("witness"));
        let users = join_all((0..self.kernels).map(|number| {
            let mut seed = seed.fork();
            let (witness, watch) = (&witness, &watch);
            async move {
                // Three processes each: not all at once.
                tokio::time::sleep(Duration::from_millis(50) * number as u32).await;
                let host = format!("h{}", seed.between(1, 3));
                User::start(cluster, &host, witness, watch, seed).await
            }
        }))
        .await;
        let stage = Stage {
            cluster,
            watch,
            witness,
            kernels: users.iter().map(|user| user.kernel.clone()).collect(),
        };
        let done: Vec<_> = users.iter().map(|user| Arc::clone(&user.done)).collect();
        let (stop, stopped) = watch::channel(());
        let most = self.gpus_per_host as u64;
        let working: Vec<JoinHandle<User>> = users
            .into_iter()
            .map(|user| tokio::spawn(user.work(Arc::clone(&stage.watch), most, stopped.clone())))
            .collect();

        let mut figures = LeaseFigures::default();
        while figures.nodes_killed + figures.pythons_killed < self.kills {
            tokio::time::sleep(seed.up_to(PAUSE)).await;
            stage.strike(*seed.one_of(&FAULTS), seed, &mut figures).await;
            stage.check();
            assert!(!working.iter().any(JoinHandle::is_finished), "a user gave up");
        }
        stage.cluster.whole().await;
        let quiet = Instant::now();
        let before: Vec<u64> = done.iter().map(|done| done.load(Ordering::Relaxed)).collect();
        holds("every kernel goes on", LONG, async || {
            let mut counts = done.iter().zip(&before);
            counts.all(|(done, before)| done.load(Ordering::Relaxed) >= before + AFTERWARDS)
        })
        .await;
        figures.all_went_on = quiet.elapsed();
        drop((stop, stopped));
        let mut users = Vec::new();
        for user in working {
            users.push(
                within("the last cell ends", LONG, user)
                    .await
                    .expect("no user gives up"),
            );
        }
        let ended = Instant::now();
        holds("every device is free", FREE_WITHIN, async || {
            stage.watch.all_free().await
        })
        .await;
        figures.all_free = ended.elapsed();
        for mut user in users {
            user.ledger.check(&user.notebook.value("log").await);
            figures.cells_ok += user.ledger.acknowledged();
            figures.cells_cut += user.ledger.refused();
            user.kernel.settled().await;
        }
        stage.check();
        assert!(stage.witness.devices() > 0, "no cell ever had a GPU");
        for node in cluster.nodes() {
            let log = cluster.log(node.name());
            let lines = log.lines().filter(|line| line.contains("gpu lease expired"));
            figures
                .expired
                .extend(lines.map(|line| format!("{}: {line}", node.name())));
        }
        figures.watched = stage.watch.watched();
        figures
    }
}

impl Stage<'_> {
    async fn strike(&self, fault: Fault, seed: &mut Seed, figures: &mut LeaseFigures) {
        let kernel = seed.one_of(&self.kernels);
        let hosts: Vec<String> = self.cluster.nodes().map(|node| node.name().to_owned()).collect();
        let host = seed.one_of(&hosts);
        match fault {
            Fault::Python => {
                // Nobody answers for a kernel whose executor is just being replaced.
                let Ok(record) = self.cluster.client().cluster_kernel(&kernel.id).await else {
                    return;
                };
                let executor = record
                    .replicas
                    .iter()
                    .find(|replica| record.executor.as_ref() == Some(&replica.host));
                if let Some(pid) = executor.and_then(|replica| replica.pid)
                    && is_alive(pid)
                {
                    println!(
                        "{:?}: kill -9 of {}'s Python at {:?}",
                        self.watch.now(),
                        kernel.id,
                        record.executor
                    );
                    kill_9(pid);
                    figures.pythons_killed += 1;
                }
            }
            Fault::Node => {
                // One at a time: two of three are a cluster that stands still.
                self.cluster.whole().await;
                println!("{:?}: kill -9 of {host}", self.watch.now());
                let old = self.cluster.node(host).kill_9();
                self.cluster.node(host).restarted(old).await;
                figures.nodes_killed += 1;
            }
            Fault::Freeze => {
                self.cluster.whole().await;
                let time = seed.up_to(HANGS);
                println!("{:?}: {host} hangs for {time:?}", self.watch.now());
                let frozen = self.cluster.node(host).freeze().await;
                tokio::time::sleep(time).await;
                frozen.wake().await;
                figures.nodes_frozen += 1;
            }
            Fault::Interrupt => {
                println!("{:?}: interrupt of {}", self.watch.now(), kernel.id);
                // In mid-failover there may be nobody to tell.
                if self.cluster.client().interrupt(&kernel.id).await.is_ok() {
                    figures.interrupts += 1;
                }
            }
            Fault::Delete => {
                self.cluster.whole().await;
                self.delete_in_mid_cell(host).await;
                figures.kernels_deleted += 1;
            }
        }
    }

    /// A kernel more, which is deleted while its cell holds a GPU.
    async fn delete_in_mid_cell(&self, host: &str) {
        let kernel = start(self.cluster, host).await;
        println!("{:?}: {} is to be deleted in mid-cell", self.watch.now(), kernel.id);
        let mut notebook = kernel.notebook(self.cluster.client_first_at(host));
        self.watch.begins(&kernel.id);
        notebook.ok(&self.witness.definition()).await;
        let running = tokio::spawn(async move { notebook.run(&on_gpus(1, GpuWitness::cell(0, 1, 600_000))).await });
        holds("its cell has a GPU", LONG, async || self.watch.holds_gpu(&kernel.id)).await;
        kernel.delete().await;
        self.watch.gone(&kernel.id);
        running.abort();
    }

    fn check(&self) {
        let findings = self.watch.watched().findings;
        assert!(findings.is_empty(), "leases went wrong:\n{}", findings.join("\n"));
        let complaints = self.witness.complaints();
        assert!(
            complaints.is_empty(),
            "cells met on a device:\n{}",
            complaints.join("\n")
        );
    }
}

impl User {
    async fn start(cluster: &Cluster, host: &str, witness: &GpuWitness, watch: &LeaseWatch, seed: Seed) -> Self {
        let kernel = start(cluster, host).await;
        watch.ends(&kernel.id);
        let mut notebook = kernel.notebook(cluster.client_first_at(host));
        notebook.ok(&witness.definition()).await;
        Self {
            kernel,
            notebook,
            ledger: Ledger::default(),
            seed,
            done: Arc::default(),
        }
    }

    /// Runs cells until told to stop.
    async fn work(mut self, watch: Arc<LeaseWatch>, most_gpus: u64, stopped: watch::Receiver<()>) -> Self {
        let mut number = 0;
        while stopped.has_changed().is_ok() {
            let (gpus, millis) = (self.seed.between(1, most_gpus), self.seed.between(HOLDS.0, HOLDS.1));
            let cell = on_gpus(gpus, GpuWitness::cell(number, gpus as u32, millis));
            watch.begins(&self.kernel.id);
            let outcome = self.notebook.run(&cell).await;
            watch.ends(&self.kernel.id);
            self.ledger.record_under_fire(number, &outcome);
            if outcome.is_ok() {
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            number += 1;
        }
        self
    }
}

/// A new kernel, through this host first.
async fn start(cluster: &Cluster, host: &str) -> Kernel {
    let client = cluster.client_first_at(host);
    let started = within("a kernel starts", LONG, client.start_kernel(&StartOptions::default())).await;
    Kernel::new(client, started.unwrap_or_else(|error| panic!("no kernel: {error}")).id)
}

fn on_gpus(gpus: u64, code: String) -> Execute {
    let mut cell = Execute::new(code);
    cell.metadata = json!({"nbos": {"gpus": gpus}});
    cell
}
