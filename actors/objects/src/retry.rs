//! Pauses between attempts, and which errors deserve another one.

use std::time::Duration;

use crate::Error;

/// First pause: longer than a restart of the peer's actor takes.
const FIRST: Duration = Duration::from_millis(50);
/// Longest pause: how late a peer that is back, or has room again, is noticed.
const LONGEST: Duration = Duration::from_secs(1);

/// Doubling pauses.
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST);
    }
}

/// Whether the same attempt may succeed later.
pub(crate) fn may_pass(error: &Error) -> bool {
    match error {
        Error::NoSpace(_) | Error::Corrupt(_) | Error::Busy(_) | Error::Peer { .. } => true,
        Error::NotFound(_)
        | Error::NotEnough { .. }
        | Error::Storage { .. }
        | Error::TooLarge { .. }
        | Error::Late { .. }
        | Error::Supervision(_) => false,
    }
}
