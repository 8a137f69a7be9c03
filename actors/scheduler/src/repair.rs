//! Which replicas have lost their host for good, and where they go instead. Pure.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use crate::placement::Candidate;
use crate::state::{Command, ControlState};

/// Moves at once. Each one starts a Python process and ships a log; the rest follows at the next look.
const MAX_MOVES: usize = 8;

/// Commands that give every replica on a lost host a new home, as far as there are hosts without one of the same kernel.
/// The host with the fewest replicas comes first; ties by name.
pub(crate) fn repair(state: &ControlState, lost: &[NodeName], candidates: &[Candidate]) -> Vec<Command> {
    let mut placed: BTreeMap<NodeName, usize> = state
        .replicas_by_host()
        .into_iter()
        .map(|(host, replicas)| (host.clone(), replicas))
        .collect();
    let mut moves = Vec::new();
    for kernel in state.kernels.values() {
        let Some(gone) = kernel.replicas.iter().find(|placement| lost.contains(&placement.host)) else {
            continue;
        };
        let spare = candidates
            .iter()
            .filter(|candidate| candidate.gpus >= kernel.spec.gpus)
            .filter(|candidate| kernel.replicas.iter().all(|placement| placement.host != candidate.host))
            .min_by_key(|candidate| {
                (
                    placed.get(&candidate.host).copied().unwrap_or(0),
                    candidate.host.clone(),
                )
            });
        let Some(spare) = spare else { continue };
        *placed.entry(spare.host.clone()).or_default() += 1;
        moves.push(Command::ReplaceReplica {
            kernel: kernel.id,
            lost: gone.replica,
            host: spare.host.clone(),
        });
        if moves.len() == MAX_MOVES {
            break;
        }
    }
    moves
}

#[cfg(test)]
mod tests {
    use nbos_kernel::KernelId;
    use nbos_kernel::protocol::KernelSpec;

    use super::*;

    #[test]
    fn moves_to_a_host_without_a_replica() {
        let mut state = ControlState::default();
        let candidate = |name: &str| Candidate {
            host: NodeName::from(name),
            gpus: 4,
        };
        for name in ["h1", "h2", "h3", "h4"] {
            state.apply(Command::RegisterHost {
                host: NodeName::from(name),
                incarnation: 1,
                gpus: 4,
            });
        }
        let hosts = ["h1", "h2", "h3"].map(NodeName::from).to_vec();
        state.apply(Command::CreateKernel {
            id: KernelId::random(),
            spec: KernelSpec::default(),
            hosts,
            at_us: 0,
        });
        let lost = [NodeName::from("h2")];

        let nowhere = repair(&state, &lost, &[candidate("h1"), candidate("h3")]);
        assert!(nowhere.is_empty(), "no host is free: {nowhere:?}");

        let moves = repair(&state, &lost, &[candidate("h1"), candidate("h3"), candidate("h4")]);
        assert_eq!(moves.len(), 1);
        for command in moves {
            state.apply(command);
        }
        let kernel = state.kernels.values().next().expect("one kernel");
        let homes: Vec<&str> = kernel
            .replicas
            .iter()
            .map(|placement| placement.host.as_str())
            .collect();
        assert_eq!(homes, ["h1", "h4", "h3"]);
        assert_eq!(kernel.replicas[1].replica, 4, "a fresh id");
        assert!(
            repair(&state, &lost, &[candidate("h4")]).is_empty(),
            "nothing to do twice"
        );
    }
}
