//! Connections beside the links, for bytes too many for them: another port, the same handshake and TLS.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::socket::Duplex;
use crate::{Mesh, NodeName, Peer, handshake, socket};

/// How long sent data may stay unacknowledged, or the window of the peer closed, before the kernel ends a channel. The
/// receiver writes to a disk that may be busy with other things for seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection whose ends have proved to each other who they are.
pub struct Channel {
    /// Who is at the other end.
    pub peer: Peer,
    /// The bytes, encrypted when the mesh is.
    pub stream: Box<dyn Duplex>,
}

/// Why a channel did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({code})")]
pub struct ChannelError {
    /// Stable code, as for links.
    pub code: &'static str,
    /// What went wrong.
    pub reason: String,
}

impl From<handshake::Error> for ChannelError {
    fn from(error: handshake::Error) -> Self {
        Self {
            code: error.code(),
            reason: error.to_string(),
        }
    }
}

impl Mesh {
    /// Where this node's mesh listens; a port for channels belongs on the same interface.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.0.listener.local_addr()
    }

    /// Where a peer's mesh listens.
    pub fn address_of(&self, node: &NodeName) -> Option<SocketAddr> {
        self.0.peers.lock().get(node).copied()
    }

    /// Lets whoever dialed a port of ours prove that it is a peer and means the same purpose. A stranger is told why
    /// it is refused. Takes at most twice `handshake_ms`; the caller limits how many are at it.
    ///
    /// # Errors
    /// With the codes of refused links, NB0202 to NB0209.
    pub async fn accept_channel(&self, stream: TcpStream, purpose: &str) -> Result<Channel, ChannelError> {
        channel(handshake::accept(&self.0, stream, purpose).await?)
    }

    /// Opens a channel to a port of a peer within `handshake_ms` and the second a connect may take.
    ///
    /// # Errors
    /// With the codes of refused links, NB0202 to NB0209.
    pub async fn dial_channel(
        &self,
        address: SocketAddr,
        to: &NodeName,
        purpose: &str,
    ) -> Result<Channel, ChannelError> {
        let stream = socket::connect(address).await.map_err(handshake::Error::Io)?;
        channel(handshake::dial(&self.0, stream, to, purpose).await?)
    }
}

fn channel(proved: handshake::Proved) -> Result<Channel, ChannelError> {
    proved.socket.be_patient(PATIENCE).map_err(handshake::Error::Io)?;
    Ok(Channel {
        peer: proved.peer,
        stream: proved.socket.boxed(),
    })
}
