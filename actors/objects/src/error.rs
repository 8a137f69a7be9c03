//! What can go wrong with chunks.

use std::io;
use std::sync::Arc;

use crate::BlobId;

/// An error of this crate. Codes are documented in `docs/errors/`.
///
/// Cloned when it is remembered and told later.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Neither this node nor any peer asked has the chunk.
    #[error("chunk {0} is nowhere to be found")]
    NotFound(BlobId),
    /// A disk is full. Nothing was acknowledged; it works again once there is room.
    #[error("no space left on the disk of {host} for chunk {id}")]
    NoSpace {
        /// The chunk.
        id: BlobId,
        /// Whose disk it is: a peer's name, or `this host`.
        host: String,
    },
    /// The bytes are not those the name stands for. The copy is discarded.
    #[error("a copy of chunk {0} is damaged")]
    Corrupt(BlobId),
    /// Too few peers acknowledged a copy in time.
    #[error("chunk {id} is safe on {acknowledged} of {need} peers: {reasons}")]
    NotEnough {
        /// The chunk.
        id: BlobId,
        /// How many acknowledgements were asked for.
        need: usize,
        /// How many came.
        acknowledged: usize,
        /// What each other peer said, for people.
        reasons: String,
    },
    /// The store's files cannot be used.
    #[error("the chunk store cannot {what}: {source}")]
    Storage {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Larger than any chunk may be.
    #[error("a chunk of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes asked for.
        len: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The time given was over.
    #[error("chunk {id} did not arrive in time: {reasons}")]
    Late {
        /// The chunk.
        id: BlobId,
        /// What each peer said last, for people.
        reasons: String,
    },
    /// The store of cold copies cannot be used.
    #[error("the store of cold copies cannot be used: {0}")]
    Cold(String),
    /// The actor of this crate could not be started.
    #[error("the objects actor could not be started: {0}")]
    Supervision(#[source] Arc<nbos_supervision::Error>),
}

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NB0801",
            Self::NoSpace { .. } => "NB0802",
            Self::Corrupt(_) => "NB0803",
            Self::NotEnough { .. } => "NB0804",
            Self::Storage { .. } => "NB0805",
            Self::TooLarge { .. } => "NB0807",
            Self::Late { .. } => "NB0809",
            Self::Cold(_) => "NB0810",
            Self::Supervision(error) => error.code(),
        }
    }
}
