//! How many kernels should wait on a host, by the policy. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use nbos_kernel::PoolPolicy;

/// Starts are counted over this time: long enough for a class that opens its notebooks to be seen as one.
const WINDOW: Duration = Duration::from_secs(60);

/// What one takes to start before any was measured: a fork and a boot on a machine with other work.
const FIRST_GUESS: Duration = Duration::from_millis(200);

/// A start counts for a quarter: one slow start does not double the pool.
const SMOOTHING: u32 = 4;

/// What to do about the pool now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Keep,
    StartOne,
    /// Keep no more than this.
    Shrink(usize),
}

/// What the policy has seen. Times are since the node started.
#[derive(Debug)]
pub(crate) struct Sizing {
    policy: PoolPolicy,
    /// When kernels were started that a waiting one was good for.
    wanted: VecDeque<Duration>,
    /// Of those that were made and did not end before somebody took them.
    made: usize,
    takes: Duration,
}

impl Sizing {
    pub(crate) fn new(policy: PoolPolicy) -> Self {
        Self {
            policy,
            wanted: VecDeque::new(),
            made: 0,
            takes: FIRST_GUESS,
        }
    }

    /// So many kernels started since the last time.
    pub(crate) fn wanted(&mut self, now: Duration, count: u64) {
        let PoolPolicy::Little { max } = self.policy else {
            return;
        };
        self.expire(now);
        // More than these do not change the target.
        let most = (max as u128 * WINDOW.as_nanos() / self.takes.as_nanos().max(1)) as usize + 1;
        for _ in 0..count {
            self.wanted.push_back(now);
            if self.wanted.len() > most {
                self.wanted.pop_front();
            }
        }
    }

    /// One came up; it took so long.
    pub(crate) fn made(&mut self, took: Duration) {
        self.made += 1;
        self.takes = (self.takes * (SMOOTHING - 1) + took) / SMOOTHING;
    }

    /// So many ended while they waited.
    pub(crate) fn lost(&mut self, count: usize) {
        self.made = self.made.saturating_sub(count);
    }

    /// What to do while `idle` wait.
    pub(crate) fn step(&mut self, now: Duration, idle: usize) -> Step {
        let target = match self.policy {
            PoolPolicy::Fixed { size } => return if self.made < size { Step::StartOne } else { Step::Keep },
            PoolPolicy::Minimum { size } => size,
            PoolPolicy::Little { max } => {
                self.expire(now);
                self.arriving().min(max)
            }
        };
        match idle.cmp(&target) {
            std::cmp::Ordering::Less => Step::StartOne,
            std::cmp::Ordering::Equal => Step::Keep,
            std::cmp::Ordering::Greater => Step::Shrink(target),
        }
    }

    /// ⌈λ·W⌉: kernels that are started while one more is made ready.
    fn arriving(&self) -> usize {
        let arriving = (self.wanted.len() as u128 * self.takes.as_nanos()).div_ceil(WINDOW.as_nanos());
        usize::try_from(arriving).unwrap_or(usize::MAX)
    }

    fn expire(&mut self, now: Duration) {
        while self.wanted.front().is_some_and(|at| *at + WINDOW <= now) {
            self.wanted.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    #[test]
    fn fixed_is_filled_once() {
        let mut sizing = Sizing::new(PoolPolicy::Fixed { size: 2 });
        assert_eq!(sizing.step(START, 0), Step::StartOne);
        sizing.made(FIRST_GUESS);
        assert_eq!(sizing.step(START, 1), Step::StartOne);
        sizing.made(FIRST_GUESS);
        assert_eq!(sizing.step(START, 2), Step::Keep);
        assert_eq!(sizing.step(START, 0), Step::Keep, "taken ones are not replaced");
        sizing.lost(1);
        assert_eq!(sizing.step(START, 0), Step::StartOne, "one that died is");
    }

    #[test]
    fn minimum_is_kept() {
        let mut sizing = Sizing::new(PoolPolicy::Minimum { size: 2 });
        for (idle, step) in [
            (0, Step::StartOne),
            (1, Step::StartOne),
            (2, Step::Keep),
            (3, Step::Shrink(2)),
        ] {
            assert_eq!(sizing.step(START, idle), step, "{idle} wait");
        }
        assert_eq!(Sizing::new(PoolPolicy::Minimum { size: 0 }).step(START, 0), Step::Keep);
    }

    #[test]
    fn little_follows_the_rate() {
        let mut sizing = Sizing::new(PoolPolicy::Little { max: 4 });
        assert_eq!(sizing.step(START, 0), Step::Keep, "nobody starts kernels");
        sizing.wanted(START, 1);
        assert_eq!(
            sizing.step(START, 0),
            Step::StartOne,
            "one a minute for 0.2 s is more than none"
        );
        assert_eq!(sizing.step(START, 1), Step::Keep);
        // 600 a minute, 0.2 s each: two at any moment.
        sizing.wanted(START, 599);
        assert_eq!(sizing.step(START, 1), Step::StartOne);
        assert_eq!(sizing.step(START, 2), Step::Keep);
        // Slow starts need a larger pool, but not more than is allowed.
        for _ in 0..30 {
            sizing.made(Duration::from_secs(2));
        }
        assert_eq!(sizing.step(START, 3), Step::StartOne);
        assert_eq!(sizing.step(START, 4), Step::Keep);
        assert_eq!(
            sizing.step(START + WINDOW, 4),
            Step::Shrink(0),
            "forgotten after a minute"
        );
    }
}
