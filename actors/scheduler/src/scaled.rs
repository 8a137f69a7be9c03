//! The hosts that scaling ordered, as the control group agrees on them. Pure.
//!
//! They are written down before anything is started and until everything has ended, so that whoever leads next goes on from there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use nbos_mesh::NodeName;
use serde::{Deserialize, Serialize};

use crate::state::{ControlState, Outcome, refused};

/// Begins the names of ordered hosts; no node of the configuration may be called so.
pub const NAME_PREFIX: &str = "auto-";

/// Hosts beyond those of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaledHosts {
    pub hosts: BTreeMap<NodeName, ScaledHost>,
    /// Number of the next host. Never used again: what an earlier one left on a disk is not the next one's.
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaledHost {
    /// Where other nodes reach it.
    pub mesh: SocketAddr,
    pub phase: HostPhase,
}

/// Where an ordered host stands. Whether it is up is not the control group's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostPhase {
    /// Somebody has to start it.
    Ordered,
    /// The command that starts it has ended well.
    Started,
    /// It holds nothing any more; somebody has to stop it.
    Retiring,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScaleCommand {
    /// Orders hosts, as far as there are then no more than `max` ordered ones. They get the ports from that of `first` on.
    Order { count: u32, max: u32, first: SocketAddr },
    /// It was started, at another address than planned if one is given.
    Started { host: NodeName, mesh: Option<SocketAddr> },
    /// Nothing may be placed on it any more; refused while something is.
    Retire { host: NodeName },
    /// It has ended.
    Forget { host: NodeName },
}

impl ControlState {
    pub(crate) fn scale(&mut self, command: ScaleCommand) -> Outcome {
        match command {
            ScaleCommand::Order { count, max, first } => {
                let ordered = u32::try_from(self.scaled.hosts.len()).unwrap_or(u32::MAX);
                let room = max.saturating_sub(ordered);
                if count.min(room) == 0 {
                    return refused("NB0621", format!("{max} hosts were added, the most that may be"));
                }
                for _ in 0..count.min(room) {
                    if !self.scaled.order(first) {
                        return refused("NB0621", format!("no port is left above {first}"));
                    }
                }
                Outcome::Done
            }
            ScaleCommand::Started { host, mesh } => match self.scaled.hosts.get_mut(&host) {
                Some(record) if record.phase != HostPhase::Retiring => {
                    record.phase = HostPhase::Started;
                    record.mesh = mesh.unwrap_or(record.mesh);
                    Outcome::Done
                }
                Some(_) | None => not_ordered(&host),
            },
            ScaleCommand::Retire { host } => {
                let placed = self.replicas_by_host().get(&host).copied().unwrap_or(0);
                if placed > 0 {
                    return refused("NB0622", format!("host {host} has {placed} replicas"));
                }
                let Some(record) = self.scaled.hosts.get_mut(&host) else {
                    return not_ordered(&host);
                };
                record.phase = HostPhase::Retiring;
                self.hosts.remove(&host);
                Outcome::Done
            }
            ScaleCommand::Forget { host } => match self.scaled.hosts.get(&host) {
                Some(record) if record.phase == HostPhase::Retiring => {
                    self.scaled.hosts.remove(&host);
                    Outcome::Done
                }
                Some(_) | None => not_ordered(&host),
            },
        }
    }
}

impl ScaledHosts {
    /// Whether it is on its way out: it may not register again.
    pub(crate) fn retires(&self, host: &NodeName) -> bool {
        self.hosts
            .get(host)
            .is_some_and(|record| record.phase == HostPhase::Retiring)
    }

    /// One more host, at the first port that none of the others has.
    fn order(&mut self, first: SocketAddr) -> bool {
        let taken: BTreeSet<SocketAddr> = self.hosts.values().map(|record| record.mesh).collect();
        let ports = first.port()..=u16::MAX;
        let mut addresses = ports.map(|port| SocketAddr::new(first.ip(), port));
        let Some(mesh) = addresses.find(|address| !taken.contains(address)) else {
            return false;
        };
        self.next += 1;
        let phase = HostPhase::Ordered;
        self.hosts.insert(
            NodeName::from(format!("{NAME_PREFIX}{}", self.next)),
            ScaledHost { mesh, phase },
        );
        true
    }
}

