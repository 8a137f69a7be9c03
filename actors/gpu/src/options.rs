//! The `[gpu]` table of `cluster.toml`, and the `gpus` entry of a node.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Most devices one host can have. The largest single machines hold 16 GPUs; the rest is room for simulations.
const MAX_DEVICES: u32 = 256;

/// `[gpu]`: how every host lends its GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Requests that wait for a host's GPUs; more are refused.
    pub max_waiting: usize,
    /// Of these, requests of one user.
    pub max_waiting_per_user: usize,
    /// How a session gives its GPU memory back between cells.
    pub release: ReleaseOption,
    /// Bytes that a session's process may keep on a real device between cells where it is neither suspended nor ended: its
    /// CUDA context, which nothing can move.
    pub context: u64,
    /// The CUDA driver's library, for tests and unusual installations. None: the system's `libcuda.so.1`.
    pub driver: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // A host carries some tens of replicas and each asks for one lease at a time.
            max_waiting: 256,
            // Half of it, so that one user alone cannot keep the others out.
            max_waiting_per_user: 128,
            release: ReleaseOption::default(),
            // A context of a framework is 0.3 to 0.6 GiB on data-centre cards, more with many kernels loaded.
            context: 1 << 30,
            driver: None,
        }
    }
}

/// How a session gives its GPU memory back between cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseOption {
    /// `Checkpoint` where the driver can, else `Offload`.
    #[default]
    Auto,
    /// The driver suspends the process; a driver that cannot is an error.
    Checkpoint,
    /// The process moves its tensors to host memory.
    Offload,
    /// The process ends, and another one loads the session.
    Respawn,
}

/// Which GPUs a host has: `{ simulated = 4 }` or `{ nvml = true }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub enum GpuOptions {
    /// That many devices that exist in memory only; 0 is a host without GPUs.
    Simulated(u32),
    /// What the NVIDIA driver finds.
    Nvml,
}

/// As written in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    simulated: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nvml: Option<bool>,
}

impl TryFrom<Table> for GpuOptions {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        match (table.simulated, table.nvml) {
            (Some(count), None | Some(false)) if count <= MAX_DEVICES => Ok(Self::Simulated(count)),
            (Some(count), None | Some(false)) => Err(format!(
                "gpus = {{ simulated = {count} }} is too many: at most {MAX_DEVICES}"
            )),
            (None, Some(true)) => Ok(Self::Nvml),
            (None, None | Some(false)) => Err("gpus needs `simulated = N` or `nvml = true`".to_owned()),
            (Some(_), Some(true)) => Err("gpus takes `simulated` or `nvml`, not both".to_owned()),
        }
    }
}

impl From<GpuOptions> for Table {
    fn from(options: GpuOptions) -> Self {
        match options {
            GpuOptions::Simulated(count) => Self {
                simulated: Some(count),
                nvml: None,
            },
            GpuOptions::Nvml => Self {
                simulated: None,
                nvml: Some(true),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Node {
        gpus: GpuOptions,
    }

    fn parse(text: &str) -> Result<GpuOptions, String> {
        toml::from_str::<Node>(text)
            .map(|node| node.gpus)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_the_documentation_shows() {
        assert_eq!(parse("gpus = { simulated = 4 }"), Ok(GpuOptions::Simulated(4)));
        assert_eq!(parse("gpus = { simulated = 0 }"), Ok(GpuOptions::Simulated(0)));
        assert_eq!(parse("gpus = { nvml = true }"), Ok(GpuOptions::Nvml));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, said) in [
            ("gpus = {}", "needs"),
            ("gpus = { nvml = false }", "needs"),
            ("gpus = { simulated = 2, nvml = true }", "not both"),
            ("gpus = { simulated = 100000 }", "at most 256"),
            ("gpus = { simulatd = 2 }", "unknown field"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for gpus in [GpuOptions::Simulated(3), GpuOptions::Nvml] {
            let text = toml::to_string(&Node { gpus }).expect("serializes");
            assert_eq!(parse(&text), Ok(gpus));
        }
    }
}
