//! What gateways and replicas say to each other over the mesh.
//!
//! A replica listens at [`replica_path`]; a gateway listens at [`GATEWAY_PATH`]. Requests are mesh *calls* answered with
//! [`ReplicaReply`]; events are mesh *casts* of [`KernelEvent`], first in first out per replica. Every body goes
//! through `nbos_mesh::codec`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use nbos_mesh::NodeName;
use serde::{Deserialize, Serialize};

use crate::id::{CellSeq, Epoch, KernelId, Version};
use crate::message::JupyterMessage;

/// Mesh path of a gateway's event endpoint.
pub const GATEWAY_PATH: &str = "gateway";

/// Mesh path at which control nodes hear of cells without room.
pub const RELOCATE_PATH: &str = "relocate";

/// A gateway renews its subscription this often; also how soon a lost event is noticed.
pub const SUBSCRIPTION_RENEWAL: Duration = Duration::from_millis(1_000);

/// A replica forgets a gateway that has not renewed for this long (five renewals).
pub const SUBSCRIPTION_LEASE: Duration = Duration::from_millis(5_000);

/// Mesh path of a kernel's replica on any host: a host has at most one replica of a kernel (invariant 1).
pub fn replica_path(kernel: KernelId) -> String {
    format!("kernel/{kernel}")
}

/// A message of this module, or of another with derived serialisation, as it travels.
pub fn to_bytes<T: Serialize>(message: &T) -> Bytes {
    nbos_mesh::codec::encode(message).expect("invariant: derived serialisation into memory does not fail")
}

/// The Jupyter channel a message travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Channel {
    Shell,
    Control,
    Stdin,
    Iopub,
}

impl Channel {
    pub fn name(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Control => "control",
            Self::Stdin => "stdin",
            Self::Iopub => "iopub",
        }
    }
}

/// The WebSocket connection a request came from; replies and `input_request`s go back to it alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    pub gateway: NodeName,
    /// Unique within the gateway process's lifetime.
    pub connection: u64,
}

/// Where a gateway stands in the stream of a replica's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    pub epoch: Epoch,
    /// Number of the last event seen in that epoch; events are numbered from 1.
    pub number: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ReplicaRequest {
    /// A client's message. An `execute_request` becomes a cell; anything else goes to the executor's Python child untouched.
    /// Requests of one gateway are taken in the order they were sent. Sent again after a failure with the same `msg_id`, a cell is
    /// not run twice: its stored outputs and reply are sent again.
    Submit {
        origin: Origin,
        channel: Channel,
        message: JupyterMessage,
    },
    /// Asks for events. Renewed every [`SUBSCRIPTION_RENEWAL`]; doubles as the report of open connections. Events after `seen`
    /// that the replica still holds are sent again.
    Subscribe {
        gateway: NodeName,
        connections: u32,
        seen: Option<Cursor>,
    },
    /// The gateway has no connection to this kernel any more.
    Unsubscribe { gateway: NodeName },
    /// Stops the running cell with `KeyboardInterrupt`.
    Interrupt,
    /// A new Python process with an empty namespace on every replica. Answered when the executor's answers `kernel_info`.
    Restart,
    /// Makes this replica the executor; answered with `Done` when it can run a cell.
    Handover,
    /// From the executor: a cell touches what is pinned at this replica, which becomes the executor if its Python process still lives;
    /// answered with `Done` when it can run the cell. With `lent`, the cell's GPUs wait here since a `Room`, and it is started at once.
    Take {
        msg_id: String,
        lent: Option<Box<LentCell>>,
    },
    /// From the executor, whose host has no GPUs for a cell: lease them here on condition, for two seconds; answered with `Done`
    /// when they are held. A newer one takes the place of an older one.
    Room(Room),
    /// From the executor, whose cell waits here: where does it stand? Answered with `Place`.
    Place,
    /// From the executor: they are not needed, nor what an earlier election asked for.
    LeaveRoom { election: ElectionId },
    /// From a replica that is to become the executor: make a full pass over the session, commit what it finds and start no cell for a
    /// moment; answered with `Scrubbed`, or with `Busy` when there was no time for it.
    Scrub,
    /// What this replica knows; answered with `Info`.
    Info,
    /// From a control node: the kernel's group is to consist of these replicas; answered with `Done` when it does.
    Reshape {
        voters: BTreeMap<u64, NodeName>,
        /// They learn the log and do not vote.
        learners: BTreeMap<u64, NodeName>,
        known: Known,
        within_us: u64,
    },
}

/// What is known of replicas that are made voters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Known {
    /// Nothing: they have to have the log first.
    Nothing,
    /// They voted before and never lost what they had.
    HasVoted,
}

/// Names the search for a cell's GPUs. Later ones are greater, those of later executors too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ElectionId {
    /// The executor's.
    pub epoch: Epoch,
    pub round: u64,
}

/// GPUs wanted for a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    pub election: ElectionId,
    pub msg_id: String,
    pub gpus: u32,
    /// How long to stand in the host's line for them.
    pub within_us: u64,
}

/// Cast by an executor to every control node: a cell stands in the lines of all of its kernel's hosts and none has room. Whoever
/// schedules may move a replica to a host that has; the cell's election asks that host as soon as the replica there is a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relocate {
    pub kernel: KernelId,
    pub gpus: u32,
    /// Bytes of memory that each of them must have.
    pub vram: u64,
    /// How long the cell has stood in line.
    pub waited_us: u64,
}

