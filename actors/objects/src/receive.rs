//! Takes the body of a frame straight into the store.
//!
//! Runs on a thread of its own, which makes way for others from the first large chunk on: every piece is hashed and written while it is in the processor's cache, which blocks.

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::encoding::{Encoded, Encoding};
use crate::push::EXPRESS_BYTES;
use crate::store::Store;
use crate::wire::{Broken, WITHIN_FRAME};
use crate::{BlobId, Error, back};

/// Read, hashed and written at a time: fits the second-level cache of one core, and is wide enough for BLAKE3's lanes.
pub(crate) const PIECE: usize = 256 << 10;

/// Reads `len` bytes of the stream in any case, and gives how many bytes of content they are. The outer error means
/// that the stream is broken, the inner one that the chunk cannot be taken.
pub(crate) async fn chunk(
    store: &Store,
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    id: BlobId,
    encoding: Encoding,
    len: usize,
) -> Result<Result<u64, Error>, Broken> {
    if len as u64 > EXPRESS_BYTES {
        back::make_way();
    }
    match encoding {
        Encoding::Raw => raw(store, stream, buffer, id, len).await,
        Encoding::Zstd => {
            let mut bytes = vec![0; len];
            fill(stream, &mut bytes).await?;
            Ok(packed(store, id, bytes))
        }
    }
}

async fn raw(
    store: &Store,
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    id: BlobId,
    len: usize,
) -> Result<Result<u64, Error>, Broken> {
    buffer.resize(PIECE, 0);
    let mut arrival = if store.touch(&id, Instant::now()).is_some() {
        // Somebody else was faster; the bytes are read and dropped.
        Ok(None)
    } else {
        store.arrive(id, Encoding::Raw).map(Some)
    };
    let mut left = len;
    while left > 0 {
        let piece = &mut buffer[..left.min(PIECE)];
        fill(stream, piece).await?;
        left -= piece.len();
        let added = match &mut arrival {
            Ok(Some(arrival)) => arrival.add(piece),
            Ok(None) | Err(_) => Ok(()),
        };
        if let Err(error) = added {
            arrival = Err(error);
        }
    }
    let taken = arrival.and_then(|arrival| arrival.map_or(Ok(()), |arrival| arrival.finish(Instant::now())));
    Ok(taken.map(|()| len as u64))
}

fn packed(store: &Store, id: BlobId, bytes: Vec<u8>) -> Result<u64, Error> {
    let encoded = Encoded {
        encoding: Encoding::Zstd,
        bytes: bytes.into(),
    };
    let len = match encoded.decode() {
        Ok(raw) if BlobId::of(&raw) == id => raw.len() as u64,
        Ok(_) | Err(_) => return Err(Error::Corrupt(id)),
    };
    store.keep(id, &encoded, Instant::now())?;
    Ok(len)
}

async fn fill(stream: &mut (impl AsyncRead + Unpin), bytes: &mut [u8]) -> Result<(), Broken> {
    match tokio::time::timeout(WITHIN_FRAME, stream.read_exact(bytes)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.into()),
        Err(_elapsed) => Err(Broken::Stalled),
    }
}
