//! Who the other nodes are: those of the configuration, and the hosts that scaling ordered since.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use nbos_mesh::{Mesh, NodeName};
use nbos_scheduler::{ControlHandle, ControlState};

/// Keeps the mesh's list of peers for as long as the control state changes.
pub(crate) async fn follow(mesh: Mesh, control: ControlHandle, configured: BTreeMap<NodeName, SocketAddr>) {
    let mut states = control.watch();
    let mut known = configured.clone();
    loop {
        let now = peers(&configured, &states.borrow_and_update());
        if now != known {
            tracing::info!(peers = now.len(), "peers changed");
            mesh.set_peers(now.clone());
            known = now;
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

fn peers(configured: &BTreeMap<NodeName, SocketAddr>, state: &ControlState) -> BTreeMap<NodeName, SocketAddr> {
    let scaled = state
        .scaled
        .hosts
        .iter()
        .map(|(host, record)| (host.clone(), record.mesh));
    // One that retires is spoken to until it has ended.
    configured.clone().into_iter().chain(scaled).collect()
}

#[cfg(test)]
mod tests {
    use nbos_scheduler::{Command, ScaleCommand};

    use super::*;

    #[test]
    fn ordered_hosts_are_peers_until_they_are_forgotten() {
        let first: SocketAddr = "127.0.0.1:7700".parse().unwrap();
        let configured = BTreeMap::from([(NodeName::from("h1"), "127.0.0.1:7601".parse().unwrap())]);
        let mut state = ControlState::default();
        let host = NodeName::from("auto-1");
        assert_eq!(peers(&configured, &state), configured);
        state.apply(Command::Scale(ScaleCommand::Order {
            count: 1,
            max: 9,
            first,
        }));
        assert_eq!(peers(&configured, &state).get(&host), Some(&first));
        state.apply(Command::Scale(ScaleCommand::Retire { host: host.clone() }));
        assert!(peers(&configured, &state).contains_key(&host));
        state.apply(Command::Scale(ScaleCommand::Forget { host }));
        assert_eq!(peers(&configured, &state), configured);
    }
}
