//! How old a message is, without synchronised clocks.
//!
//! TCP delivers what was sent before a partition or a stop after it. Both ends have monotonic clocks: the smallest
//! difference seen between arrival and sending is the clock offset plus the fastest trip, and what a
//! message took beyond that is its age.

/// Two windows of this length bound the effect of clock drift (50 ppm is 3 ms a minute). In microseconds.
const WINDOW: u64 = 60_000_000;

/// The peer's clock as seen from here. Times are microseconds on this node's monotonic clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerClock {
    current: Option<Window>,
    previous: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: u64,
    smallest: i64,
}

impl PeerClock {
    /// A clock seen for the first time, in the handshake. Without it, everything that came late in a session's first
    /// moments would look fresh.
    pub(crate) fn seen(now: u64, sent_at: u64) -> Self {
        let mut clock = Self::default();
        clock.age(now, sent_at);
        clock
    }

    /// Microseconds that a message sent at `sent_at` (peer's clock) and read at `now` took beyond the fastest one.
    pub(crate) fn age(&mut self, now: u64, sent_at: u64) -> u64 {
        let difference = now.wrapping_sub(sent_at) as i64;
        let window = match self.current {
            Some(window) if now.saturating_sub(window.since) < WINDOW => Window {
                smallest: window.smallest.min(difference),
                ..window
            },
            Some(old) => {
                self.previous = Some(old.smallest);
                Window {
                    since: now,
                    smallest: difference,
                }
            }
            None => Window {
                since: now,
                smallest: difference,
            },
        };
        self.current = Some(window);
        let fastest = self
            .previous
            .map_or(window.smallest, |previous| previous.min(window.smallest));
        difference.saturating_sub(fastest).max(0).unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_held_up_shows_its_age() {
        // The peer's clock is 5 s ahead; trips take 100 µs.
        let mut clock = PeerClock::seen(1_000_100, 6_000_000);
        assert_eq!(clock.age(1_300_150, 6_300_000), 50);
        // Sent a moment later, read after a stop of six seconds.
        assert_eq!(clock.age(7_400_100, 6_400_000), 6_000_000);
    }

    proptest! {
        #[test]
        fn any_clocks_are_survived(times in prop::collection::vec(any::<(u64, u64)>(), 1..50)) {
            let mut clock = PeerClock::default();
            for (now, sent_at) in times {
                clock.age(now, sent_at);
            }
        }

        /// Whatever the offset, the age is the delay beyond the fastest trip.
        #[test]
        fn offset_does_not_matter(offset in -1_000_000_000i64..1_000_000_000, delays in prop::collection::vec(0..2_000_000u64, 1..50)) {
            let mut clock = PeerClock::default();
            let start = 10_000_000_000u64;
            let mut fastest = u64::MAX;
            for (index, delay) in delays.iter().enumerate() {
                let sent = start + index as u64 * 1000;
                fastest = fastest.min(*delay);
                prop_assert_eq!(clock.age(sent + delay, sent.wrapping_add_signed(offset)), delay - fastest);
            }
        }
    }
}
