//! How long a node that died stays down.

use std::time::Duration;

/// The second restart in a row waits this long, each further one twice as long.
const FIRST: Duration = Duration::from_millis(100);
/// A node that cannot start is tried this often: rarely enough to leave the machine usable, often enough to notice a repair.
const MAX: Duration = Duration::from_secs(5);
/// A node that ran this long was healthy: its next death is a new story.
const HEALTHY: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub(super) struct BackOff {
    /// Deaths since the node was last healthy.
    deaths: u32,
}

impl BackOff {
    /// The pause before the restart of a node that died after `ran`.
    pub(super) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= HEALTHY {
            self.deaths = 0;
        }
        self.deaths = self.deaths.saturating_add(1);
        match self.deaths {
            1 => Duration::ZERO,
            // The exponent is capped where MAX is long reached.
            deaths => MAX.min(FIRST * 2u32.pow((deaths - 2).min(10))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_once_then_doubling_then_forgiven() {
        let mut back_off = BackOff::default();
        let mut pauses = || back_off.after(Duration::from_secs(1)).as_millis();
        let first: Vec<_> = (0..9).map(|_| pauses()).collect();
        assert_eq!(first, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        for _ in 0..100 {
            assert_eq!(pauses(), 5000);
        }
        assert_eq!(back_off.after(HEALTHY), Duration::ZERO);
        assert_eq!(back_off.after(Duration::ZERO), FIRST);
    }
}
