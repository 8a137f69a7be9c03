//! What a host has to give at the moment, as it tells the control nodes every second. Not part of the control log: it is old when it
//! is read, and decisions that need certainty are made by the host's own ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nbos_mesh::NodeName;
use parking_lot::Mutex;
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

/// The newest load of every host, as a control node has heard it. A cheap clone.
#[derive(Clone, Default)]
pub struct Loads(Arc<Mutex<BTreeMap<NodeName, (Instant, HostLoad)>>>);

/// A host that has not told its load for this long is not counted on: five reports.
const STALE: Duration = Duration::from_secs(5);

impl Loads {
    pub(crate) fn hear(&self, host: NodeName, load: HostLoad) {
        self.0.lock().insert(host, (Instant::now(), load));
    }

    /// Those that are not stale.
    pub fn newest(&self) -> BTreeMap<NodeName, HostLoad> {
        self.heard_within(STALE)
    }

    /// Those that are not older than this, nor stale.
    pub(crate) fn heard_within(&self, age: Duration) -> BTreeMap<NodeName, HostLoad> {
        let loads = self.0.lock();
        let fresh = loads.iter().filter(|(_, (heard, _))| heard.elapsed() < age.min(STALE));
        fresh.map(|(host, (_, load))| (host.clone(), load.clone())).collect()
    }
}
