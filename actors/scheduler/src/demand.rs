//! Which kernels cells wait for, and when a replica should follow the free GPUs. Pure.

use std::collections::BTreeMap;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::Relocate;
use nbos_mesh::NodeName;

use crate::choice::{Cluster, Need};
use crate::load::HostLoad;
use crate::state::KernelRecord;

/// A cell says every second or so that it waits. What was decided for it needs about as long to help.
const AGAIN_AFTER_US: u64 = 2_000_000;

/// A host's line that lasts so long is not a hiccup: a cell that hands its GPUs to the next takes milliseconds.
const LINE_FOR_US: u64 = 3_000_000;

/// Kernels that have waited in this time are likely to wait again: think times are minutes (notes on the original's traces).
const RECENT_US: u64 = 600_000_000;

/// What has been heard lately.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    waits: BTreeMap<KernelId, Waits>,
    /// Since when cells wait for GPUs of a host.
    lines: BTreeMap<NodeName, u64>,
    foresaw_us: u64,
}

#[derive(Debug)]
struct Waits {
    times: u64,
    last_us: u64,
    need: Need,
}

impl Demand {
    /// A cell waits. True when something should be tried for it now.
    pub(crate) fn hear(&mut self, relocate: &Relocate, kernel: &KernelRecord, now_us: u64) -> bool {
        let need = Need {
            gpus: relocate.gpus,
            vram: relocate.vram,
            memory: kernel.spec.memory,
        };
        let waits = self.waits.entry(relocate.kernel).or_insert(Waits {
            times: 0,
            last_us: 0,
            need,
        });
        waits.need = need;
        let due = now_us >= waits.last_us + AGAIN_AFTER_US;
        if due {
            waits.times += 1;
            waits.last_us = now_us;
        }
        due
    }

    pub(crate) fn need(&self, kernel: &KernelRecord) -> Need {
        self.waits
            .get(&kernel.id)
            .map_or_else(|| Need::of(kernel), |waits| waits.need)
    }

    /// Looks at the hosts' lines; gives the kernel whose replica should leave a host before its next cell waits there.
    ///
    /// Of the kernels with a replica at a host whose line has lasted, the one that has waited most often; ties by id.
    pub(crate) fn look(&mut self, cluster: &Cluster<'_>, now_us: u64) -> Option<(KernelId, NodeName)> {
        let state = cluster.state;
        let known = |kernel: &KernelId, waits: &mut Waits| {
            state.kernels.contains_key(kernel) && now_us < waits.last_us + RECENT_US
        };
        self.waits.retain(known);
        let waiting = |host: &NodeName| cluster.loads.get(host).is_some_and(|load| load.waiting > 0);
        self.lines.retain(|host, _| waiting(host));
        for host in state.hosts.keys().filter(|host| waiting(host)) {
            self.lines.entry(host.clone()).or_insert(now_us);
        }
        if now_us < self.foresaw_us + AGAIN_AFTER_US {
            return None;
        }
        let lasting = self.lines.iter().filter(|(_, since)| now_us >= **since + LINE_FOR_US);
        let found = lasting
            .flat_map(|(host, _)| self.waits.iter().map(move |(kernel, waits)| (host, kernel, waits)))
            .filter(|(host, kernel, waits)| {
                let record = &state.kernels[*kernel];
                let there = record.replicas.iter().any(|placement| placement.host == **host);
                there && record.moving.is_none() && !has_room(cluster.loads, record, waits.need)
            })
            .max_by_key(|(host, kernel, waits)| (waits.times, std::cmp::Reverse((*kernel, *host))));
        let (host, kernel, _) = found?;
        self.foresaw_us = now_us;
        Some((*kernel, host.clone()))
    }
}

/// One of the kernel's own hosts has what is needed free: nothing has to move.
pub(crate) fn has_room(loads: &BTreeMap<NodeName, HostLoad>, kernel: &KernelRecord, need: Need) -> bool {
    let free = |host: &NodeName| loads.get(host).is_some_and(|load| load.free >= need.gpus);
    kernel.replicas.iter().any(|placement| free(&placement.host))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nbos_kernel::protocol::KernelSpec;

    use super::*;
    use crate::state::{Command, ControlState};

    const SECOND: u64 = 1_000_000;

    fn host(number: usize) -> NodeName {
        NodeName::from(format!("h{number}"))
    }

    fn scene() -> (ControlState, BTreeMap<NodeName, HostLoad>, Vec<KernelId>) {
        let mut state = ControlState::default();
        for number in 1..=4 {
            state.apply(Command::RegisterHost {
                host: host(number),
                incarnation: 1,
                gpus: 1,
            });
        }
        for _ in 0..2 {
            state.apply(Command::CreateKernel {
                id: KernelId::random(),
                spec: KernelSpec::default(),
                hosts: (1..=3).map(host).collect(),
                at_us: 0,
            });
        }
        let loads = (1..=4).map(|number| (host(number), HostLoad::default())).collect();
        let kernels = state.kernels.keys().copied().collect();
        (state, loads, kernels)
    }

    fn relocate(kernel: KernelId) -> Relocate {
        Relocate {
            kernel,
            gpus: 1,
            vram: 0,
            waited_us: SECOND,
        }
    }

    #[test]
    fn a_kernel_is_not_moved_twice_for_one_wait() {
        let (state, _, kernels) = scene();
        let (mut demand, record) = (Demand::default(), &state.kernels[&kernels[0]]);
        let said: Vec<bool> = (10..14)
            .map(|second| demand.hear(&relocate(kernels[0]), record, second * SECOND))
            .collect();
        assert_eq!(said, [true, false, true, false]);
        assert_eq!(
            demand.need(record).gpus,
            1,
            "what the cell wants, not what the kernel says"
        );
    }

    #[test]
    fn a_lasting_line_makes_the_kernel_move_that_waited_most() {
        let (mut state, mut loads, kernels) = scene();
        let mut demand = Demand::default();
        for (kernel, times) in [(kernels[0], 1), (kernels[1], 3)] {
            for time in 1..=times {
                demand.hear(&relocate(kernel), &state.kernels[&kernel], 100 * time * SECOND);
            }
        }
        let up: BTreeSet<NodeName> = (1..=4).map(host).collect();
        let mut look = |state: &ControlState, loads: &BTreeMap<NodeName, HostLoad>, second: u64| {
            let cluster = Cluster { state, loads, up: &up };
            demand.look(&cluster, second * SECOND)
        };
        assert_eq!(look(&state, &loads, 400), None, "nobody waits");
        loads.insert(
            host(2),
            HostLoad {
                waiting: 1,
                ..HostLoad::default()
            },
        );
        assert_eq!(look(&state, &loads, 401), None, "not for long");
        let mut room = loads.clone();
        room.insert(
            host(3),
            HostLoad {
                free: 1,
                ..HostLoad::default()
            },
        );
        assert_eq!(look(&state, &room, 404), None, "they have a host with room");
        assert_eq!(look(&state, &loads, 405), Some((kernels[1], host(2))));
        assert_eq!(look(&state, &loads, 406), None, "one after the other");
        state.apply(Command::DeleteKernel { id: kernels[1] });
        assert_eq!(look(&state, &loads, 408), Some((kernels[0], host(2))));
        assert_eq!(look(&state, &loads, 2_000), None, "long ago");
    }
}
