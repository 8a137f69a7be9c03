//! Which piece to move next: the decision part of a transfer, without clock or wire.
//!
//! A transfer goes through a blob in order with a small window of pieces under way. The receiving side answers each
//! piece with the offset it wants next, which is its only truth: it may be ahead (somebody else sent the same blob),
//! or back (a piece came out of order, or the receiver was restarted). Going back is allowed only so often without
//! progress.

use crate::wire::{PIECE, WINDOW};

/// Times a transfer may be sent back without getting further than before. A piece overtaken by its neighbours costs
/// one; more than a few mean that the receiver cannot keep what it gets.
const MAX_SETBACKS: u32 = 8;

/// Bytes of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    /// 0 only for the one piece of the empty blob.
    pub(crate) len: u64,
    /// Raised at each setback: answers to pieces of an earlier run say nothing about this one.
    run: u32,
}

/// The receiver sends the transfer back again and again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stalled;

#[derive(Debug)]
pub(crate) struct Transfer {
    len: u64,
    next: u64,
    /// The furthest the receiver has ever been.
    reached: u64,
    under_way: usize,
    run: u32,
    setbacks: u32,
    /// Whether a piece that ends at `len` was handed out in this run.
    last_is_out: bool,
}

impl Transfer {
    /// A transfer of a blob of `len` bytes to a receiver that wants it from an offset.
    pub(crate) fn new(len: u64, wanted: u64) -> Self {
        let next = wanted.min(len.saturating_sub(1));
        Self {
            len,
            next,
            reached: next,
            under_way: 0,
            run: 0,
            setbacks: 0,
            last_is_out: false,
        }
    }

    /// The next piece to send, or none while the window is full or all is under way.
    pub(crate) fn next_piece(&mut self) -> Option<Piece> {
        if self.under_way == WINDOW || self.last_is_out {
            return None;
        }
        let piece = Piece {
            offset: self.next,
            len: PIECE.min(self.len - self.next),
            run: self.run,
        };
        self.next += piece.len;
        self.last_is_out = self.next == self.len;
        self.under_way += 1;
        Some(piece)
    }

    /// The receiver answered a piece by wanting the blob from an offset on.
    pub(crate) fn wanted(&mut self, piece: Piece, offset: u64) -> Result<(), Stalled> {
        self.under_way -= 1;
        if offset > self.reached {
            self.reached = offset;
            self.setbacks = 0;
        }
        let taken = offset >= piece.offset + piece.len && piece.len > 0;
        if taken {
            if offset > self.next && offset < self.len {
                self.next = offset;
            }
            // A receiver that has every byte says `Have`; this one lost the end, or counts wrongly.
            if offset < self.len {
                Ok(())
            } else {
                self.set_back(self.len - 1)
            }
        } else if piece.run == self.run {
            self.set_back(offset)
        } else {
            Ok(())
        }
    }

    fn set_back(&mut self, offset: u64) -> Result<(), Stalled> {
        self.setbacks += 1;
        if self.setbacks > MAX_SETBACKS {
            return Err(Stalled);
        }
        self.run += 1;
        self.next = offset.min(self.len.saturating_sub(1));
        self.last_is_out = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
