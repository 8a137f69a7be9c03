//! How a group keeps time.

use std::time::Duration;

/// Timing of one group. All its replicas should have the same.
///
/// The leader holds a lease of `election_max` from each follower: until it ends a follower votes for nobody else. A
/// follower campaigns by itself `election_min..election_max` later, or at the end of the lease when it is told to
/// ([`crate::Group::elect`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupOptions {
    pub heartbeat: Duration,
    pub election_min: Duration,
    pub election_max: Duration,
    pub rest: Rest,
}

/// May the group be parked when it is idle?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    Never,
    /// After this long without a command.
    After(Duration),
}

impl GroupOptions {
    /// A kernel's group. After `kill -9` of the leader a survivor that is told so leads 0.5 to 0.7 s later, one that
    /// is not told 0.9 to 1.3 s later.
    ///
    /// Heartbeats every 100 ms are etcd's default; openraft's own defaults (50 ms, 150 to 300 ms) are too tight for
    /// two loaded cores (notes on reliability).
    pub const fn kernel() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(400),
            election_max: Duration::from_millis(600),
            rest: Rest::After(Duration::from_secs(30)),
        }
    }

    /// The scheduler's group: always awake, slower to depose a leader that is only busy.
    pub const fn control() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(500),
            election_max: Duration::from_millis(1000),
            rest: Rest::Never,
        }
    }
}
