//! Fetches a blob from a peer that has it.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use crate::intake::{Arrival, Intakes};
use crate::link::Link;
use crate::push::stalled;
use crate::transfer::Transfer;
use crate::wire::{MAX_BLOB, Refusal, Reply, Request};
use crate::{BlobId, Error};

/// One attempt: afterwards the blob is durable here, or part of it is and the next attempt goes on from there.
pub(crate) async fn attempt(intakes: &Arc<Intakes>, id: BlobId, link: &impl Link) -> Result<(), Error> {
    let len = match link.ask(Request::Fetch { id, offset: 0, most: 0 }).await? {
        Reply::Bytes { len, .. } if len <= MAX_BLOB => len,
        Reply::Bytes { len, .. } => return Err(Error::TooLarge { len, limit: MAX_BLOB }),
        Reply::Refused(refusal) => return Err(link.refused(id, refusal)),
        Reply::Have | Reply::Want { .. } => return Err(link.nonsense()),
    };
    let wanted = match intakes.take(id, len, Arrival::Offer).reply().await {
        Reply::Have => return Ok(()),
        Reply::Want { offset } => offset,
        Reply::Refused(refusal) => return Err(refused_here(id, len, refusal)),
        Reply::Bytes { .. } => unreachable!("invariant: an intake gives no bytes"),
    };
    let mut transfer = Transfer::new(len, wanted);
    let mut under_way = FuturesOrdered::new();
    loop {
        while let Some(piece) = transfer.next_piece() {
            let request = Request::Fetch {
                id,
                offset: piece.offset,
                most: piece.len,
            };
            under_way.push_back(async move { (piece, link.ask(request).await) });
        }
        let (piece, answer) = under_way
            .next()
            .await
            .expect("invariant: a piece is under way until the end");
        let bytes = match answer? {
            Reply::Bytes { bytes, .. } if bytes.len() as u64 == piece.len => bytes,
            // Shorter than the length it told: its file is damaged.
            Reply::Bytes { .. } => return Err(Error::Corrupt(id)),
            Reply::Refused(refusal) => return Err(link.refused(id, refusal)),
            Reply::Have | Reply::Want { .. } => return Err(link.nonsense()),
        };
        match intakes
            .take(
                id,
                len,
                Arrival::Piece {
                    offset: piece.offset,
                    bytes,
                },
            )
            .reply()
            .await
        {
            Reply::Have => return Ok(()),
            Reply::Want { offset } => transfer.wanted(piece, offset).map_err(|_stalled| stalled(link))?,
            Reply::Refused(refusal) => return Err(refused_here(id, len, refusal)),
            Reply::Bytes { .. } => unreachable!("invariant: an intake gives no bytes"),
        }
    }
}

/// What a refusal of the own intake means.
fn refused_here(id: BlobId, len: u64, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Missing => Error::NotFound(id),
        Refusal::Busy => Error::Busy("this node".to_owned()),
        Refusal::NoSpace => Error::NoSpace(id),
        Refusal::Corrupt => Error::Corrupt(id),
        Refusal::TooLarge => Error::TooLarge { len, limit: MAX_BLOB },
        Refusal::Storage(reason) => Error::Storage {
            what: "take a fetched blob",
            source: Arc::new(io::Error::other(reason)),
        },
    }
}
