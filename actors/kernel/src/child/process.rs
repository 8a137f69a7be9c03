//! Starts one Python process and moves messages between it and the replica actor until it ends.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use nbos_objects::BlobId;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeromq::{DealerSocket, SocketRecv, SocketSend, SubSocket};

use super::boot::{Booted, NUDGE_PREFIX, Sockets};
use super::buffers::Buffers;
use super::launch::Given;
use super::side::{self, Frame, Order};
use super::warm::WarmPool;
use super::wire::Signer;
use crate::chunks::Chunks;
use crate::core::{ChildEvent, Failure};
use crate::message::JupyterMessage;
use crate::protocol::Channel;

/// Tells one process's events from those of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incarnation(pub(crate) u64);

/// Bytes of events on their way from one child to its replica actor; beyond this the child's sockets are not read.
const FLOW_BYTES: usize = 32 << 20;

/// Messages waiting to be written to one socket of the child.
const MAX_WAITING: usize = 1_024;

/// Orders waiting to be written to the side channel; an apply carries inline bytes only.
const MAX_ORDERS: usize = 16;

/// Chunks of the child handed to the store at once: enough to keep disk and network busy, 16 MiB in memory.
const CHUNKS_AT_ONCE: usize = 4;

/// What the replica actor gets, with its share of the flow-control budget.
pub(crate) struct Flow {
    pub(crate) incarnation: Incarnation,
    pub(crate) event: ChildEvent,
    /// Gives the bytes back when the event has been handled.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// Orders to a running child.
pub(crate) struct ChildHandle {
    pub(crate) incarnation: Incarnation,
    shell: mpsc::Sender<JupyterMessage>,
    control: mpsc::Sender<JupyterMessage>,
    stdin: mpsc::Sender<JupyterMessage>,
    side: mpsc::Sender<Order>,
    killed: CancellationToken,
    pid: Arc<std::sync::OnceLock<u32>>,
}

impl ChildHandle {
    /// Whether it was taken: not when the queue is full or the process gone.
    #[must_use]
    pub(crate) fn send(&self, channel: Channel, message: JupyterMessage) -> bool {
        let sender = match channel {
            Channel::Shell => &self.shell,
            Channel::Control => &self.control,
            Channel::Stdin => &self.stdin,
            // Clients do not write to iopub.
            Channel::Iopub => return true,
        };
        sender.try_send(message).is_ok()
    }

    /// Where changes of state and questions go; each is answered with an event.
    pub(crate) fn orders(&self) -> mpsc::Sender<Order> {
        self.side.clone()
    }

