//! Ratios in thousandths.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A ratio in thousandths: decisions are made with integers, so that every machine makes the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio(u64);

/// Ratios in a configuration lie below it; far above everything that makes sense, far below what rounds.
const MAX_WRITTEN: f64 = 1_000_000.0;

impl Ratio {
    pub const ONE: Self = Self(1_000);

    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Rounded down; `None` when there is nothing to divide by.
    pub fn of(numerator: u64, denominator: u64) -> Option<Self> {
        numerator.saturating_mul(1_000).checked_div(denominator).map(Self)
    }

    /// A host's subscription: the GPUs that the cells of its replicas want, over those that it has, over the replicas of a kernel, of
    /// which one runs a cell at a time. (`SR(h) = placed / installed / R` of the original system.) A host without GPUs that nobody
    /// wants GPUs of has none.
    pub fn subscription(placed: u64, installed: u64, replicas: usize) -> Self {
        let replicas = u64::try_from(replicas.max(1)).unwrap_or(u64::MAX);
        match Self::of(placed, installed.saturating_mul(replicas)) {
            Some(ratio) => ratio,
            None if placed == 0 => Self(0),
            None => Self(u64::MAX),
        }
    }

    /// `number` times this, rounded up.
    pub fn times_up(self, number: u64) -> u64 {
        number.saturating_mul(self.0).div_ceil(1_000)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 1_000, self.0 % 1_000 / 10)
    }
}

/// Written as a number: `7.0` or `7`.
impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = f64::deserialize(deserializer)?;
        if !(0.0..=MAX_WRITTEN).contains(&written) {
            return Err(D::Error::custom(format!(
                "{written} is not a ratio between 0 and {MAX_WRITTEN}"
            )));
        }
        // Rounded, and in range by the check above.
        Ok(Self((written * 1_000.0).round() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscription_is_what_the_original_computes() {
        assert_eq!(Ratio::subscription(12, 4, 3), Ratio::ONE);
        assert_eq!(Ratio::subscription(1, 4, 3), Ratio(83));
        assert_eq!(Ratio::subscription(0, 0, 3), Ratio(0));
        assert_eq!(Ratio::subscription(1, 0, 3), Ratio(u64::MAX));
        assert_eq!(Ratio(6_994).to_string(), "6.99");
        assert_eq!(Ratio(1_050).times_up(20), 21);
        assert_eq!(Ratio(1_050).times_up(21), 23);
    }

    #[test]
    fn is_written_as_a_number() {
        #[derive(Deserialize)]
        struct Table {
            ratio: Ratio,
        }
        let parse = |text: &str| serde_json::from_str::<Table>(text).map(|table| table.ratio);
        assert_eq!(parse(r#"{"ratio": 7}"#).unwrap(), Ratio(7_000));
        assert_eq!(parse(r#"{"ratio": 1.05}"#).unwrap(), Ratio(1_050));
        for wrong in [r#"{"ratio": -1}"#, r#"{"ratio": 1e9}"#, r#"{"ratio": "x"}"#] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
