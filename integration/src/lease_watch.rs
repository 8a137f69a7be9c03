//! Looks at all leases of a cluster twenty times a second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nbos::client::Client;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::lease_oracle::{LeaseOracle, Look, Use};
use crate::sample::Sample;

/// How often.
const EVERY: Duration = Duration::from_millis(50);

/// Looks under way at once: a gateway that hangs answers none.
const MAX_OPEN: usize = 64;

/// A look that takes longer says little about one moment. Gateways wait half a second for a host that hangs.
const QUICK: Duration = Duration::from_millis(400);

/// Findings that are kept.
const MAX_FINDINGS: usize = 20;

/// A running watch; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct LeaseWatch {
    began: Instant,
    shared: Arc<Shared>,
    clients: Vec<Client>,
    tasks: Vec<JoinHandle<()>>,
}

/// What it has seen.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Answered quickly.
    pub looks: usize,
    /// From one of them to the next.
    pub gaps: Sample,
    /// Looks that were slow, or failed, because a host hung or was down.
    pub missed: usize,
    pub most_leased: usize,
    pub findings: Vec<String>,
}

#[derive(Debug, Default)]
struct Shared {
    users: Mutex<BTreeMap<String, Use>>,
    watched: Mutex<Watched>,
    /// Kernels with a lease at the last look.
    holders: Mutex<BTreeSet<String>>,
}

impl LeaseWatch {
    /// Through all gateways in turn.
    pub(crate) fn start(cluster: &Cluster, gpus_per_host: usize, gpus_per_cell: usize) -> Self {
        let clients: Vec<Client> = cluster.nodes().map(|node| cluster.client_of(node.name())).collect();
        let (began, shared) = (Instant::now(), Arc::new(Shared::default()));
        let (found, looks) = mpsc::channel(MAX_OPEN);
        let oracle = LeaseOracle::new(gpus_per_host, gpus_per_cell);
        let tasks = vec![
            tokio::spawn(look_around(clients.clone(), began, Arc::clone(&shared), found)),
            tokio::spawn(judge(oracle, Arc::clone(&shared), looks)),
        ];
        Self {
            began,
            shared,
            clients,
            tasks,
        }
    }

    /// A kernel sends a cell.
    pub(crate) fn begins(&self, kernel: &str) {
        locked(&self.shared.users).insert(kernel.to_owned(), Use::Busy);
    }

    /// Its cell is answered.
    pub(crate) fn ends(&self, kernel: &str) {
        let at = self.began.elapsed();
        locked(&self.shared.users).insert(kernel.to_owned(), Use::Idle(at));
    }

    /// It is deleted.
    pub(crate) fn gone(&self, kernel: &str) {
        let at = self.began.elapsed();
        locked(&self.shared.users).insert(kernel.to_owned(), Use::Gone(at));
    }

    pub(crate) fn watched(&self) -> Watched {
        locked(&self.shared.watched).clone()
    }

    /// Since it began, for those who tell what they do.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether a kernel had a GPU at the last look.
    pub(crate) fn holds_gpu(&self, kernel: &str) -> bool {
        locked(&self.shared.holders).contains(kernel)
    }

    /// Whether no device of these hosts is lent now.
    pub(crate) async fn all_free(&self) -> bool {
        let Some(client) = self.clients.first() else {
            return false;
        };
        match client.admin("hosts").await {
            Ok(hosts) => Look::parse(self.began.elapsed(), &hosts).all_free(),
            Err(_) => false,
        }
    }
}

impl Drop for LeaseWatch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// One look every 50 ms, whatever has become of those before.
async fn look_around(clients: Vec<Client>, began: Instant, shared: Arc<Shared>, found: mpsc::Sender<Look>) {
    let open = Arc::new(Semaphore::new(MAX_OPEN));
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for client in clients.iter().cycle() {
        ticks.tick().await;
        let Ok(slot) = Arc::clone(&open).try_acquire_owned() else {
            locked(&shared.watched).missed += 1;
            continue;
        };
        let (client, shared, found) = (client.clone(), Arc::clone(&shared), found.clone());
        tokio::spawn(async move {
            let at = began.elapsed();
            let hosts = client.admin("hosts").await;
            match hosts {
                Ok(hosts) if began.elapsed() < at + QUICK => {
                    let _ = found.send(Look::parse(at, &hosts)).await;
                }
                Ok(_) | Err(_) => locked(&shared.watched).missed += 1,
            }
            drop(slot);
        });
    }
}

async fn judge(mut oracle: LeaseOracle, shared: Arc<Shared>, mut looks: mpsc::Receiver<Look>) {
    let mut last: Option<Duration> = None;
    while let Some(look) = looks.recv().await {
        if last.is_some_and(|last| look.at < last) {
            // Overtaken by a later one.
            continue;
        }
        let wrong = oracle.see(&look, &locked(&shared.users));
        let leases = look.gpus.iter().filter_map(|gpu| gpu.lease.as_ref());
        *locked(&shared.holders) = leases.map(|lease| lease.holder.clone()).collect();
        let mut watched = locked(&shared.watched);
        watched.looks += 1;
        watched.most_leased = oracle.most_leased;
        if let Some(last) = last.replace(look.at) {
            watched.gaps.add(look.at - last);
        }
        for what in wrong {
            if watched.findings.len() < MAX_FINDINGS {
                watched.findings.push(format!("{:?}: {what}", look.at));
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
