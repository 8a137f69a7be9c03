//! What the admin API shows about a host's GPUs.

use serde::{Deserialize, Serialize};

/// One device now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuInfo {
    /// Position on the host, from 0.
    pub index: u32,
    /// `GPU-…`.
    pub uuid: String,
    /// Product name.
    pub name: String,
    /// Bytes.
    pub memory_total: u64,
    /// Bytes, as last read.
    pub memory_used: u64,
    /// Whether it can be lent.
    pub state: DeviceState,
    /// Who holds it.
    pub lease: Option<LeaseInfo>,
}

/// Who waits for devices of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    pub requests: u32,
    /// Devices that they want, all together.
    pub devices: u32,
}

/// Where a device stands in its round from lease to lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// Can be lent to anyone.
    Free,
    /// Lent.
    Leased,
    /// The last lease ended and its memory is not seen to be free yet.
    Clearing,
    /// Clearing for so long that somebody should look at it. Lent again as soon as it is clear.
    Quarantined,
    /// Its driver or its actor does not answer now; its memory is reported as 0.
    Unreadable,
}

/// A lease as seen from one of its devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseInfo {
    /// Who holds it.
    pub holder: String,
    /// The holder's epoch.
    pub epoch: u64,
    /// When it was granted, in milliseconds of Unix time.
    pub since: u64,
}
