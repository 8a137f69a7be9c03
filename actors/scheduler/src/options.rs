//! `[scheduler]` of `cluster.toml`.

use std::net::{Ipv4Addr, SocketAddr};

use nbos_gpu::GpuOptions;
use serde::{Deserialize, Serialize};

use crate::policy::Ratio;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Highest subscription of a host: the GPUs that the cells of its replicas want, over those that it has, over the replicas of a
    /// kernel.
    pub max_subscription: Ratio,
    /// Which policy says how many hosts there are.
    pub autoscale: Policy,
    /// Seconds for which everything must have fitted into fewer hosts before one is drained. Policy `own` alone.
    pub cool_down: u64,
    /// Where more hosts come from.
    pub hosts: Hosts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Adds a host when one is missing, drains one when it is not missed.
    Own,
    /// The original system's formulas.
    Documented,
}

/// Who provides hosts beyond those of the configuration, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hosts {
    pub provider: Provider,
    /// Fewest and most hosts, those of the configuration included.
    pub min: u32,
    pub max: u32,
    /// Address of the first one on the mesh; the next ones get the ports that follow.
    pub mesh: SocketAddr,
    pub gpus: GpuOptions,
    /// Seconds that a host may take to come up before it is given up, and a command to end.
    pub within: u64,
    /// Commands of the provider `command`; `{name}` and `{mesh}` stand for the host's.
    pub start: Option<String>,
    pub stop: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    None,
    /// `nbos up` starts nodes on its machine.
    Process,
    /// The control nodes' leader runs a command.
    Command,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // The original system's `max-subscribed-ratio`.
            max_subscription: Ratio::from_millis(7_000),
            autoscale: Policy::Own,
            // Half of all cells follow the one before within 5 minutes (median inter-arrival time in the Adobe trace of June 2021).
            cool_down: 300,
            hosts: Hosts::default(),
        }
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            provider: Provider::None,
            min: 0,
            // The original system's `max_cluster_nodes`.
            max: 48,
            mesh: SocketAddr::from((Ipv4Addr::LOCALHOST, 7_700)),
            gpus: GpuOptions::Simulated(0),
            // Clouds give a virtual machine with GPUs in one to three minutes; twice that.
            within: 360,
            start: None,
            stop: None,
        }
    }
}
