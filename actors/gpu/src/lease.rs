//! A lease: the right to use devices until a deadline.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Names a lease of one host's ledger. Never reused while the node runs, also not by a restarted ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseId(pub(crate) u64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One GPU of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Position on the host, from 0; NVML's index for a real device.
    pub index: u32,
    /// `GPU-…`, stable across reboots for a real device, unique in the cluster.
    pub uuid: String,
    /// For a simulated device, the directory in which each process that uses it keeps a file, named by its pid, with
    /// the number of bytes that it has on the device.
    pub path: Option<PathBuf>,
}

/// Asks for devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Who will use them, normally a kernel's id.
    pub holder: String,
    /// Whom it belongs to: users take turns.
    pub user: String,
    /// The holder's epoch. A newer epoch ends the holder's older leases; an older one is refused.
    pub epoch: u64,
    /// How many, all or nothing; at least 1.
    pub count: u32,
    /// Bytes of memory that each of them must have; 0 is content with any.
    pub memory: u64,
    /// How long to wait for them; zero means now or not at all.
    pub within: Duration,
    /// What is wanted.
    pub terms: Terms,
}

/// How sure a holder is of what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// It uses the devices at once: 10 s until the first renewal.
    Firm,
    /// It may yet decline, and keeps them from others for 2 s only; the first renewal makes the lease firm.
    Conditional,
}

/// Devices granted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Renews and releases it.
    pub id: LeaseId,
    /// The devices, ordered by index.
    pub devices: Vec<Device>,
    /// When it ends unless renewed. The holder must have stopped using the devices by then.
    pub deadline: Instant,
}
