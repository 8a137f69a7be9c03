//! Where a kernel's replicas go. Pure: integers, ordered collections, ties by name.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use crate::state::ControlState;

/// A host that may take a replica now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub host: NodeName,
    pub gpus: u32,
}

/// Chooses `replicas` distinct hosts, the first of them the preferred executor; `None` when there are too few.
///
/// A host qualifies if it has as many GPUs as a cell needs. Hosts that are the preferred executor of fewer kernels come first,
/// then those with fewer replicas, then by name: executors spread before standbys do, since executors run cells.
pub fn place(state: &ControlState, candidates: &[Candidate], replicas: usize, gpus: u32) -> Option<Vec<NodeName>> {
    let placed = state.replicas_by_host();
    let mut preferred: BTreeMap<&NodeName, usize> = BTreeMap::new();
    for first in state.kernels.values().filter_map(|kernel| kernel.replicas.first()) {
        *preferred.entry(&first.host).or_default() += 1;
    }
    let mut ranked: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.gpus >= gpus).collect();
    ranked.sort_by_key(|candidate| {
        let host = &candidate.host;
        (
            preferred.get(host).copied().unwrap_or(0),
            placed.get(host).copied().unwrap_or(0),
            host.clone(),
        )
    });
    ranked.dedup_by(|a, b| a.host == b.host);
    (ranked.len() >= replicas).then(|| {
        ranked
            .into_iter()
            .take(replicas)
            .map(|candidate| candidate.host.clone())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nbos_kernel::KernelId;
    use nbos_kernel::protocol::KernelSpec;
    use proptest::prelude::*;

    use super::*;
    use crate::state::Command;

    fn cluster(hosts: usize) -> (ControlState, Vec<Candidate>) {
        let mut state = ControlState::default();
        let candidates: Vec<Candidate> = (0..hosts)
            .map(|number| Candidate {
                host: NodeName::from(format!("h{number}")),
                gpus: 4,
            })
            .collect();
        for candidate in &candidates {
            state.apply(Command::RegisterHost {
                host: candidate.host.clone(),
                incarnation: 1,
                gpus: candidate.gpus,
            });
        }
        (state, candidates)
    }

    proptest! {
        #[test]
        fn kernels_spread(hosts in 3_usize..9, kernels in 1_usize..40) {
            let (mut state, candidates) = cluster(hosts);
            for _ in 0..kernels {
                let chosen = place(&state, &candidates, 3, 1).expect("enough hosts");
                prop_assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), 3);
                state.apply(Command::CreateKernel { id: KernelId::random(), spec: KernelSpec::default(), hosts: chosen, at_us: 0 });
            }
            let mut executors: BTreeMap<NodeName, usize> = BTreeMap::new();
            for kernel in state.kernels.values() {
                *executors.entry(kernel.replicas[0].host.clone()).or_default() += 1;
            }
            let most = executors.values().max().copied().unwrap_or(0);
            prop_assert!(most <= kernels.div_ceil(hosts), "{executors:?}");
        }
    }

    #[test]
    fn too_few_or_too_small_hosts() {
        let (state, candidates) = cluster(2);
        assert_eq!(place(&state, &candidates, 3, 0), None);
        let (state, candidates) = cluster(3);
        assert_eq!(place(&state, &candidates, 3, 5), None);
        assert!(place(&state, &candidates, 3, 4).is_some());
    }
}
