//! Large messages on their way in: bounded, in order, pure.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire::{Large, MAX_MESSAGE};

/// Large messages of one peer that may be incomplete at a time. Also bounds what a sender that forgets them costs.
const MAX_TRANSFERS: usize = 64;
/// Bytes of incomplete messages held for one peer.
const MAX_HELD: usize = 2 * MAX_MESSAGE;

/// A large message of which not all pieces have come.
#[derive(Debug)]
struct Transfer {
    inner: Large,
    /// When nobody wants it any more, on the receiver's clock in microseconds.
    expires: u64,
    total: usize,
    body: Vec<u8>,
}

/// Why a large message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// More is incomplete than may be held; or the message is over the limit.
    Full,
    /// It overtook its own beginning or is longer than it said.
    Broken,
}

/// All incomplete messages of one session.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    transfers: BTreeMap<u64, Transfer>,
    /// Bytes promised by the open transfers: room is reserved at the start, so that a started one can end.
    reserved: usize,
}

/// A message that is complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complete {
    pub inner: Large,
    pub expires: u64,
    pub body: Bytes,
}

impl Reassembly {
    /// A large message begins.
    pub(crate) fn open(&mut self, transfer: u64, total: u64, inner: Large, expires: u64) -> Result<(), Refusal> {
        let total = usize::try_from(total).map_err(|_| Refusal::Full)?;
        if total == 0 || self.transfers.contains_key(&transfer) {
            return Err(Refusal::Broken);
        }
        if total > MAX_MESSAGE || self.transfers.len() >= MAX_TRANSFERS || self.reserved + total > MAX_HELD {
            return Err(Refusal::Full);
        }
        self.reserved += total;
        self.transfers.insert(
            transfer,
            Transfer {
                inner,
                expires,
                total,
                body: Vec::new(),
            },
        );
        Ok(())
    }

    /// The next piece has come. Pieces of transfers that were refused or dropped are ignored.
    pub(crate) fn piece(&mut self, transfer: u64, piece: &[u8]) -> Result<Option<Complete>, Refusal> {
        let Some(open) = self.transfers.get_mut(&transfer) else {
            return Ok(None);
        };
        if piece.is_empty() || open.body.len() + piece.len() > open.total {
            self.abort(transfer);
            return Err(Refusal::Broken);
        }
        if open.body.is_empty() {
            open.body.reserve_exact(open.total);
        }
        open.body.extend_from_slice(piece);
        if open.body.len() < open.total {
            return Ok(None);
        }
        Ok(self.abort(transfer).map(|done| Complete {
            inner: done.inner,
            expires: done.expires,
            body: done.body.into(),
        }))
    }

    /// Forgets a transfer.
    pub(crate) fn drop_transfer(&mut self, transfer: u64) {
        self.abort(transfer);
    }

    fn abort(&mut self, transfer: u64) -> Option<Transfer> {
        let dropped = self.transfers.remove(&transfer)?;
        self.reserved -= dropped.total;
        Some(dropped)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REPLY: Large = Large::Reply { id: 1 };

    #[test]
    fn pieces_make_the_message() {
        let mut reassembly = Reassembly::default();
        reassembly.open(7, 5, REPLY, 99).unwrap();
        assert_eq!(reassembly.piece(7, b"abc").unwrap(), None);
        let complete = reassembly.piece(7, b"de").unwrap().unwrap();
        assert_eq!(
            complete,
            Complete {
                inner: REPLY,
                expires: 99,
                body: Bytes::from_static(b"abcde")
            }
        );
        assert_eq!(reassembly.reserved, 0);
    }

    #[test]
    fn limits_hold() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.open(1, MAX_MESSAGE as u64 + 1, REPLY, 0), Err(Refusal::Full));
        assert_eq!(reassembly.open(1, 0, REPLY, 0), Err(Refusal::Broken));
        reassembly.open(1, MAX_MESSAGE as u64, REPLY, 0).unwrap();
        reassembly.open(2, MAX_MESSAGE as u64, REPLY, 0).unwrap();
        assert_eq!(reassembly.open(3, 1, REPLY, 0), Err(Refusal::Full));
        reassembly.drop_transfer(1);
        reassembly.open(3, 2, REPLY, 0).unwrap();
        assert_eq!(reassembly.piece(3, b"abc"), Err(Refusal::Broken));
        assert_eq!(reassembly.piece(3, b"a"), Ok(None), "a broken transfer is forgotten");
    }

    proptest! {
        /// Any interleaving of any events keeps the books right and the memory bounded.
        #[test]
        fn books_balance(ops in prop::collection::vec((0..3u8, 0..80u64, 0..300usize), 0..300)) {
            let mut reassembly = Reassembly::default();
            for (op, transfer, size) in ops {
                match op {
                    0 => { let _ = reassembly.open(transfer, size as u64, REPLY, 0); }
                    1 => { let _ = reassembly.piece(transfer, &vec![0; size]); }
                    _ => reassembly.drop_transfer(transfer),
                }
                let promised: usize = reassembly.transfers.values().map(|open| open.total).sum();
                prop_assert_eq!(reassembly.reserved, promised);
                prop_assert!(reassembly.transfers.len() <= MAX_TRANSFERS);
                prop_assert!(reassembly.transfers.values().all(|open| open.body.len() < open.total));
            }
        }
    }
}
