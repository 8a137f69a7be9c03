//! Where this gateway stands in the executor's stream of events (invariant 8). Pure.

use nbos_kernel::Epoch;
use nbos_kernel::protocol::Cursor;
use nbos_mesh::NodeName;

use super::event::Millis;

/// How long a hole may stay open before the loss is announced and the stream goes on: one renewal and a half, so that
/// one lost answer is survived.
const HOLE_PATIENCE: Millis = 1_500;

#[derive(Debug, Default)]
pub(crate) struct Stream {
    epoch: Epoch,
    /// Newest epoch an executor has named; events of older ones are dropped even before the first of this one.
    floor: Epoch,
    /// The host whose numbers `last` counts.
    host: Option<NodeName>,
    last: Option<u64>,
    hole_since: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Of an old executor, or seen before.
    Drop,
    /// Events before it are missing: ask for them. The event itself will come again.
    Hole {
        first: bool,
    },
    Next,
    /// The next one that can be had; some before it are lost for good.
    NextAfterLoss,
}

impl Stream {
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.last.map(|number| Cursor {
            epoch: self.epoch,
            number,
        })
    }

    pub(crate) fn has_hole(&self) -> bool {
        self.hole_since.is_some()
    }

    /// `host` says it is the executor of `epoch`; `false` when it is not any more.
    pub(crate) fn subscribed(&mut self, host: &NodeName, epoch: Epoch) -> bool {
        if epoch < self.floor {
            return false;
        }
        self.floor = epoch;
        if epoch == self.epoch && self.host.as_ref() != Some(host) {
            self.restart(host, epoch);
        }
        true
    }

    /// Judges an event before it is shown to anybody.
    pub(crate) fn accept(&mut self, now: Millis, host: &NodeName, cursor: Cursor) -> Verdict {
        if cursor.epoch > self.epoch || self.host.is_none() && cursor.epoch == self.epoch {
            self.restart(host, cursor.epoch);
        }
        if cursor.epoch < self.floor || self.host.as_ref() != Some(host) {
            return Verdict::Drop;
        }
        let verdict = match self.last {
            // Nothing before the cursor is sent again, so a second first event means that the executor had forgotten this gateway and
            // has begun to count anew.
            Some(_) if cursor.number == 1 => Verdict::NextAfterLoss,
            Some(last) if cursor.number <= last => return Verdict::Drop,
            Some(last) if cursor.number > last + 1 => match self.hole_since {
                None => {
                    self.hole_since = Some(now);
                    return Verdict::Hole { first: true };
                }
                Some(since) if now < since + HOLE_PATIENCE => return Verdict::Hole { first: false },
                Some(_) => Verdict::NextAfterLoss,
            },
            Some(_) | None => Verdict::Next,
        };
        self.last = Some(cursor.number);
        self.hole_since = None;
        verdict
    }

    /// The executor says that events up to `upto` are gone; `false` when they had arrived before.
    pub(crate) fn gap(&mut self, host: &NodeName, epoch: Epoch, upto: u64) -> bool {
        if epoch > self.epoch {
            self.restart(host, epoch);
        }
        if epoch < self.floor || self.host.as_ref() != Some(host) || self.last.is_some_and(|last| upto <= last) {
            return false;
        }
        self.last = Some(upto);
        self.hole_since = None;
        true
    }

    fn restart(&mut self, host: &NodeName, epoch: Epoch) {
        let floor = self.floor.max(epoch);
        *self = Self {
            epoch,
            floor,
            host: Some(host.clone()),
            last: None,
            hole_since: None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, number: u64) -> Cursor {
        Cursor {
            epoch: Epoch(epoch),
            number,
        }
    }

    #[test]
    fn duplicates_and_old_epochs_are_dropped_and_holes_are_named_once() {
        let (a, b) = (NodeName::from("a"), NodeName::from("b"));
        let mut stream = Stream::default();
        assert_eq!(
            stream.accept(0, &a, at(1, 5)),
            Verdict::Next,
            "a fresh subscriber begins anywhere"
        );
        assert_eq!(stream.accept(0, &a, at(1, 5)), Verdict::Drop);
        assert_eq!(stream.accept(0, &a, at(1, 8)), Verdict::Hole { first: true });
        assert_eq!(stream.accept(1, &a, at(1, 9)), Verdict::Hole { first: false });
        assert_eq!(stream.accept(2, &a, at(1, 6)), Verdict::Next);
        assert_eq!(stream.accept(3, &b, at(2, 1)), Verdict::Next);
        assert_eq!(stream.accept(4, &a, at(1, 7)), Verdict::Drop);
        assert!(!stream.subscribed(&a, Epoch(1)));
        assert_eq!(stream.cursor(), Some(at(2, 1)));
    }

    #[test]
    fn an_executor_that_forgot_this_gateway_counts_anew() {
        let a = NodeName::from("a");
        let mut stream = Stream::default();
        assert_eq!(stream.accept(0, &a, at(1, 40)), Verdict::Next);
        assert_eq!(stream.accept(9_000, &a, at(1, 1)), Verdict::NextAfterLoss);
        assert_eq!(stream.accept(9_000, &a, at(1, 2)), Verdict::Next);
    }

    #[test]
    fn a_hole_that_stays_open_is_announced() {
        let a = NodeName::from("a");
        let mut stream = Stream::default();
        assert_eq!(stream.accept(0, &a, at(1, 1)), Verdict::Next);
        assert_eq!(stream.accept(10, &a, at(1, 3)), Verdict::Hole { first: true });
        assert_eq!(stream.accept(10 + HOLE_PATIENCE, &a, at(1, 4)), Verdict::NextAfterLoss);
        assert!(stream.gap(&a, Epoch(1), 9));
        assert!(!stream.gap(&a, Epoch(1), 9));
        assert_eq!(stream.accept(2_000, &a, at(1, 10)), Verdict::Next);
    }
}