    pub(crate) fn interrupt(&self) {
        if let Some(pid) = self.pid.get().and_then(|pid| i32::try_from(*pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
    }

    pub(crate) fn kill(&self) {
        self.killed.cancel();
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid.get().copied()
    }
}

impl Drop for ChildHandle {
    fn drop(&mut self) {
        self.killed.cancel();
    }
}

/// Where a child's events go.
pub(crate) type Sink = Arc<dyn Fn(Flow) + Send + Sync>;

/// What one process is started with.
pub(crate) struct Start {
    pub(crate) incarnation: Incarnation,
    pub(crate) warm: WarmPool,
    pub(crate) given: Given,
    pub(crate) chunks: Chunks,
}

/// Starts a process in the background. Its first event is `Ready` or `Exited`; its last is always `Exited`.
pub(crate) fn spawn(start: Start, sink: Sink) -> ChildHandle {
    let (shell, shell_inbox) = mpsc::channel(MAX_WAITING);
    let (control, control_inbox) = mpsc::channel(MAX_WAITING);
    let (stdin, stdin_inbox) = mpsc::channel(MAX_WAITING);
    let (side, side_inbox) = mpsc::channel(MAX_ORDERS);
    let killed = CancellationToken::new();
    let pid = Arc::new(std::sync::OnceLock::new());
    let handle = ChildHandle {
        incarnation: start.incarnation,
        shell,
        control,
        stdin,
        side,
        killed: killed.clone(),
        pid: Arc::clone(&pid),
    };
    let life = Life {
        flow: Arc::new(Semaphore::new(FLOW_BYTES)),
        sink,
        incarnation: start.incarnation,
        killed,
        pid,
        inboxes: Inboxes {
            shell: shell_inbox,
            control: control_inbox,
            stdin: stdin_inbox,
            side: side_inbox,
        },
    };
    tokio::spawn(life.live(start));
    handle
}

struct Inboxes {
    shell: mpsc::Receiver<JupyterMessage>,
    control: mpsc::Receiver<JupyterMessage>,
    stdin: mpsc::Receiver<JupyterMessage>,
    side: mpsc::Receiver<Order>,
}

struct Life {
    flow: Arc<Semaphore>,
    sink: Sink,
    incarnation: Incarnation,
    killed: CancellationToken,
    pid: Arc<std::sync::OnceLock<u32>>,
    inboxes: Inboxes,
}

#[derive(Clone)]
struct Outlet {
    flow: Arc<Semaphore>,
    sink: Sink,
    incarnation: Incarnation,
}

impl Outlet {
    /// For the few that must not wait.
    fn tell(&self, event: ChildEvent) {
        (self.sink)(Flow {
            incarnation: self.incarnation,
            event,
            permit: None,
        });
    }

    /// Waits while too much is on its way: the child's sockets fill up and the child waits in turn.
    async fn put(&self, event: ChildEvent, bytes: usize) {
        let share = u32::try_from(bytes.clamp(256, FLOW_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.flow).acquire_many_owned(share).await.ok();
        (self.sink)(Flow {
            incarnation: self.incarnation,
            event,
            permit,
        });
    }
}

impl Life {
    async fn live(self, start: Start) {
        let Self {
            flow,
            sink,
            incarnation,
            killed,
            pid,
            inboxes,
        } = self;
        let outlet = Outlet {
            flow,
            sink,
            incarnation,
        };
        let why = match run(start, &outlet, &killed, &pid, inboxes).await {
            Ok(why) | Err(why) => why,
        };
        (outlet.sink)(Flow {
            incarnation,
            event: ChildEvent::Exited { why },
            permit: None,
        });
    }
}

/// Runs the process to its end; both results say why it ended.
async fn run(
    start: Start,
    outlet: &Outlet,
    killed: &CancellationToken,
    pid: &std::sync::OnceLock<u32>,
    inboxes: Inboxes,
) -> Result<String, String> {
    let began = Instant::now();
    let Booted {
        mut process,
        files,
        stream,
        sockets,
        signer,
        guard,
    } = start.warm.take_or_boot(&start.given, killed).await?;
    let id = process.id();
    tracing::debug!(pid = id, took = ?began.elapsed(), "python process ready");
    let _ = pid.set(id);
    outlet.put(ChildEvent::Ready { pid: id }, 0).await;
    let pumps = pump(stream, sockets, signer, outlet, inboxes, start.chunks.clone());
    let result = tokio::select! {
        why = pumps => Err(files.with_log(why)),
        status = process.wait() => Ok(files.with_log(status)),
        () = killed.cancelled() => Ok("it was ended on purpose".to_owned()),
    };
    process.end().await;
    guard.forget(id).await;
    result
}

/// Moves messages both ways until something breaks; says what.
async fn pump(
    stream: UnixStream,
    sockets: Sockets,
    signer: Signer,
    outlet: &Outlet,
    inboxes: Inboxes,
    chunks: Chunks,
) -> String {
    let (side_read, side_write) = stream.into_split();
    tokio::select! {
        why = pump_dealer(Channel::Shell, sockets.shell, signer.clone(), outlet.clone(), inboxes.shell) => why,
        why = pump_dealer(Channel::Control, sockets.control, signer.clone(), outlet.clone(), inboxes.control) => why,
        why = pump_dealer(Channel::Stdin, sockets.stdin, signer.clone(), outlet.clone(), inboxes.stdin) => why,
        why = pump_iopub(sockets.iopub, signer, outlet.clone()) => why,
        why = pump_side(side_read, outlet.clone(), chunks.clone()) => why,
        why = pump_orders(side_write, inboxes.side, chunks) => why,
    }
}

async fn pump_dealer(
    channel: Channel,
    socket: DealerSocket,
    signer: Signer,
    outlet: Outlet,
    mut inbox: mpsc::Receiver<JupyterMessage>,
) -> String {
    let (mut send, mut recv) = socket.split();
    let reader = async {
        loop {
            let zmq = match recv.recv().await {
                Ok(zmq) => zmq,
                Err(error) => return format!("its {} socket broke: {error}", channel.name()),
            };
            emit(&signer, zmq, channel, &outlet).await;
        }
    };
    let writer = async {
        while let Some(message) = inbox.recv().await {
            if let Err(error) = send.send(signer.encode(&message)).await {
                return format!("its {} socket broke: {error}", channel.name());
            }
        }
        // The handle is gone, and the process with it soon.
        std::future::pending().await
    };
    tokio::select! { why = reader => why, why = writer => why }
}

async fn pump_iopub(mut socket: SubSocket, signer: Signer, outlet: Outlet) -> String {
    loop {
        match socket.recv().await {
            Ok(zmq) => emit(&signer, zmq, Channel::Iopub, &outlet).await,
            Err(error) => return format!("its iopub socket broke: {error}"),
        }
    }
}

async fn emit(signer: &Signer, zmq: zeromq::ZmqMessage, channel: Channel, outlet: &Outlet) {
    match signer.decode(zmq) {
        Ok(message) if message.parent_fields().msg_id.starts_with(NUDGE_PREFIX) => {}
        Ok(message) => {
            let bytes = message.size();
            outlet.put(ChildEvent::Message { channel, message }, bytes).await;
        }
        Err(error) => tracing::warn!(%error, channel = channel.name(), "kernel message dropped"),
    }
}

async fn pump_side(read: tokio::net::unix::OwnedReadHalf, outlet: Outlet, chunks: Chunks) -> String {
    let mut read = tokio::io::BufReader::with_capacity(64 << 10, read);
    let mut taking = Taking {
        tasks: JoinSet::new(),
        outlet: outlet.clone(),
        chunks,
    };
    let mut buffers = Buffers::default();
    loop {
        let event = match side::read(&mut read, &buffers).await {
            Ok(Frame::Chunk { id, bytes }) => match taking.add(id, bytes).await {
                Ok(()) => continue,
                Err(why) => return why,
            },
            // A delta is one cell's, and a cell is one at a time: no budget, or a large one could wait for itself.
            Ok(Frame::Delta(delta)) => {
                buffers.release();
                match taking.finish().await {
                    Ok(()) => ChildEvent::Delta(delta),
                    Err(why) => return why,
                }
            }
            Ok(Frame::Applied { id, failed }) => ChildEvent::Applied { id, failed },
            Ok(Frame::Need { id, keys }) => ChildEvent::Need { id, keys },
            Ok(Frame::Touched { id, names, gpu }) => ChildEvent::Touched { id, names, gpu },
            Ok(Frame::Released(released)) => {
                side::tell_release(&released);
                ChildEvent::Released(released)
            }
            Ok(Frame::Hello | Frame::Begun | Frame::Pong) => continue,
            Err(error) => return format!("its side channel broke: {error}"),
        };
        outlet.put(event, 0).await;
    }
}

/// Chunks on their way from the child to the store. While the store has no room nothing more is read, and the child waits.
struct Taking {
    tasks: JoinSet<Result<BlobId, Failure>>,
    outlet: Outlet,
    chunks: Chunks,
}

impl Taking {
    async fn add(&mut self, id: BlobId, bytes: Bytes) -> Result<(), String> {
        while self.tasks.len() >= CHUNKS_AT_ONCE {
            self.next().await?;
        }
        let (chunks, outlet) = (self.chunks.clone(), self.outlet.clone());
        self.tasks.spawn(async move {
            let waits = |failure| outlet.tell(ChildEvent::ChunkWaits(failure));
            chunks.take_in(id, bytes, waits).await.map(|()| id)
        });
        Ok(())
    }

    /// All that came so far is stored.
    async fn finish(&mut self) -> Result<(), String> {
        while !self.tasks.is_empty() {
            self.next().await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<(), String> {
        match self.tasks.join_next().await {
            Some(Ok(Ok(id))) => self.outlet.put(ChildEvent::Chunk(id), 0).await,
            Some(Ok(Err(failure))) => {
                let why = format!("what it captured could not be stored: {failure}");
                self.outlet.put(ChildEvent::ChunkLost(failure), 0).await;
                return Err(why);
            }
            Some(Err(broken)) => return Err(format!("what it captured could not be stored: {broken}")),
            None => {}
        }
        Ok(())
    }
}

async fn pump_orders(
    mut write: tokio::net::unix::OwnedWriteHalf,
    mut inbox: mpsc::Receiver<Order>,
    chunks: Chunks,
) -> String {
    while let Some(order) = inbox.recv().await {
        if let Err(error) = side::write(&mut write, &order, &chunks).await {
            return format!("its side channel broke: {error}");
        }
    }
    std::future::pending().await
}
