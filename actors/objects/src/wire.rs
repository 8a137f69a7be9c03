//! What nodes say to each other about blobs, over mesh calls to the path `objects`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::BlobId;

/// Where a node answers.
pub(crate) const PATH: &str = "objects";
/// Most bytes of a blob in one message: half of what the mesh sends in one envelope, so that small messages of others
/// are not held up for long.
pub(crate) const PIECE: u64 = 512 * 1024;
/// Pieces under way for one blob to one peer. Four keep a local link busy and take a quarter of the 8 MiB that the
/// mesh lets be unacknowledged for a peer.
pub(crate) const WINDOW: usize = 4;
/// Largest blob. It is held in memory whole by who puts and who gets it; larger state has to be cut up before.
pub(crate) const MAX_BLOB: u64 = 4 << 30;

/// Asked of a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Request {
    /// I can send you this blob; answered by `Have`, `Want` or `Refused`.
    Offer { id: BlobId, len: u64 },
    /// Bytes of a blob; answered by `Have` when it is complete and durable, else by `Want` or `Refused`.
    Piece {
        id: BlobId,
        len: u64,
        offset: u64,
        bytes: Bytes,
    },
    /// Send me up to this many bytes from there; 0 asks only for the length. Answered by `Bytes` or `Refused`.
    Fetch { id: BlobId, offset: u64, most: u64 },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The blob is durable here.
    Have,
    /// Go on from this offset.
    Want {
        offset: u64,
    },
    /// Bytes of a blob and its whole length.
    Bytes {
        len: u64,
        bytes: Bytes,
    },
    Refused(Refusal),
}

/// Why a node did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// It does not have the blob.
    Missing,
    /// As many transfers as it takes are under way; later it may do.
    Busy,
    /// Its disk is full; later it may do.
    NoSpace,
    /// All bytes arrived and are not what the name stands for, or its own copy is not; it was discarded.
    Corrupt,
    /// The blob or the piece is over the limits.
    TooLarge,
    /// Its store does not work.
    Storage(String),
}
