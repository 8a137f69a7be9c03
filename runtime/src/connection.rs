//! `connection.json`: how other programs find a running cluster.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::config::ClusterConfig;
use crate::secrets::Secrets;
use crate::state_dir::{Error, StateDir, write_private};

/// The file's content. Written by `nbos up`, replaced in one step at every change, gone when it has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Every gateway; any of them will do.
    pub urls: Vec<String>,
    pub token: String,
    pub nodes: Vec<NodeEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEntry {
    pub name: String,
    /// The node's process, true again within 1 s of a restart.
    pub pid: u32,
    pub gateway: Option<String>,
    pub mesh: String,
}

impl Connection {
    /// A cluster none of whose nodes has started: every `pid` is 0.
    pub fn of(config: &ClusterConfig, secrets: &Secrets) -> Self {
        let nodes = config.nodes.iter().map(|node| NodeEntry {
            name: node.name.clone(),
            pid: 0,
            gateway: node.gateway.map(url),
            mesh: node.mesh.to_string(),
        });
        let nodes: Vec<_> = nodes.collect();
        let urls = nodes.iter().filter_map(|node| node.gateway.clone()).collect();
        Self {
            urls,
            token: secrets.token.expose().to_owned(),
            nodes,
        }
    }

    /// The running cluster of a state directory; `None` when none is running there.
    pub fn read(state: &StateDir) -> Result<Option<Self>, Error> {
        let path = state.connection_file();
        let io_error = |source| Error::Io {
            path: path.display().to_string(),
            source,
        };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| io_error(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(error)),
        }
    }

    pub fn write(&self, state: &StateDir) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).expect("invariant: strings and numbers always serialise");
        write_private(&state.connection_file(), &text)
    }

    /// Removes the file; a missing one is fine.
    pub fn remove(state: &StateDir) {
        let _ = fs::remove_file(state.connection_file());
    }
}

/// A listener on every interface is reached through loopback from this machine.
fn url(listens: SocketAddr) -> String {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listens.port()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::config::{Ports, Source, load};
    use crate::secrets::Secret;

    #[test]
    fn has_the_promised_shape() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        assert_eq!(Connection::read(&state).unwrap(), None);

        let mut config = load(&Source::BuiltIn, &BTreeMap::new(), Ports::AsWritten)
            .unwrap()
            .config;
        config.nodes.truncate(2);
        config.nodes[0].gateway = Some("0.0.0.0:8888".parse().unwrap());
        config.nodes[1].gateway = None;
        let secrets = Secrets {
            token: Secret::new("t"),
            mesh: Secret::new("m"),
        };
        let mut connection = Connection::of(&config, &secrets);
        connection.nodes[0].pid = 42;
        connection.write(&state).unwrap();

        let text = fs::read(state.connection_file()).unwrap();
        let expected = json!({
            "urls": ["http://127.0.0.1:8888"],
            "token": "t",
            "nodes": [
                {"name": "h1", "pid": 42, "gateway": "http://127.0.0.1:8888", "mesh": "127.0.0.1:7601"},
                {"name": "h2", "pid": 0, "gateway": null, "mesh": "127.0.0.1:7602"},
            ],
        });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap(), expected);
        assert_eq!(Connection::read(&state).unwrap(), Some(connection));
        Connection::remove(&state);
        assert_eq!(Connection::read(&state).unwrap(), None);
    }
}