/// Where a request for GPUs stands in its host's line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// From 1.
    pub position: u32,
    /// Requests in the line.
    pub waiting: u32,
    /// What they wait for, for people.
    pub reason: String,
}

/// GPUs that a kernel's next cell waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    pub gpus: u32,
    /// Unix time, microseconds.
    pub since_us: u64,
    /// The host in whose line it is nearest to the front, once that is known.
    pub nearest: Option<(NodeName, Place)>,
}

/// A cell that goes to where its GPUs are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LentCell {
    /// The client's request.
    pub message: JupyterMessage,
    /// Everyone who waits for its reply.
    pub origins: Vec<Origin>,
    pub gpus: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ReplicaReply {
    /// `Submit`: queued at the executor, in memory. Keep the request until its reply arrives and submit it again if the executor is lost.
    Accepted,
    /// `Submit`, `Subscribe`, `Interrupt`, `Restart`: this replica is not the executor; try that host.
    Redirect {
        executor: NodeName,
    },
    /// `Submit`: a bounded queue is full; try again shortly.
    Busy,
    /// `Subscribe`: subscribed to the executor; `status` is its current execution state.
    Subscribed {
        epoch: Epoch,
        status: ExecutionState,
    },
    /// The request was carried out.
    Done,
    /// `Scrub`: all that this executor's process holds is committed up to this version.
    Scrubbed {
        version: Version,
    },
    Info(Box<ReplicaInfo>),
    /// `Place`: none when nothing of this kernel waits here.
    Place(Option<Place>),
    /// The request cannot be carried out; `code` is a stable `NB04xx`.
    Refused {
        code: String,
        message: String,
    },
}

/// Jupyter's `execution_state`; front ends reject any other value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecutionState {
    Starting,
    Idle,
    Busy,
    Restarting,
    Dead,
}

impl ExecutionState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Restarting => "restarting",
            Self::Dead => "dead",
        }
    }
}

/// Something for the clients of a kernel, cast by its executor to every subscribed gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KernelEvent {
    pub kernel: KernelId,
    /// Host of the replica that sends it.
    pub host: NodeName,
    /// Its number in that executor's stream. A hole means lost events: subscribe again with the last cursor.
    pub cursor: Cursor,
    pub body: EventBody,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum EventBody {
    /// An iopub message, for every client. `cell` numbers the messages of one cell from 1 in the order they were published; a gateway
    /// drops a message whose number it has already passed for that `msg_id` (a replay after fail-over).
    Iopub {
        cell: Option<CellOutput>,
        message: JupyterMessage,
    },
    /// A shell or control reply, or an `input_request` (stdin), for the requester alone. An execute reply comes after its commit.
    Reply {
        origin: Origin,
        channel: Channel,
        message: JupyterMessage,
    },
    /// Events up to and including `upto` were dropped from the replay buffer: tell the clients that output was lost.
    Gap { upto: u64 },
}

/// Place of an iopub message among those of its cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellOutput {
    pub msg_id: String,
    pub number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Executor,
    Standby,
    Joining,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Standby => "standby",
            Self::Joining => "joining",
        }
    }
}

/// A variable that lives on one replica only because it could not be pickled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub why: String,
    /// Host that holds the live object.
    pub home: String,
    /// Execution count of the cell to run again when the home is gone.
    pub cell: u64,
}

/// One replica's view of its kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicaInfo {
    pub kernel: KernelId,
    pub host: NodeName,
    pub replica: u64,
    pub role: Role,
    /// Process id of the Python child, if one runs.
    pub pid: Option<u32>,
    /// Last cell whose effect the Python child holds.
    pub applied: CellSeq,
    /// Last cell finished in the log.
    pub cells: CellSeq,
    pub epoch: Epoch,
    pub executor: Option<NodeName>,
    pub state: ExecutionState,
    /// Unix time, microseconds.
    pub last_activity_us: u64,
    /// Open client connections over all subscribed gateways.
    pub connections: u32,
    pub execution_count: u64,
    pub pinned: Vec<Pinned>,
    /// GPUs of the cell that runs now.
    pub gpus: u32,
    /// What the next cell waits for.
    pub awaited: Option<Awaited>,
    /// A change on its way to a majority of the hosts.
    pub replicating: Option<Replicating>,
    /// It was told to leave, is not the executor, and nothing that it has begun can make it that.
    pub retired: bool,
    /// Last entry of the log that it has applied.
    pub log: u64,
    /// Objects of the session that are yet to come to its host.
    pub lacks: u64,
}

/// How far the large objects of a change have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicating {
    /// Bytes on a majority of the replicas' hosts.
    pub done: u64,
    /// Bytes known so far; grows while the change is still being captured.
    pub total: u64,
}

/// Environment variables a client may give a kernel, and the resources it asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelSpec {
    /// Name of the kernelspec, as in `GET /api/kernelspecs`.
    pub name: String,
    pub env: BTreeMap<String, String>,
    /// Working directory asked for; the replica falls back to its own when it does not exist.
    pub path: Option<String>,
    /// GPUs a cell gets unless its metadata says otherwise.
    pub gpus: u32,
    /// Bytes of memory that each of these GPUs must have.
    pub vram: u64,
    /// Bytes of main memory that a replica is expected to need.
    pub memory: u64,
}

impl KernelSpec {
    /// Whom the kernel belongs to, as far as sharing GPUs is concerned: what front ends for many users put into its environment, else
    /// nobody in particular.
    pub fn user(&self) -> &str {
        self.env.get("KERNEL_USERNAME").map_or("", String::as_str)
    }
}
