//! What a host has to give at the moment, as it tells the control nodes every second. Not part of the control log: it is old when it
//! is read, and decisions that need certainty are made by the host's own ledger.

use serde::{Deserialize, Serialize};

/// One host now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLoad {
    /// GPUs of the host that work.
    pub gpus: u32,
    /// GPUs that can be lent now.
    pub free: u32,
    /// GPUs that cells hold.
    pub leased: u32,
    /// Cells in line for GPUs here.
    pub waiting: u32,
    /// GPUs they want, all together.
    pub waiting_gpus: u32,
    /// Bytes of memory of the smallest GPU.
    pub vram: u64,
    /// Bytes of main memory of the machine, and those that can still be used.
    pub memory: u64,
    pub memory_available: u64,
}
