//! What a replica actor is told.

use std::collections::BTreeSet;

use nbos_mesh::{Delivery, NodeName};
use nbos_objects::BlobId;
use ractor::RpcReplyPort;

use crate::child::Flow;
use crate::core::{Event, Membership};
use crate::protocol::{Cursor, ReplicaInfo};

pub(super) enum Message {
    /// A request that came over the mesh.
    Delivery(Delivery),
    /// Something the core is to decide about.
    Event(Event),
    /// The Python child's doings.
    Child(Flow),
    /// The control state moved replicas.
    Members(Membership),
    /// The failure detector's view changed.
    PeersChanged,
    Tick,
    /// What a request for GPUs came to.
    Leased {
        asked: u64,
        msg_id: String,
        lease: Result<nbos_gpu::Lease, nbos_gpu::Error>,
    },
    /// The lease of the running cell could not be renewed.
    LeaseLost(nbos_gpu::LeaseId, nbos_gpu::Error),
    /// What became of an event too large to be cast.
    LargeSent {
        gateway: NodeName,
        cursor: Cursor,
        sent: Result<(), nbos_mesh::Error>,
    },
    /// What this replica knows, for the host's list.
    Info(RpcReplyPort<ReplicaInfo>),
    /// Objects that the session's state refers to.
    Blobs(RpcReplyPort<BTreeSet<BlobId>>),
}

impl ractor::Message for Message {}

impl From<Delivery> for Message {
    fn from(delivery: Delivery) -> Self {
        Self::Delivery(delivery)
    }
}

impl TryFrom<Message> for Delivery {
    type Error = ();

    fn try_from(message: Message) -> Result<Self, ()> {
        match message {
            Message::Delivery(delivery) => Ok(delivery),
            Message::Event(_)
            | Message::Child(_)
            | Message::Members(_)
            | Message::PeersChanged
            | Message::Tick
            | Message::Leased { .. }
            | Message::LeaseLost(..)
            | Message::LargeSent { .. }
            | Message::Info(_)
            | Message::Blobs(_) => Err(()),
        }
    }
}
