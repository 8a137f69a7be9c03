//! The `[kernel]` table of `cluster.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How kernels are started on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Environment variables of every kernel; a kernel's own come on top.
    pub env: BTreeMap<String, String>,
    /// Directory in which kernels start that name none; without it, the node's own.
    pub working_dir: Option<PathBuf>,
    /// Python processes that import their libraries at once on a host; more would only slow each other down.
    pub starts_at_once: usize,
    /// Fork kernels off a process that has imported what they need; else each imports it itself.
    pub zygote: bool,
    /// Kernels started ahead.
    pub pool: PoolPolicy,
    /// Every cell's change is applied in a scratch process and compared with what the executor has; what differs is reported on
    /// the cell's stderr (NB0905) and pinned. Slow: for tests and for the doubtful.
    pub audit: bool,
    /// Co-variables with more bytes of raw memory than this go to a standby's Python process when a cell needs them, not as they
    /// change. 64 MiB apply in a tenth of a second.
    pub defer_above: u64,
    /// Seconds that a cell's end waits for a majority of hosts to store what it changed, full disks included. Ten minutes carry
    /// 60 GB over 1 Gbit/s; garbage is kept as long.
    pub store_within: u64,
    /// Seconds that a cell waits for GPUs that others use, at all hosts of its kernel at once.
    pub gpu_wait: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            env: BTreeMap::new(),
            working_dir: None,
            starts_at_once: 2,
            zygote: true,
            pool: PoolPolicy::Minimum { size: 1 },
            audit: false,
            defer_above: 64 << 20,
            store_within: 600,
            gpu_wait: 600,
        }
    }
}

/// How many kernels wait on a host for somebody to start one. Each takes some 25 MB and is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "lowercase", deny_unknown_fields)]
pub enum PoolPolicy {
    /// So many when the node starts; those that are taken are not replaced.
    Fixed { size: usize },
    /// So many always: one that is taken is replaced.
    Minimum { size: usize },
    /// As many as are wanted in the time that one takes to start (Little's law), `max` at most.
    Little { max: usize },
}
