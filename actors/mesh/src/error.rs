//! What callers of the mesh, and whoever starts it, can be told.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Fault, NodeName};

/// Why a call or cast failed. Codes are documented in `docs/errors/`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no link to the node now, or it broke while the call was under way; the call may have run.
    #[error("node `{0}` cannot be reached")]
    Unreachable(NodeName),
    /// No answer in time; the call may have run or may yet run.
    #[error("node `{node}` did not answer on `{path}` within {within:?}")]
    Timeout {
        /// The node called.
        node: NodeName,
        /// The path called.
        path: String,
        /// The deadline given.
        within: Duration,
    },
    /// Too many bytes are under way to the node; try later. Nothing was sent.
    #[error("too much is under way to node `{0}`, try again later")]
    Busy(NodeName),
    /// Nobody is registered under the path on that node, or who was has ended.
    #[error("nothing is registered at `{path}` on node `{node}`")]
    NoSuchPath {
        /// The node called.
        node: NodeName,
        /// The path called.
        path: String,
    },
    /// The other side answered with a failure of its own.
    #[error("{0}")]
    Remote(Fault),
    /// The body, or the path, is over its limit.
    #[error("a message of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes asked for.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

impl Error {
    /// The stable code of this error; a remote fault carries its own in addition.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "NB0210",
            Self::Timeout { .. } => "NB0211",
            Self::Busy(_) => "NB0212",
            Self::NoSuchPath { .. } => "NB0213",
            Self::Remote(_) => "NB0214",
            Self::TooLarge { .. } => "NB0215",
        }
    }
}

/// Why a mesh did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The mesh port cannot be used.
    #[error("the mesh cannot listen on {address}: {source}")]
    Bind {
        /// The address of the configuration.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A name, secret or option that cannot work.
    #[error("the mesh configuration cannot work: {0}")]
    Config(String),
    /// A certificate or key file cannot be used.
    #[error("the mesh cannot use the TLS file {path}: {reason}", path = path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An actor of the mesh did not start.
    #[error("the mesh did not start: {0}")]
    Supervision(#[from] nbos_supervision::Error),
}

impl StartError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "NB0201",
            Self::Config(_) => "NB0218",
            Self::Tls { .. } => "NB0208",
            Self::Supervision(error) => error.code(),
        }
    }
}
