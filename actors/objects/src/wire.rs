//! What nodes say to each other about chunks.
//!
//! Bulk bytes have connections of their own. On them, each frame is: header length `u32`, body length `u32`
//! (little-endian), header (bincode), body (the bytes of one chunk, or nothing). Who dialed asks, who accepted answers;
//! both may say the next thing before the last is answered. The port is asked for by a mesh call.

use std::time::Duration;

use bytes::Bytes;
use nbos_mesh::codec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::BlobId;
use crate::encoding::Encoding;
use crate::handle::MAX_CHUNK;
use crate::store::Level;

/// Where a node answers mesh calls.
pub(crate) const PATH: &str = "objects";
/// What both ends of a bulk connection mean it to be for.
pub(crate) const PURPOSE: &str = "objects bulk 1";
/// Most chunks named in one frame: 16 KiB of names.
pub(crate) const MAX_IDS: usize = 512;
/// A header with that many names, their refusals included, is far below this.
const MAX_HEADER: u32 = 256 << 10;
/// Longest silence within a frame. A sender that has begun one only waits for its own disk.
pub(crate) const WITHIN_FRAME: Duration = Duration::from_secs(15);

/// By mesh call: where is your port for bulk connections?
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct WhichPort;

/// The answer: on the address of the mesh.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Port(pub(crate) u16);

/// Asked by who dialed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Which of these do you have? Answered by `Known`; what is there is not deleted soon, and what is not there is
    /// expected from who asked.
    Ask { batch: u64, ids: Vec<BlobId> },
    /// The body is this chunk; answered by `Taken`.
    Put { id: BlobId, encoding: Encoding },
    /// Bring these to the disk; answered by `Flushed`.
    Flush { batch: u64, ids: Vec<BlobId> },
    /// Send me this chunk; answered by `Chunk` or `Refused`.
    Get { id: BlobId },
    /// What you gave as this chunk is not it: look at your copy. Not answered.
    Doubt { id: BlobId },
}

/// Answered by who accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// What is known of each there, in the order asked.
    Known {
        batch: u64,
        held: Vec<Has>,
    },
    /// Somebody there waits for these, which you said you would push: send them first. Not asked for.
    Hurry {
        ids: Vec<BlobId>,
    },
    Taken {
        id: BlobId,
        outcome: Result<Level, Refusal>,
    },
    Flushed {
        batch: u64,
        outcome: Result<(), Refusal>,
    },
    /// The body is the chunk.
    Chunk {
        id: BlobId,
        encoding: Encoding,
    },
    Refused {
        id: BlobId,
        refusal: Refusal,
    },
}

/// What a node knows of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Has {
    /// It is not there.
    Nothing,
    /// It is not there yet, and on its way from somewhere else.
    Coming,
    /// It is there, and so safe.
    Held(Level),
}

/// Why a node did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// It does not have the chunk.
    Missing,
    /// Its disk is full; later it may do.
    NoSpace,
    /// The bytes are not what the name stands for, or its own copy is not; it was discarded.
    Corrupt,
    /// Its store does not work.
    Storage(String),
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("what it says makes no sense: {0}")]
    Nonsense(String),
    #[error("it stopped in the middle")]
    Stalled,
    #[error("it did not answer in time")]
    Silent,
    #[error("nobody had anything to say")]
    Idle,
}

/// A frame without its body.
pub(crate) fn head(message: &impl Serialize, body: usize) -> Result<Bytes, Broken> {
    let nonsense = |what: &dyn ToString| Broken::Nonsense(what.to_string());
    let header = codec::encode(message).map_err(|error| nonsense(&error))?;
    let mut frame = Vec::with_capacity(8 + header.len());
    for len in [header.len(), body] {
        let len = u32::try_from(len).map_err(|error| nonsense(&error))?;
        frame.extend_from_slice(&len.to_le_bytes());
    }
    frame.extend_from_slice(&header);
    Ok(frame.into())
}

pub(crate) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
    body: &[u8],
) -> Result<(), Broken> {
    let frame = head(message, body.len())?;
    stream.write_all(&frame).await?;
    stream.write_all(body).await?;
    stream.flush().await?;
    Ok(())
}

/// The next frame's header, and how many bytes of body the caller has to read next. Waits for its first byte for as
/// long as the caller lets it; the future may not be dropped half way if the connection is to go on.
pub(crate) async fn read_head<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(T, usize), Broken> {
    let mut prefix = [0; 8];
    let first = stream.read(&mut prefix).await?;
    if first == 0 {
        return Err(Broken::Closed);
    }
    let rest = async {
        stream.read_exact(&mut prefix[first..]).await?;
        let len = |at: usize| u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]);
        let (header, body) = (len(0), len(4));
        if header > MAX_HEADER || u64::from(body) > MAX_CHUNK {
            return Err(Broken::Nonsense(format!("a frame of {header} and {body} bytes")));
        }
        let mut bytes = vec![0; header as usize];
        stream.read_exact(&mut bytes).await?;
        let message = codec::decode(&bytes).map_err(|error| Broken::Nonsense(error.to_string()))?;
        Ok((message, body as usize))
    };
    tokio::time::timeout(WITHIN_FRAME, rest)
        .await
        .unwrap_or(Err(Broken::Stalled))
}
