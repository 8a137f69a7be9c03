//! Why a cluster does not start.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{place}: cannot listen on {address}; change the key or stop what uses port {}", address.port())]
    PortUnusable {
        /// Table and key.
        place: String,
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the cluster was not ready within {} s: {seen}{log}", within.as_secs())]
    NotReady {
        within: Duration,
        /// What the last answer was.
        seen: String,
        /// Last lines of a node's log, named; empty when there is none.
        log: String,
    },
    #[error(transparent)]
    State(#[from] crate::state_dir::Error),
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::PortUnusable { .. } => "NB0120",
            Self::NotReady { .. } => "NB0123",
            Self::State(error) => error.code(),
        }
    }
}
