//! What a scaling policy hears and orders.

use nbos_mesh::NodeName;

use crate::policy::Ratio;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Ordered, and not there yet.
    HostComing { host: NodeName },
    /// Takes replicas.
    HostUp { host: NodeName, gpus: u32, origin: Origin },
    /// Takes no replicas any more.
    HostDraining { host: NodeName },
    /// Is no host of the cluster any more.
    HostDown { host: NodeName },
    /// What is on a host now.
    Load { host: NodeName, now: HostNow },
    /// A kernel of so many GPUs found no place; so many more hosts would have had to be there.
    PlacementFailed { hosts: u32, gpus: u32 },
    /// Cells wait for so many GPUs together, and no host could take one of their replicas and run it now.
    CellWaiting { gpus: u32 },
    /// A second has gone by. The limit is that of subscription.
    Tick { limit: Ratio },
}

/// How a host came to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the configuration; never removed. All control nodes are.
    Configured,
    /// By an order of a scaling policy.
    Ordered,
}

/// One host's load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostNow {
    /// Replicas placed there.
    pub replicas: u32,
    /// GPUs that the cells of these replicas would want, all together.
    pub wanted: u64,
    /// Bytes of main memory that these replicas are expected to need, and those of the machine; 0 when that is not known.
    pub claimed: u64,
    pub memory: u64,
    /// GPUs that cells hold.
    pub leased: u32,
    /// Cells in line for GPUs.
    pub waiting: u32,
}

impl HostNow {
    /// Nothing there would be disturbed if it drained.
    pub(super) fn is_quiet(&self) -> bool {
        self.leased == 0 && self.waiting == 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    AddHosts(u32),
    /// Its replicas are to move elsewhere.
    DrainHost(NodeName),
    /// It has no replicas, or never came.
    RemoveHost(NodeName),
}
