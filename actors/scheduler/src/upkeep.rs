//! Moves that nobody has to ask for: away from lost hosts, and away from those that are being drained. Pure.

use std::collections::{BTreeMap, BTreeSet};

use nbos_mesh::NodeName;

use crate::choice::{Cluster, Need, Refusal, Wish, choose};
use crate::moves::Why;
use crate::state::{Command, ControlState, Duty, KernelRecord};

/// Moves begun at a look; the rest follows at the next.
const MOST: usize = 8;

/// Commands that begin what is due now. What is lost comes first; a draining host gives up one replica after the other.
pub(crate) fn upkeep(cluster: &Cluster<'_>, lost: &BTreeSet<NodeName>, at_us: u64) -> Vec<Command> {
    let state = cluster.state;
    // Several at once: what was chosen counts for the next choice.
    let mut planned: ControlState = state.clone();
    let mut commands = Vec::new();
    let draining = |host: &NodeName| state.hosts.get(host).is_some_and(|host| host.duty == Duty::Draining);
    let mut emptying: BTreeSet<NodeName> = state
        .moves()
        .filter(|(_, moving)| moving.why == Why::Drain)
        .map(|(_, moving)| moving.from.host.clone())
        .collect();
    let is_lost = |host: &NodeName| lost.contains(host);
    for (why, due) in [
        (Why::Repair, &is_lost as &dyn Fn(&NodeName) -> bool),
        (Why::Drain, &draining),
    ] {
        for kernel in state.kernels.keys() {
            let Some(record) = planned.kernels.get(kernel).filter(|record| record.moving.is_none()) else {
                continue;
            };
            let Some(from) = record.replicas.iter().find(|placement| due(&placement.host)) else {
                continue;
            };
            let from = from.host.clone();
            if why == Why::Drain && !emptying.insert(from.clone()) {
                continue;
            }
            let now = Cluster {
                state: &planned,
                ..*cluster
            };
            let Ok((replica, to)) = choose(&now, record, &away_from(record, from.clone())) else {
                emptying.remove(&from);
                continue;
            };
            let command = Command::BeginMove {
                kernel: *kernel,
                from: replica,
                to,
                why,
                at_us,
            };
            planned.apply(command.clone());
            commands.push(command);
            if commands.len() == MOST {
                return commands;
            }
        }
    }
    commands
}

/// What is still on a draining host, and how it stands with it.
pub(crate) fn left(cluster: &Cluster<'_>, host: &NodeName) -> BTreeMap<nbos_kernel::KernelId, Left> {
    let kernels = cluster.state.kernels.values();
    let here = kernels.filter(|kernel| kernel.placements().any(|placement| placement.host == *host));
    here.map(|kernel| {
        let left = match &kernel.moving {
            Some(moving) => Left::Moving(moving.phase),
            None => match choose(cluster, kernel, &away_from(kernel, host.clone())) {
                Ok(_) => Left::Waits,
                Err(Refusal { code, message }) => Left::Stays {
                    code: code.to_owned(),
                    message,
                },
            },
        };
        (kernel.id, left)
    })
    .collect()
}

/// A replica on a draining host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Left {
    /// A replica of its kernel, this one or another, is on its way.
    Moving(crate::moves::Phase),
    /// It is to be next.
    Waits,
    /// Nobody can take it now.
    Stays { code: String, message: String },
}

fn away_from(kernel: &KernelRecord, host: NodeName) -> Wish {
    Wish {
        from: Some(host),
        need: Need::of(kernel),
        ..Wish::default()
    }
}
