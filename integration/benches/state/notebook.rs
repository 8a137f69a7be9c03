//! A user whose cells say when they have ended.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nbos::client::Execute;
use nbos_integration::{Cluster, Kernel, Notebook, memory_kib};

#[derive(Debug)]
pub(crate) struct Bench {
    kernel: Kernel,
    notebook: Notebook,
}

/// One cell, timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// From the end of the cell's code to its reply at the client.
    pub(crate) durable: Duration,
    /// Bytes over loopback from its request to its reply: everything that the machine sent, this client's own messages too.
    pub(crate) sent: u64,
}

/// Resident memory of the kernel's Python processes, KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) executor: u64,
    pub(crate) standbys: [u64; 2],
}

impl Bench {
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        let kernel = cluster.kernel().await;
        let notebook = kernel.notebook(cluster.client());
        Self { kernel, notebook }
    }

    pub(crate) async fn cell(&mut self, code: &str) {
        self.notebook.ok(code).await;
    }

    pub(crate) async fn timed(&mut self, code: &str) -> Seen {
        let code = format!("{code}\nprint(time.time_ns())");
        let (sent, at) = (loopback_bytes(), SystemTime::now());
        let outcome = self.notebook.run(&Execute::new(code)).await;
        let sent = loopback_bytes() - sent;
        assert!(outcome.is_ok(), "{:?}", outcome.error());
        let replied = (at + outcome.replied_after)
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let ended = outcome.stdout().trim().parse().expect("nanoseconds");
        Seen {
            durable: replied.saturating_sub(Duration::from_nanos(ended)),
            sent,
        }
    }

    /// Returns when the standbys have everything too.
    pub(crate) async fn settled(&self) {
        self.kernel.settled().await;
    }

    pub(crate) async fn memory(&self) -> Memory {
        let record = self.kernel.settled().await;
        let mut memory = Memory::default();
        let mut standbys = memory.standbys.iter_mut();
        for replica in &record.replicas {
            let kib = replica.pid.map_or(0, memory_kib);
            if Some(&replica.host) == record.executor.as_ref() {
                memory.executor = kib;
            } else if let Some(standby) = standbys.next() {
                *standby = kib;
            }
        }
        memory
    }
}

/// All that this machine has sent to itself.
pub(crate) fn loopback_bytes() -> u64 {
    let table = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = table.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
