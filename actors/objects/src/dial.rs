//! How a connection for bulk bytes comes about.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use nbos_mesh::{Duplex, Mesh, NodeName, PeerState, codec};

use crate::wire::{PATH, PURPOSE, Port, WhichPort};

/// Longest wait for a peer to tell its port: it has nothing to look up.
const ASK_PORT: Duration = Duration::from_secs(2);

/// A way to peers: the mesh, or in tests another store in the same process.
pub(crate) trait Dial: Send + Sync {
    /// A fresh connection, or why there is none.
    fn dial<'a>(&'a self, to: &'a NodeName) -> BoxFuture<'a, Result<Box<dyn Duplex>, String>>;

    /// Whether it is worth trying first.
    fn is_up(&self, node: &NodeName) -> bool;
}

impl Dial for Mesh {
    fn dial<'a>(&'a self, to: &'a NodeName) -> BoxFuture<'a, Result<Box<dyn Duplex>, String>> {
        Box::pin(async move {
            let mesh = |error: nbos_mesh::Error| format!("{}, {error}", error.code());
            let codec = |error: codec::Error| format!("{}, {error}", error.code());
            let question = codec::encode(&WhichPort).map_err(codec)?;
            let answer = self.call(to, PATH, question, ASK_PORT).await.map_err(mesh)?;
            let Port(port) = codec::decode(&answer).map_err(codec)?;
            let host = self.address_of(to).ok_or("it is no peer any more")?.ip();
            let channel = self.dial_channel(SocketAddr::new(host, port), to, PURPOSE).await;
            let channel = channel.map_err(|error| format!("{}, {}", error.code, error.reason))?;
            Ok(channel.stream)
        })
    }

    fn is_up(&self, node: &NodeName) -> bool {
        matches!(self.peer_state(node), PeerState::Up { .. })
    }
}

pub(crate) type Dialer = Arc<dyn Dial>;
