//! What the admin API shows about a host's GPUs.

use std::fmt;

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
    /// Bytes, as last read; 0 for a failed one.
    pub memory_used: u64,
    /// Percent of the last moments in which something ran on it; none where it is not measured.
    pub utilisation: Option<u32>,
    /// Who has memory on it, ordered by pid.
    pub processes: Vec<GpuProcess>,
    /// Whether it works.
    pub health: Health,
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
    /// It does not work, see its health. Lent again once it works and is clear.
    Failed,
}

/// Whether a device works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Nothing is known against it.
    Healthy,
    /// It does not answer, or reported an error that only a reset clears.
    Failed {
        /// What is known.
        why: String,
    },
}

/// A process on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GpuProcess {
    /// As the host counts processes.
    pub pid: u32,
    /// Bytes; none where the driver does not say.
    pub memory: Option<u64>,
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

/// Where a request stands in the line of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// 1 is next. It can grow: users who were served less lately come before.
    pub position: u32,
    /// How many requests wait.
    pub waiting: u32,
    /// How many devices this one asks for.
    pub wanted: u32,
    /// Devices with enough memory for it that nobody has; fewer than wanted, or kept for who is before.
    pub free: u32,
    /// Such devices that others hold.
    pub lent: u32,
    /// Such devices that are being freed of their last holder.
    pub clearing: u32,
    /// Such devices that are quarantined or failed.
    pub broken: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            waiting,
            wanted,
            free,
            lent,
            clearing,
            broken,
        } = self;
        write!(f, "number {position} of {waiting} in line for {wanted} GPU")?;
        if *wanted != 1 {
            f.write_str("s")?;
        }
        write!(f, ": {lent} lent, {free} free")?;
        if *clearing > 0 {
            write!(f, ", {clearing} being cleared")?;
        }
        if *broken > 0 {
            write!(f, ", {broken} out of order")?;
        }
        Ok(())
    }
}
