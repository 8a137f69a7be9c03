//! What a supervisor is told: strategy, restart kinds, intensity and back-off.

use std::time::Duration;

/// Which children are restarted when one of them fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Only the failed child.
    OneForOne,
    /// The failed child and every child added after it; the later ones are stopped first, newest first, and
    /// started again in order once the failed one runs.
    RestForOne,
}

/// When a child that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// Only when it failed (error, panic, kill); a normal stop leaves it stopped.
    Transient,
    /// Never; it leaves the tree when it ends.
    Temporary,
}

/// How many automatic restarts are tolerated in a sliding window before the supervisor gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// The supervisor escalates at restart number `max_restarts + 1` inside the window.
    pub max_restarts: u32,
    /// Length of the window; a child that ran this long starts with the shortest back-off again.
    pub window: Duration,
}

impl Default for Intensity {
    /// Ten restarts in ten seconds: OTP's default of one in five seconds assumes restarts without back-off.
    fn default() -> Self {
        Self {
            max_restarts: 10,
            window: Duration::from_secs(10),
        }
    }
}

/// Pause before an automatic restart: `first`, then doubled at every failure in a row, never above `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Pause before the first restart; zero restarts at once.
    pub first: Duration,
    /// Longest pause.
    pub max: Duration,
}

impl BackOff {
    /// The pause after `failures` earlier failures in a row.
    pub(crate) fn pause(self, failures: u32) -> Duration {
        let factor = 1u32.checked_shl(failures.min(31)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.max)
    }
}

impl Default for BackOff {
    /// 20 ms to 2 s: the first restart is inside a failover budget of one second, a crash loop costs little CPU.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(20),
            max: Duration::from_secs(2),
        }
    }
}

/// How one supervisor behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Which children go down together.
    pub strategy: Strategy,
    /// When to escalate.
    pub intensity: Intensity,
    /// How long to wait before a restart.
    pub backoff: BackOff,
}

impl Options {
    /// One-for-one with the default intensity and back-off.
    pub fn one_for_one() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            intensity: Intensity::default(),
            backoff: BackOff::default(),
        }
    }

    /// Rest-for-one with the default intensity and back-off.
    pub fn rest_for_one() -> Self {
        Self {
            strategy: Strategy::RestForOne,
            ..Self::one_for_one()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_doubles_and_is_capped() {
        let backoff = BackOff {
            first: Duration::from_millis(10),
            max: Duration::from_millis(65),
        };
        let pauses: Vec<u128> = (0..5).map(|failures| backoff.pause(failures).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 65, 65]);
        assert_eq!(backoff.pause(u32::MAX), backoff.max);
    }
}
