//! Which hosts a kernel's replicas go to.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use super::host::{Host, Standing};
use super::ratio::Ratio;
use super::refusal::{Reason, Refusal};

/// What a kernel needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Replicas, each on another host.
    pub replicas: usize,
    /// GPUs of one cell; a host must have as many.
    pub gpus: u32,
    /// Bytes that each of these GPUs must have.
    pub vram: u64,
    /// Bytes of main memory that a replica is expected to need.
    pub memory: u64,
}

/// What the limit of subscription means for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitRule {
    /// Hosts beyond the limit take nothing.
    Keep,
    /// There are no more hosts to be had: better a crowded kernel than none.
    Ignore,
}

/// Chooses distinct hosts for all replicas, the first of them the preferred executor.
///
/// Hosts with the most idle GPUs come first, then those with the lowest subscription, then those that are the preferred executor of
/// fewer kernels, then those with fewer replicas, then by name. Hosts that are away complete a majority of hosts that are not; the
/// others never take a replica.
pub fn place(hosts: &[Host], want: Want, limit: Ratio, rule: LimitRule) -> Result<Vec<NodeName>, Refusal> {
    let mut fitting: Vec<&Host> = Vec::new();
    let mut away: Vec<&Host> = Vec::new();
    let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
    for host in hosts {
        match obstacle(host, want, limit, rule) {
            None => fitting.push(host),
            Some(reason) => {
                if reason == Reason::Away {
                    away.push(host);
                }
                *reasons.entry(reason).or_default() += 1;
            }
        }
    }
    let by_fitness = |host: &&Host| {
        (
            std::cmp::Reverse(host.idle),
            host.subscription(0, want.replicas),
            host.preferred,
            host.replicas,
            host.name.clone(),
        )
    };
    fitting.sort_by_cached_key(by_fitness);
    fitting.truncate(want.replicas);
    let missing = want.replicas - fitting.len();
    // With a majority the kernel can start at once.
    let completed = fitting.len() * 2 > want.replicas && away.len() >= missing;
    if missing > 0 && !completed {
        return Err(Refusal {
            want,
            limit,
            fitting: fitting.len(),
            reasons,
        });
    }
    // Among those chosen, executors spread: they are who runs cells.
    fitting.sort_by_cached_key(|host| {
        (
            std::cmp::Reverse(host.idle),
            host.preferred,
            host.replicas,
            host.name.clone(),
        )
    });
    away.sort_by_cached_key(by_fitness);
    let chosen = fitting.into_iter().chain(away.into_iter().take(missing));
    Ok(chosen.map(|host| host.name.clone()).collect())
}

/// What keeps a host from taking a replica; what never passes comes first.
fn obstacle(host: &Host, want: Want, limit: Ratio, rule: LimitRule) -> Option<Reason> {
    if host.gpus < want.gpus {
        return Some(Reason::Gpus);
    }
    if want.gpus > 0 && host.vram.is_some_and(|vram| vram < want.vram) {
        return Some(Reason::Vram);
    }
    if host
        .memory
        .is_some_and(|memory| host.claimed.saturating_add(want.memory) > memory)
        && want.memory > 0
    {
        return Some(Reason::Memory);
    }
    match host.standing {
        Standing::Draining => return Some(Reason::Draining),
        Standing::Away => return Some(Reason::Away),
        Standing::Up => {}
    }
    // Who wants no GPU subscribes to none.
    if rule == LimitRule::Keep && want.gpus > 0 {
        let then = host.subscription(want.gpus, want.replicas);
        // The original's two rules: a single replica may use up the limit, since no other host stands in for it.
        let beyond = if want.replicas > 1 { then >= limit } else { then > limit };
        if beyond {
            return Some(Reason::Limit);
        }
    }
    None
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
