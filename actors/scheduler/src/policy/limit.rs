//! How far hosts may be subscribed, by what sessions make of their GPUs at the moment.

use std::collections::VecDeque;

use super::ratio::Ratio;

/// Samples that count, one a second (the original's `subscribed-ratio-update-interval` and window).
const WINDOW: usize = 5;

/// The cluster's limit of subscription: the mean of the last five samples of demand over use, and never above the maximum. (The
/// original caps only the sample of an idle cluster, so that one busy GPU among many idle sessions lifts its limit without bound.)
#[derive(Clone, Debug)]
pub struct Limit {
    samples: VecDeque<Ratio>,
    max: Ratio,
}

impl Limit {
    /// Starts at the maximum.
    pub fn new(max: Ratio) -> Self {
        Self {
            samples: VecDeque::with_capacity(WINDOW + 1),
            max,
        }
    }

    /// Once a second: GPUs that the cells of all kernels would want together, each kernel counted once, and those that cells hold.
    pub fn sample(&mut self, demand: u64, busy: u64) {
        let ratio = match Ratio::of(demand, busy) {
            None => self.max,
            // Cells may ask for more than their kernel: a host may always be subscribed once.
            Some(ratio) => ratio.max(Ratio::ONE).min(self.max),
        };
        self.samples.push_back(ratio);
        if self.samples.len() > WINDOW {
            self.samples.pop_front();
        }
    }

    pub fn now(&self) -> Ratio {
        let count = u64::try_from(self.samples.len()).unwrap_or(u64::MAX);
        let sum: u64 = self.samples.iter().map(|sample| sample.millis()).sum();
        sum.checked_div(count).map_or(self.max, Ratio::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: Ratio = Ratio::from_millis(7_000);

    fn after(samples: &[(u64, u64)]) -> u64 {
        let mut limit = Limit::new(MAX);
        for (demand, busy) in samples {
            limit.sample(*demand, *busy);
        }
        limit.now().millis()
    }

    #[test]
    fn follows_the_documented_rules() {
        assert_eq!(after(&[]), 7_000, "before the first sample");
        assert_eq!(after(&[(10, 0)]), 7_000, "nothing runs");
        assert_eq!(after(&[(10, 4)]), 2_500);
        assert_eq!(after(&[(3, 4)]), 1_000, "cells want more than their kernels");
        assert_eq!(after(&[(500, 1)]), 7_000, "capped");
        assert_eq!(after(&[(8, 4), (16, 4)]), 3_000, "the mean");
        assert_eq!(
            after(&[(500, 1), (8, 4), (8, 4), (8, 4), (8, 4), (8, 4)]),
            2_000,
            "of the last five"
        );
    }

    proptest! {
        #[test]
        fn stays_between_one_and_the_maximum(samples in proptest::collection::vec((0_u64..10_000, 0_u64..10_000), 0..20)) {
            let limit = after(&samples);
            prop_assert!((1_000..=7_000).contains(&limit), "{limit}");
        }
    }
}
