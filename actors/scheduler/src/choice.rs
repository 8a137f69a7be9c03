//! Which replica of a kernel goes where. Pure: integers, ordered collections, ties by name or id.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use nbos_mesh::NodeName;

use crate::load::HostLoad;
use crate::state::{ControlState, Duty, KernelRecord, Outcome, Placement, refused};

/// What is known of the cluster.
pub(crate) struct Cluster<'a> {
    pub(crate) state: &'a ControlState,
    /// As the hosts told it last; one that has not is taken for full.
    pub(crate) loads: &'a BTreeMap<NodeName, HostLoad>,
    /// Hosts that answer.
    pub(crate) up: &'a BTreeSet<NodeName>,
}

/// What somebody wants of a move.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) from: Option<NodeName>,
    pub(crate) to: Option<NodeName>,
    pub(crate) need: Need,
    pub(crate) when: When,
    /// Where cells run: not moved if another will do.
    pub(crate) executor: Option<NodeName>,
    /// Hosts of what cannot move: the same.
    pub(crate) pinned: BTreeSet<NodeName>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) gpus: u32,
    pub(crate) vram: u64,
    pub(crate) memory: u64,
}

impl Need {
    pub(crate) fn of(kernel: &KernelRecord) -> Self {
        let spec = &kernel.spec;
        Self {
            gpus: spec.gpus,
            vram: spec.vram,
            memory: spec.memory,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// The target must have what is needed, in use or not.
    #[default]
    Ever,
    /// It must have it free.
    Now,
}

/// Why nothing can be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        refused(refusal.code, refusal.message)
    }
}

/// The replica to move and the host that it goes to.
///
/// Dead replicas go first, then those that neither run the cells nor hold what is pinned, of these the one whose host has the longest line
/// for GPUs, or the fewest free GPUs for those who subscribed to it. The target is the host with the most free GPUs, then the one with
/// the fewest replicas.
pub(crate) fn choose(cluster: &Cluster<'_>, kernel: &KernelRecord, wish: &Wish) -> Result<(u64, NodeName), Refusal> {
    if kernel.moving.is_some() {
        return Err(Refusal {
            code: "NB0611",
            message: format!("a replica of kernel {} is moving already", kernel.id),
        });
    }
    Ok((replica(cluster, kernel, wish)?, target(cluster, kernel, wish)?))
}

fn replica(cluster: &Cluster<'_>, kernel: &KernelRecord, wish: &Wish) -> Result<u64, Refusal> {
    let subscribed = cluster.state.replicas_by_host();
    let rank = |placement: &&Placement| {
        let host = &placement.host;
        let load = cluster.loads.get(host).cloned().unwrap_or_default();
        let kept = wish.executor.as_ref() == Some(host) || wish.pinned.contains(host);
        let replicas = subscribed.get(host).copied().unwrap_or_default().max(1) as u64;
        (
            cluster.up.contains(host),
            kept,
            Reverse(load.waiting),
            u64::from(load.free) * 1_000 / replicas,
            placement.replica,
        )
    };
    let named = kernel.replicas.iter();
    let chosen = named
        .filter(|placement| wish.from.as_ref().is_none_or(|from| placement.host == *from))
        .min_by_key(rank);
    chosen.map(|placement| placement.replica).ok_or_else(|| Refusal {
        code: "NB0604",
        message: match &wish.from {
            Some(from) => format!("host {from} has no replica of kernel {}", kernel.id),
            None => format!("kernel {} has no replicas", kernel.id),
        },
    })
}

fn target(cluster: &Cluster<'_>, kernel: &KernelRecord, wish: &Wish) -> Result<NodeName, Refusal> {
    let subscribed = cluster.state.replicas_by_host();
    let rank = |host: &&NodeName| {
        let free = cluster.loads.get(*host).map_or(0, |load| load.free);
        let replicas = subscribed.get(*host).copied().unwrap_or_default();
        (Reverse(free), replicas, (*host).clone())
    };
    let named = cluster.state.hosts.keys();
    let named: Vec<&NodeName> = named
        .filter(|host| wish.to.as_ref().is_none_or(|to| *host == to))
        .collect();
    let mut reasons = Vec::new();
    let mut fit = Vec::new();
    for host in named {
        match objection(cluster, kernel, wish, host) {
            None => fit.push(host),
            Some(reason) => reasons.push(format!("{host} {reason}")),
        }
    }
    if let Some(to) = wish.to.as_ref().filter(|to| !cluster.state.hosts.contains_key(*to)) {
        reasons.push(format!("{to} is not registered"));
    }
    fit.into_iter().min_by_key(rank).cloned().ok_or_else(|| Refusal {
        code: "NB0612",
        message: format!(
            "no host can take a replica of kernel {}: {}",
            kernel.id,
            reasons.join(", ")
        ),
    })
}

/// Why a host cannot take a replica of a kernel.
fn objection(cluster: &Cluster<'_>, kernel: &KernelRecord, wish: &Wish, host: &NodeName) -> Option<String> {
    let record = cluster.state.hosts.get(host)?;
    let Need { gpus, vram, memory } = wish.need;
    if kernel.placements().any(|placement| placement.host == *host) {
        return Some("has one already".to_owned());
    }
    if !cluster.up.contains(host) {
        return Some("does not answer".to_owned());
    }
    if record.duty == Duty::Draining {
        return Some("is being drained".to_owned());
    }
    if record.gpus < gpus {
        return Some(format!("has {} GPUs of {gpus}", record.gpus));
    }
    let load = cluster.loads.get(host);
    if wish.when == When::Now {
        let (free, available) = load.map_or((0, 0), |load| (load.free, load.memory_available));
        if free < gpus {
            return Some(format!("has {free} free GPUs of {gpus}"));
        }
        if available < memory {
            return Some(format!("has {available} free bytes of memory of {memory}"));
        }
    }
    let load = load?;
    if gpus > 0 && load.vram < vram {
        return Some(format!("has GPUs of {} bytes of {vram}", load.vram));
    }
    (load.memory < memory).then(|| format!("has {} bytes of memory of {memory}", load.memory))
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
