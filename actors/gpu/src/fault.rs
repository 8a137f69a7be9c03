//! What can be made to go wrong with a simulated device.

use serde::{Deserialize, Serialize};

/// A fault that lasts until the device is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The driver does not find the device any more.
    FallOff,
    /// Memory that no process owns stays on it after the next lease.
    Leak,
    /// Memory is seen on it for about a second after each lease.
    SlowClear,
}
