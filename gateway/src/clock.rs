//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time now, in microseconds.
pub(crate) fn unix_micros() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
