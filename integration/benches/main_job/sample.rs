//! Times of one thing.

use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    times: Vec<Duration>,
}

impl Sample {
    pub(crate) fn add(&mut self, time: Duration) {
        self.times.push(time);
        self.times.sort_unstable();
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// The time that this share of the runs did not exceed (nearest rank).
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let rank = (share * self.times.len() as f64).ceil() as usize;
        self.times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        self.percentile(0.5)
    }

    pub(crate) fn longest(&self) -> Duration {
        self.times.last().copied().unwrap_or_default()
    }
}
