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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            env: BTreeMap::new(),
            working_dir: None,
            starts_at_once: 2,
        }
    }
}
