//! A host as placement sees it.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use super::ratio::Ratio;
use crate::load::HostLoad;
use crate::state::ControlState;

/// Whether a host takes replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Up,
    /// Not seen now. One that restarts is back before a new kernel needs its third replica.
    Away,
    /// Its replicas are on their way elsewhere.
    Draining,
}

/// What a host has, and what is placed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: NodeName,
    pub standing: Standing,
    /// GPUs that it has.
    pub gpus: u32,
    /// GPUs that no cell holds or waits for.
    pub idle: u32,
    /// Bytes of its smallest GPU; `None` when it has not told yet.
    pub vram: Option<u64>,
    /// Bytes of main memory of the machine; `None` when it has not told yet.
    pub memory: Option<u64>,
    /// GPUs that the cells of the replicas here would want, all together.
    pub wanted: u64,
    /// Bytes of main memory that the replicas here are expected to need.
    pub claimed: u64,
    /// Replicas placed here.
    pub replicas: u32,
    /// Kernels whose preferred executor is here.
    pub preferred: u32,
}

impl Host {
    /// All registered hosts, by name. What a host has not reported yet (it registered just now) limits nothing.
    pub fn all(
        state: &ControlState,
        loads: &BTreeMap<NodeName, HostLoad>,
        standing: impl Fn(&NodeName) -> Standing,
    ) -> Vec<Self> {
        let mut hosts: BTreeMap<&NodeName, Self> = state
            .hosts
            .iter()
            .map(|(name, record)| {
                let load = loads.get(name);
                let idle = load.map_or(record.gpus, |load| load.free.saturating_sub(load.waiting_gpus));
                let told = |bytes: u64| (bytes > 0).then_some(bytes);
                let host = Self {
                    name: name.clone(),
                    standing: standing(name),
                    gpus: record.gpus,
                    idle,
                    vram: load.and_then(|load| told(load.vram)),
                    memory: load.and_then(|load| told(load.memory)),
                    wanted: 0,
                    claimed: 0,
                    replicas: 0,
                    preferred: 0,
                };
                (name, host)
            })
            .collect();
        for kernel in state.kernels.values() {
            let preferred = kernel.replicas.first();
            for placement in kernel.placements() {
                let Some(host) = hosts.get_mut(&placement.host) else {
                    continue;
                };
                host.wanted += u64::from(kernel.spec.gpus);
                host.claimed = host.claimed.saturating_add(kernel.spec.memory);
                host.replicas += 1;
                host.preferred += u32::from(preferred == Some(placement));
            }
        }
        hosts.into_values().collect()
    }

    /// Its subscription with `more` GPUs wanted on top.
    pub fn subscription(&self, more: u32, replicas: usize) -> Ratio {
        Ratio::subscription(self.wanted + u64::from(more), u64::from(self.gpus), replicas)
    }
}
