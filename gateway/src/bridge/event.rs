//! What the bridge's core is told, and what it asks its actor to do.

use std::collections::BTreeMap;

use bytes::Bytes;
use nbos_kernel::JupyterMessage;
use nbos_kernel::protocol::{Channel, Cursor, KernelEvent, Origin, ReplicaReply};
use nbos_mesh::NodeName;

use crate::framing::Inbound;

/// Milliseconds of a monotonic clock.
pub(crate) type Millis = u64;

/// A client's session with one kernel; outlives its sockets. Travels as [`Origin::connection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId(pub(crate) u64);

/// One WebSocket of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SocketId(pub(crate) u64);

/// Names one call in flight; an answer to a call given up is recognised by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// What the mesh thinks of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    Up { incarnation: u64 },
    Suspected,
    Down,
}

/// How a call to a replica ended.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Reply(ReplicaReply),
    /// Nobody listens there yet: the call did nothing.
    Absent,
    /// The mesh's budget to that node is used up: the call did nothing.
    Busy,
    /// Unreachable, no answer in time, or not understood: the call may have been carried out.
    Lost,
}

#[derive(Debug)]
pub(crate) enum Event {
    /// The kernel's hosts, in order of preference as executor.
    Placed(Vec<NodeName>),
    /// The kernel was deleted.
    Deleted,
    /// The kernel was restarted through this gateway: what was sent before is not sent again.
    Restarted,
    Peers(BTreeMap<NodeName, Health>),
    FromClient {
        client: ClientId,
        inbound: Inbound,
    },
    Detach {
        client: ClientId,
        socket: SocketId,
    },
    Submitted {
        ticket: Ticket,
        answer: Answer,
    },
    Subscribed {
        ticket: Ticket,
        answer: Answer,
    },
    FromKernel(KernelEvent),
    /// The time asked for with `Core::next_wake` has come.
    Wake,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Submit {
        ticket: Ticket,
        host: NodeName,
        origin: Origin,
        channel: Channel,
        message: JupyterMessage,
    },
    Subscribe {
        ticket: Ticket,
        host: NodeName,
        connections: u32,
        seen: Option<Cursor>,
    },
    Unsubscribe {
        host: NodeName,
    },
    /// Put a message in a client's outbox.
    Deliver {
        client: ClientId,
        channel: Channel,
        message: JupyterMessage,
    },
    /// Tell a client on stderr, as part of the output of `parent`.
    Notice {
        client: ClientId,
        parent: Bytes,
        notice: Notice,
    },
    /// End a client's execute request with an error: `error`, `execute_reply`, `idle`.
    Fail {
        client: ClientId,
        request: JupyterMessage,
        failure: Failure,
    },
    /// The client is gone for good.
    Forget {
        client: ClientId,
    },
    /// Close every socket: the kernel was deleted.
    CloseAll,
    /// Nobody needs the bridge any more.
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The executor no longer held output that had not reached this gateway.
    OutputLost,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No replica took the request in time.
    Unreachable,
    /// The bridge's list is full.
    TooManyPending,
    /// A replica refused, with its code.
    Refused { code: String, message: String },
}
