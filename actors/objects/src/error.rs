//! What can go wrong with blobs.

use std::io;
use std::sync::Arc;

use nbos_mesh::NodeName;

use crate::BlobId;

/// An error of this crate. Codes are documented in `docs/errors/`.
///
/// Cloned when several callers wait for one transfer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Neither this node nor any peer asked has the blob.
    #[error("blob {0} is nowhere to be found")]
    NotFound(BlobId),
    /// The disk is full. Nothing was acknowledged; it works again once there is room.
    #[error("no space left on the disk for blob {0}")]
    NoSpace(BlobId),
    /// The bytes are not those the name stands for. The copy is discarded.
    #[error("a copy of blob {0} is damaged")]
    Corrupt(BlobId),
    /// Too few peers acknowledged a durable copy in time.
    #[error("blob {id} is durable on {acknowledged} of {need} peers: {reasons}")]
    NotEnough {
        /// The blob.
        id: BlobId,
        /// How many acknowledgements were asked for.
        need: usize,
        /// How many came.
        acknowledged: usize,
        /// What each other peer said, for people.
        reasons: String,
    },
    /// The store's files cannot be used.
    #[error("the blob store cannot {what}: {source}")]
    Storage {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A node has as many transfers as it takes; later it may do.
    #[error("{0} has too many blob transfers now")]
    Busy(String),
    /// Larger than any blob may be.
    #[error("a blob of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes asked for.
        len: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The peer could not be asked, or its answer makes no sense.
    #[error("{peer} could not be asked for blobs: {reason}")]
    Peer {
        /// Which one.
        peer: NodeName,
        /// Why, with the mesh's own code where it has one.
        reason: String,
    },
    /// The time given was over.
    #[error("blob {id} did not arrive in time: {reasons}")]
    Late {
        /// The blob.
        id: BlobId,
        /// What each peer said last, for people.
        reasons: String,
    },
    /// The actor of this crate could not be started.
    #[error("the objects actor could not be started: {0}")]
    Supervision(#[source] Arc<nbos_supervision::Error>),
}

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NB0801",
            Self::NoSpace(_) => "NB0802",
            Self::Corrupt(_) => "NB0803",
            Self::NotEnough { .. } => "NB0804",
            Self::Storage { .. } => "NB0805",
            Self::Busy(_) => "NB0806",
            Self::TooLarge { .. } => "NB0807",
            Self::Peer { .. } => "NB0808",
            Self::Late { .. } => "NB0809",
            Self::Supervision(error) => error.code(),
        }
    }
}
