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
            audit: false,
            defer_above: 64 << 20,
            store_within: 600,
            gpu_wait: 600,
        }
    }
}
