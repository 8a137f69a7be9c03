//! What a replica wants done.

use std::sync::Arc;

use nbos_mesh::NodeName;
use nbos_objects::BlobId;

use super::Micros;
use super::event::{Arrival, Ticket};
use crate::message::JupyterMessage;
use crate::protocol::{Channel, ElectionId, EventBody, LentCell, Origin, Pinned, ReplicaReply, Room};
use crate::state::{Command, Group};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProposalId(pub u64);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recipients {
    /// Every subscribed gateway.
    Subscribers,
    One(NodeName),
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Propose {
        id: ProposalId,
        command: Arc<Command>,
    },
    Answer {
        ticket: Ticket,
        reply: ReplicaReply,
    },
    /// Takes the gateway in, or renews it, and sends again what it has not seen.
    Subscribe {
        ticket: Ticket,
        gateway: NodeName,
        connections: u32,
        seen: Option<crate::protocol::Cursor>,
    },
    Unsubscribe {
        gateway: NodeName,
    },
    Publish {
        to: Recipients,
        body: EventBody,
    },
    /// The epoch changed: events are numbered anew.
    NewEpoch(crate::id::Epoch),
    Child(ChildCommand),
    /// Waits until the chunks of a change are in the object stores of a quorum; answered with `Stored`.
    Store {
        change: Arrival,
        chunks: Vec<BlobId>,
        bytes: u64,
    },
    /// Nobody waits for that any more.
    StopStoring,
    /// Brings a group's chunks to this host; answered with `Fetched`.
    Fetch {
        key: String,
        chunks: Vec<BlobId>,
    },
    /// Brings chunks to this host when there is time: a copy of the session is complete only with them.
    Pull(Vec<BlobId>),
    /// Asks the executor to commit what a scrub finds; answered with `Scrubbed`.
    AskScrub {
        asked: u64,
        host: NodeName,
        within: Micros,
    },
    /// Asks a host's replica to become the executor for a cell; answered with `Moved`.
    AskMove {
        host: NodeName,
        msg_id: String,
        /// The cell itself, if its GPUs wait there.
        lent: Option<Box<LentCell>>,
    },
    /// Sends a client's request on to the new executor.
    Forward {
        host: NodeName,
        origin: Origin,
        message: JupyterMessage,
    },
    /// The client wants a cell that went there to stop.
    ForwardInterrupt {
        host: NodeName,
    },
    /// Asks this host for GPUs; answered with `Leased`.
    Lease {
        msg_id: String,
        gpus: u32,
        /// Longest wait in the line.
        within: Micros,
        /// For two seconds, until it is confirmed.
        on_condition: bool,
    },
    /// Nobody waits for the answer any more.
    LeaveLine,
    ConfirmLease,
    ReleaseLease,
    /// Asks a host's replica for GPUs there; answered with `Room`.
    AskRoom {
        host: NodeName,
        room: Room,
    },
    /// They are not needed.
    LeaveRoom {
        host: NodeName,
        election: ElectionId,
    },
    /// Asks where the cell stands in a host's line, this one's or another's; answered with `Place`.
    AskPlace {
        host: NodeName,
        election: ElectionId,
    },
    /// Tells those who place replicas that no host of this kernel has room for a cell.
    AskRelocation {
        gpus: u32,
        waited: Micros,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum ChildCommand {
    Start,
    Kill,
    /// `SIGINT`.
    Interrupt,
    Send {
        channel: Channel,
        message: JupyterMessage,
    },
    Apply(Box<Apply>),
    /// Asks for a full pass between requests.
    Scrub {
        id: u64,
    },
    /// Asks which of these names a cell can touch.
    Touches {
        id: u64,
        code: String,
        of: Vec<String>,
    },
}

/// A change of state for the child to apply.
#[derive(Clone, Debug, Default)]
pub(crate) struct Apply {
    pub id: u64,
    /// The child's request that it answers.
    pub need: Option<u64>,
    pub groups: Vec<Group>,
    /// Groups that exist and are not sent now.
    pub deferred: Vec<Group>,
    /// Groups whose bytes exist nowhere, and why.
    pub failed: Vec<(Group, String)>,
    pub deleted: Vec<String>,
    pub pinned: Vec<Pinned>,
    pub execution_count: u64,
    /// Chunks that are not on this host are waited for this long; groups that still lack some are deferred.
    pub patience: Micros,
}