fn not_ordered(host: &NodeName) -> Outcome {
    refused("NB0623", format!("host {host} was not added by scaling"))
}

#[cfg(test)]
mod tests {
    use nbos_kernel::KernelId;
    use nbos_kernel::protocol::KernelSpec;

    use super::*;
    use crate::state::Command;

    fn order(state: &mut ControlState, count: u32, max: u32) -> Outcome {
        let first = "127.0.0.1:7700".parse().unwrap();
        state.apply(Command::Scale(ScaleCommand::Order { count, max, first }))
    }

    fn register(state: &mut ControlState, host: &str) -> Outcome {
        state.apply(Command::RegisterHost {
            host: NodeName::from(host),
            incarnation: 1,
            gpus: 4,
        })
    }

    fn code(outcome: Outcome) -> String {
        match outcome {
            Outcome::Refused { code, .. } => code,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn never_more_than_the_maximum_and_never_a_name_twice() {
        let mut state = ControlState::default();
        assert_eq!(order(&mut state, 9, 2), Outcome::Done);
        assert_eq!(code(order(&mut state, 1, 2)), "NB0621");
        let seen = |state: &ControlState| -> Vec<(String, u16)> {
            let hosts = state.scaled.hosts.iter();
            hosts
                .map(|(host, record)| (host.to_string(), record.mesh.port()))
                .collect()
        };
        assert_eq!(seen(&state), [("auto-1".to_owned(), 7700), ("auto-2".to_owned(), 7701)]);
        let host = NodeName::from("auto-1");
        state.apply(Command::Scale(ScaleCommand::Retire { host: host.clone() }));
        assert_eq!(code(order(&mut state, 1, 2)), "NB0621", "it has not ended yet");
        state.apply(Command::Scale(ScaleCommand::Forget { host }));
        order(&mut state, 1, 2);
        assert_eq!(seen(&state), [("auto-2".to_owned(), 7701), ("auto-3".to_owned(), 7700)]);
    }

    #[test]
    fn a_host_with_replicas_stays_and_one_that_goes_does_not_come_back() {
        let mut state = ControlState::default();
        for host in ["h1", "h2"] {
            register(&mut state, host);
        }
        order(&mut state, 1, 3);
        register(&mut state, "auto-1");
        let (id, host) = (KernelId::random(), NodeName::from("auto-1"));
        state.apply(Command::CreateKernel {
            id,
            spec: KernelSpec::default(),
            hosts: vec![NodeName::from("h1"), host.clone()],
            at_us: 0,
        });
        let retire = || Command::Scale(ScaleCommand::Retire { host: host.clone() });
        assert_eq!(code(state.apply(retire())), "NB0622");
        assert_eq!(
            code(state.apply(Command::Scale(ScaleCommand::Forget { host: host.clone() }))),
            "NB0623"
        );
        state.apply(Command::DeleteKernel { id });
        assert_eq!(state.apply(retire()), Outcome::Done);
        assert!(!state.hosts.contains_key(&host));
        assert_eq!(code(register(&mut state, "auto-1")), "NB0624");
        let configured = NodeName::from("h1");
        assert_eq!(
            code(state.apply(Command::Scale(ScaleCommand::Retire { host: configured }))),
            "NB0623"
        );
        assert!(state.hosts.contains_key(&NodeName::from("h1")));
    }

    #[test]
    fn a_command_may_say_where_the_host_is() {
        let mut state = ControlState::default();
        order(&mut state, 1, 3);
        let host = NodeName::from("auto-1");
        let mesh = "10.0.0.7:7601".parse().ok();
        state.apply(Command::Scale(ScaleCommand::Started {
            host: host.clone(),
            mesh,
        }));
        let record = state.scaled.hosts[&host];
        assert_eq!((record.phase, Some(record.mesh)), (HostPhase::Started, mesh));
    }
}
