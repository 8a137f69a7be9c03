//! What many figures have in common.

use serde::Serialize;

/// Percentiles by nearest rank: each is one of the figures. All are null when there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    pub p50: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    #[serde(rename = "p99.9")]
    pub p99_9: Option<f64>,
    pub mean: Option<f64>,
    pub max: Option<f64>,
}

impl Distribution {
    pub fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let count = figures.len();
        // Per mille, so that the rank is exact: the smallest figure that at least that share is not above.
        let rank = |mille: usize| {
            let rank = (mille * count).div_ceil(1_000).max(1);
            figures.get(rank - 1).copied()
        };
        Self {
            p50: rank(500),
            p90: rank(900),
            p95: rank(950),
            p99: rank(990),
            p99_9: rank(999),
            mean: (count > 0).then(|| figures.iter().sum::<f64>() / count as f64),
            max: figures.last().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let hundred = Distribution::of((1..=100).rev().map(f64::from).collect());
        assert_eq!(
            (
                hundred.p50,
                hundred.p90,
                hundred.p95,
                hundred.p99,
                hundred.p99_9,
                hundred.max
            ),
            (Some(50.0), Some(90.0), Some(95.0), Some(99.0), Some(100.0), Some(100.0))
        );
        assert_eq!(hundred.mean, Some(50.5));
        let three = Distribution::of(vec![3.0, 1.0, 2.0]);
        assert_eq!((three.p50, three.p90), (Some(2.0), Some(3.0)));
        assert_eq!(Distribution::of(vec![]), Distribution::default());
        assert_eq!(Distribution::of(vec![7.0]).p50, Some(7.0));
    }
}
