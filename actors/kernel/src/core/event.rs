//! What can happen to a replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use nbos_mesh::NodeName;
use serde::Deserialize;

use super::{Micros, ProposalId};
use crate::id::CellSeq;
use crate::message::JupyterMessage;
use crate::protocol::{Channel, ReplicaRequest};
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
    Members(Vec<Member>),
    Peers(BTreeMap<NodeName, Liveness>),
    Request {
        ticket: Ticket,
        request: ReplicaRequest,
    },
    Child(ChildEvent),
    /// The large payloads of a cell's delta are on a quorum (or could not be stored: why).
    Stored {
        seq: CellSeq,
        groups: Result<Vec<Group>, String>,
    },
    /// Answer to a lease request, or why there is no lease.
    Leased {
        msg_id: String,
        result: Result<(), String>,
    },
    /// The ledger no longer grants the running cell its GPUs.
    LeaseLost,
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
    /// An `Apply` was carried out, except for what is named.
    Applied {
        id: u64,
        failed: Vec<String>,
    },
    /// What an `Apply` needs could not be fetched.
    ApplyFailed {
        id: u64,
    },
    /// The process ended, or could not be started: why.
    Exited {
        why: String,
    },
}

/// A cell's change of state as the child reports it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawDelta {
    pub msg_id: String,
    pub groups: Vec<RawGroup>,
    pub deleted: Vec<String>,
    pub pinned: Vec<RawPinned>,
    pub execution_count: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct RawGroup {
    pub key: String,
    pub names: Vec<String>,
    pub rank: u8,
    pub payload: Bytes,
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
