//! How many bytes may be under way to a peer, and when the other side acknowledges: both ends, pure.

/// Unacknowledged bytes after which a receiver acknowledges without waiting for the next heartbeat.
/// A quarter of what large transfers keep under way, so they never stall on it.
const ACK_EVERY: u64 = 128 << 10;

/// The sending side of one session.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    sent: u64,
    acked: u64,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            sent: 0,
            acked: 0,
            limit: limit as u64,
        }
    }

    /// Takes `bytes` for sending if they fit under `ceiling` unacknowledged bytes (never above the limit).
    pub(crate) fn take(&mut self, bytes: usize, ceiling: u64) -> bool {
        let fits = self.under_way() + bytes as u64 <= ceiling.min(self.limit);
        if fits {
            self.sent += bytes as u64;
        }
        fits
    }

    /// The peer has received this many bytes so far. True when that is news. Nonsense (less than before, more than
    /// was sent) is ignored.
    pub(crate) fn acknowledge(&mut self, total: u64) -> bool {
        let news = total > self.acked && total <= self.sent;
        if news {
            self.acked = total;
        }
        news
    }

    /// Bytes sent and not acknowledged.
    pub(crate) fn under_way(&self) -> u64 {
        self.sent - self.acked
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }
}

/// The receiving side of one session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Receipt {
    received: u64,
    told: u64,
}

impl Receipt {
    /// Counts an envelope; true when the sender should be told now.
    pub(crate) fn count(&mut self, bytes: usize) -> bool {
        self.received = self.received.saturating_add(bytes as u64);
        self.received - self.told >= ACK_EVERY
    }

    /// The acknowledgement that goes into an envelope leaving now.
    pub(crate) fn tell(&mut self) -> u64 {
        self.told = self.received;
        self.received
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A sender and a receiver with a wire in between: the sender is never over its limit, and whatever
        /// the order, everything is given back once the wire is empty and one acknowledgement has come.
        #[test]
        fn never_over_the_limit_and_nothing_is_lost(
            limit in 1000..10_000usize,
            ops in prop::collection::vec((0..3u8, 0..4000usize), 1..200),
            nonsense in any::<u64>(),
        ) {
            let (mut budget, mut receipt) = (Budget::new(limit), Receipt::default());
            let (mut wire, mut taken, mut arrived) = (VecDeque::new(), 0u64, 0u64);
            for (op, size) in ops {
                match op {
                    0 => if budget.take(size, u64::MAX) {
                        wire.push_back(size);
                        taken += size as u64;
                    },
                    1 => if let Some(size) = wire.pop_front() {
                        receipt.count(size);
                        arrived += size as u64;
                    },
                    _ => { budget.acknowledge(receipt.tell()); }
                }
                prop_assert!(budget.under_way() <= limit as u64);
                prop_assert!(budget.under_way() >= taken - arrived);
                if nonsense > taken {
                    prop_assert!(!budget.acknowledge(nonsense));
                }
            }
            for size in wire.drain(..) {
                receipt.count(size);
            }
            budget.acknowledge(receipt.tell());
            prop_assert_eq!(budget.under_way(), 0);
        }
    }

    #[test]
    fn a_lower_ceiling_leaves_room_for_others() {
        let mut budget = Budget::new(1000);
        assert!(budget.take(300, 500));
        assert!(!budget.take(300, 500));
        assert!(budget.take(700, u64::MAX));
        assert!(!budget.take(1, u64::MAX));
    }

    #[test]
    fn a_receiver_speaks_up_at_its_threshold() {
        let mut receipt = Receipt::default();
        assert!(!receipt.count(ACK_EVERY as usize - 1));
        assert!(receipt.count(1));
        receipt.tell();
        assert!(!receipt.count(1));
    }
}
