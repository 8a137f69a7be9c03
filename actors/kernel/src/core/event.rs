//! What can happen to a replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use nbos_mesh::NodeName;
use nbos_objects::BlobId;
use serde::Deserialize;

use super::{Membership, Micros, ProposalId};
use crate::id::Version;
use crate::message::JupyterMessage;
use crate::protocol::{Channel, ElectionId, Place, ReplicaRequest};
use crate::state::{Command, Group, KernelState};

/// Stands for a caller that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub u64);

/// One replica of the kernel and where it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub replica: u64,
    pub host: NodeName,
}

/// What the failure detector says of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// It answers; this start of its process does.
    Up { incarnation: u64 },
    /// Silent: its process may still run.
    Suspected,
    /// Its process is gone.
    Down,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The log starts from this snapshot.
    Restored(Box<KernelState>),
    /// The next committed command.
    Applied(Arc<Command>),
    /// The fate of a proposal is unknown.
    ProposalFailed(ProposalId),
    Members(Membership),
    Peers(BTreeMap<NodeName, Liveness>),
    Request {
        ticket: Ticket,
        request: ReplicaRequest,
    },
    Child(ChildEvent),
    /// The chunks of a change are on a quorum, or could not be stored in time.
    Stored {
        change: Arrival,
        result: Result<(), Failure>,
    },
    /// They cannot be stored now; it is tried again.
    StoreWaits {
        change: Arrival,
        failure: Failure,
    },
    /// The chunks of one group are on this host, or not.
    Fetched {
        key: String,
        result: Result<(), FetchFailure>,
    },
    /// The executor has committed all that its scrub found, up to this version; or it did not.
    Scrubbed {
        asked: u64,
        version: Option<Version>,
    },
    /// Whether the home of what a cell touches became the executor.
    Moved {
        msg_id: String,
        done: bool,
    },
    /// Answer to a lease request, or why there is no lease.
    Leased {
        msg_id: String,
        result: Result<(), Failure>,
    },
    /// Whether a host holds GPUs for a cell.
    Room {
        election: ElectionId,
        host: NodeName,
        result: Result<(), Failure>,
    },
    /// Where the cell stands in a host's line, if it stands there.
    Place {
        election: ElectionId,
        host: NodeName,
        place: Option<Place>,
    },
    /// The ledger no longer grants the running cell its GPUs.
    LeaseLost {
        why: String,
    },
    Tick {
        /// Time since a majority of the replicas' hosts, this one included, was last heard from.
        quorum_silent_us: Micros,
    },
}

/// What the Python child does.
#[derive(Clone, Debug)]
pub(crate) enum ChildEvent {
    /// It serves requests.
    Ready {
        pid: u32,
    },
    Message {
        channel: Channel,
        message: JupyterMessage,
    },
    Delta(RawDelta),
    /// A chunk of a change that is being captured was taken.
    Chunk(BlobId),
    /// A chunk cannot be stored now; it is tried again while the child waits.
    ChunkWaits(Failure),
    /// A chunk could not be stored in time: the change it belongs to is lost.
    ChunkLost(Failure),
    /// An `Apply` is on its way, with these groups left for later because their bytes are not here.
    Applying {
        id: u64,
        left: Vec<String>,
    },
    /// An `Apply` was carried out, except for what is named.
    Applied {
        id: u64,
        failed: Vec<String>,
    },
    /// The cell about to run can touch these groups, which were left for later.
    Need {
        id: u64,
        keys: Vec<String>,
    },
    /// The names a cell can touch, of those asked about.
    Touched {
        id: u64,
        names: Vec<String>,
        gpu: GpuUse,
    },
    /// A cell ended and its GPUs are free, but for what could not leave them. Comes before the cell's change.
    Released(Released),
    /// The process ended, or could not be started: why.
    Exited {
        why: String,
    },
}

/// Whether a cell can use a GPU. "Not" is a proof; anything doubtful is "may".
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct GpuUse {
    pub may: bool,
    /// What leads there, for people.
    pub why: Option<String>,
}

/// What a cell left on its GPUs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Released {
    pub msg_id: String,
    pub took_us: u64,
    pub left: Vec<LeftOnDevice>,
}

/// Memory that stays on a device until its process ends, or until the notebook lets go of what holds it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct LeftOnDevice {
    /// The device's index on its host.
    pub index: u32,
    pub bytes: u64,
    pub why: String,
}

/// Position of a change among those that came from this replica's children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival(pub u64);

/// What stands in the way, for people, with its stable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub code: String,
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FetchFailure {
    /// Every host that could have it says that it does not.
    Nowhere(String),
    /// It may work later.
    Later,
}

/// A change of state as the child reports it.
#[derive(Clone, Debug)]
pub(crate) struct RawDelta {
    pub of: Captured,
    pub groups: Vec<Group>,
    pub deleted: Vec<String>,
    pub pinned: Vec<RawPinned>,
    pub execution_count: u64,
}

/// What a capture followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Captured {
    Cell {
        msg_id: String,
    },
    /// A full pass between cells; `order` when the replica asked for it.
    Scrub {
        order: Option<u64>,
    },
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RawPinned {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub why: String,
    pub home: Option<String>,
    pub cell: Option<u64>,
}
