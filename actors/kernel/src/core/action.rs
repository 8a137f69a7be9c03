//! What a replica wants done.

use std::sync::Arc;

use nbos_mesh::NodeName;

use super::event::{RawGroup, Ticket};
use crate::id::CellSeq;
use crate::message::JupyterMessage;
use crate::protocol::{Channel, EventBody, Pinned, ReplicaReply};
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
    /// Moves large payloads to the object stores of a quorum.
    Store {
        seq: CellSeq,
        groups: Vec<RawGroup>,
    },
    Lease {
        msg_id: String,
        gpus: u32,
    },
    ReleaseLease,
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
    Apply {
        id: u64,
        groups: Vec<Group>,
        deleted: Vec<String>,
        pinned: Vec<Pinned>,
        execution_count: u64,
    },
}
