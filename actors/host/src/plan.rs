//! What a host should run, by the control state. Pure.

use std::collections::BTreeMap;

use nbos_kernel::{Identity, KernelId, Member, Membership};
use nbos_mesh::NodeName;
use nbos_scheduler::{ControlState, KernelRecord, Placement};

/// A change to what runs here.
#[derive(Debug)]
pub(crate) enum Change {
    Start(Identity),
    /// Its replica was moved away or its kernel deleted: what it logged goes too.
    Stop {
        kernel: KernelId,
        replica: u64,
    },
    /// Other replicas of the kernel moved.
    Members {
        kernel: KernelId,
        membership: Membership,
    },
}

/// What runs here: replica and membership by kernel.
pub(crate) type Running = BTreeMap<KernelId, (u64, Membership)>;

/// The changes that make `running` what `state` wants on `host`: stops first.
pub(crate) fn plan(state: &ControlState, host: &NodeName, running: &Running) -> Vec<Change> {
    let mut changes = Vec::new();
    for (kernel, (replica, _)) in running {
        if placed_here(state.kernels.get(kernel), host) != Some(*replica) {
            changes.push(Change::Stop {
                kernel: *kernel,
                replica: *replica,
            });
        }
    }
    for record in state.kernels.values() {
        let Some(replica) = placed_here(Some(record), host) else {
            continue;
        };
        let membership = record.membership();
        match running.get(&record.id) {
            Some((running, known)) if *running == replica => {
                if *known != membership {
                    changes.push(Change::Members {
                        kernel: record.id,
                        membership,
                    });
                }
            }
            Some(_) | None => changes.push(Change::Start(Identity {
                kernel: record.id,
                replica,
                spec: record.spec.clone(),
                membership,
                founders: founders(record),
            })),
        }
    }
    changes
}

fn placed_here(record: Option<&KernelRecord>, host: &NodeName) -> Option<u64> {
    record?
        .placements()
        .find(|placement| placement.host == *host)
        .map(|placement| placement.replica)
}

/// Who may form the group. Nobody once a replica has moved: one that has been told to go, and whose process starts again before it has
/// heard of that, has lost its log and must not vote as if nothing had been.
fn founders(record: &KernelRecord) -> Vec<Member> {
    let first = record.moving.is_none() && record.replicas == record.founders;
    if first {
        to_members(&record.founders)
    } else {
        Vec::new()
    }
}

fn to_members(placements: &[Placement]) -> Vec<Member> {
    placements
        .iter()
        .map(|placement| Member {
            replica: placement.replica,
            host: placement.host.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use nbos_kernel::protocol::KernelSpec;
    use nbos_scheduler::{Command, Step, Why};

    use super::*;

    #[test]
    fn follows_the_control_state() {
        let host = NodeName::from("h1");
        let mut state = ControlState::default();
        for name in ["h1", "h2", "h3"] {
            state.apply(Command::RegisterHost {
                host: NodeName::from(name),
                incarnation: 1,
                gpus: 0,
            });
        }
        let id = KernelId::random();
        let hosts = ["h2", "h1", "h3"].map(NodeName::from).to_vec();
        state.apply(Command::CreateKernel {
            id,
            spec: KernelSpec::default(),
            hosts,
            at_us: 0,
        });

        let changes = plan(&state, &host, &Running::new());
        let [Change::Start(identity)] = changes.as_slice() else {
            panic!("one start: {changes:?}");
        };
        assert_eq!(identity.replica, 2);
        assert_eq!(identity.membership.members.len(), 3);
        assert_eq!(identity.founders, identity.membership.members);

        let running = Running::from([(id, (identity.replica, identity.membership.clone()))]);
        assert!(plan(&state, &host, &running).is_empty(), "nothing to do twice");

        state.apply(Command::RegisterHost {
            host: NodeName::from("h4"),
            incarnation: 1,
            gpus: 0,
        });
        state.apply(Command::BeginMove {
            kernel: id,
            from: 2,
            to: NodeName::from("h4"),
            why: Why::Asked,
            at_us: 0,
        });
        assert!(
            plan(&state, &host, &running).is_empty(),
            "it stays while the new one learns"
        );
        let there = plan(&state, &NodeName::from("h4"), &Running::new());
        let [Change::Start(new)] = there.as_slice() else {
            panic!("the new one starts: {there:?}");
        };
        assert_eq!(
            (new.replica, new.membership.members.len()),
            (4, 3),
            "and is no member yet"
        );
        assert!(new.founders.is_empty(), "it does not form the group");
        let step = |step| Command::AdvanceMove {
            kernel: id,
            replica: 4,
            step,
        };
        state.apply(step(Step::Leave));
        let changes = plan(&state, &host, &running);
        let [Change::Members { membership, .. }] = changes.as_slice() else {
            panic!("it is told to leave: {changes:?}");
        };
        let order: Vec<u64> = membership.members.iter().map(|member| member.replica).collect();
        assert_eq!(order, [1, 4, 3, 2], "the new one in its place, the old one last");
        let mut moved = state.clone();
        moved.apply(step(Step::Finish));
        let changes = plan(&moved, &host, &running);
        assert!(
            matches!(changes.as_slice(), [Change::Stop { replica: 2, .. }]),
            "{changes:?}"
        );

        state.apply(Command::DeleteKernel { id });
        let changes = plan(&state, &host, &running);
        assert!(
            matches!(changes.as_slice(), [Change::Stop { kernel, replica: 2 }] if *kernel == id),
            "{changes:?}"
        );
    }
}
