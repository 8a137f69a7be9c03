//! The bridge's actor: performs what the core decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nbos_kernel::JupyterMessage;
use nbos_kernel::KernelId;
use nbos_kernel::protocol::{Channel, KernelEvent, ReplicaReply, ReplicaRequest, replica_path, to_bytes};
use nbos_mesh::{Mesh, NodeName, PeerState, codec};
use nbos_scheduler::ControlHandle;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;

use super::bridges::{Attached, Registry};
use super::core::{Core, Limits};
use super::event::{Action, Answer, ClientId, Event, Health, Millis, SocketId};
use super::own;
use crate::framing::Inbound;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::socket::{ClientQueue, End, Pushed, Worth};

/// A replica answers `Submit` from memory; a host that does not in this time is tried elsewhere.
const SUBMIT_WITHIN: Duration = Duration::from_secs(2);

/// The same for `Subscribe`, which waits for nothing.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(1);

/// How the rest of the gateway talks to a bridge.
#[derive(Clone)]
pub(crate) struct BridgeRef(pub(super) ActorRef<Message>);

/// What a bridge is started with.
#[derive(Clone)]
pub(crate) struct Needs {
    pub(crate) mesh: Mesh,
    pub(crate) control: ControlHandle,
    pub(crate) options: Arc<Options>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) registry: Arc<Registry>,
}

pub(crate) struct Bridge;

pub(crate) enum Message {
    Attach {
        session: String,
        fresh: ClientId,
        socket: SocketId,
        reply: oneshot::Sender<Attached>,
    },
    /// The permit is given back when the core has taken the message.
    FromClient {
        client: ClientId,
        inbound: Inbound,
        permit: OwnedSemaphorePermit,
    },
    Tell(Event),
    Shutdown,
}

impl ractor::Message for Message {}

pub(crate) struct State {
    kernel: KernelId,
    needs: Needs,
    core: Core,
    started: Instant,
    queues: BTreeMap<ClientId, Arc<ClientQueue>>,
    alarm: Option<(Millis, JoinHandle<()>)>,
    watcher: JoinHandle<()>,
}

impl BridgeRef {
    pub(crate) fn client_sent(&self, client: ClientId, inbound: Inbound, permit: OwnedSemaphorePermit) {
        // A bridge that is gone has ended its clients' queues; their sockets close.
        let _ = self.0.cast(Message::FromClient {
            client,
            inbound,
            permit,
        });
    }

    pub(crate) fn detach(&self, client: ClientId, socket: SocketId) {
        let _ = self.0.cast(Message::Tell(Event::Detach { client, socket }));
    }

    pub(crate) fn kernel_sent(&self, event: KernelEvent) {
        let _ = self.0.cast(Message::Tell(Event::FromKernel(event)));
    }

    pub(crate) fn restarted(&self) {
        let _ = self.0.cast(Message::Tell(Event::Restarted));
    }

    /// The gateway stops: clients are asked to connect again.
    pub(crate) fn shut_down(&self) {
        let _ = self.0.cast(Message::Shutdown);
    }
}

impl Actor for Bridge {
    type Msg = Message;
    type State = State;
    type Arguments = (KernelId, Needs);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (kernel, needs): (KernelId, Needs),
    ) -> Result<State, ActorProcessingErr> {
        let options = &needs.options;
        let limits = Limits {
            max_pending: options.max_pending,
            max_pending_bytes: options.max_pending_bytes,
            patience: millis(options.execute_patience()),
            kept: millis(options.kept_for()),
        };
        let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
        let watcher = tokio::spawn(watch_world(
            kernel,
            needs.mesh.clone(),
            needs.control.clone(),
            myself.clone(),
        ));
        needs.registry.started(kernel, BridgeRef(myself));
        Ok(State {
            kernel,
            core: Core::new(needs.mesh.local().clone(), limits, seed),
            needs,
            started: Instant::now(),
            queues: BTreeMap::new(),
            alarm: None,
            watcher,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = state.now();
        let actions = match message {
            Message::Attach {
                session,
                fresh,
                socket,
                reply,
            } => {
                let (client, actions) = state.core.attach(now, &session, fresh, socket);
                state.open(&myself, client, socket, reply);
                actions
            }
            Message::FromClient {
                client,
                inbound,
                permit,
            } => {
                let actions = state.core.step(now, Event::FromClient { client, inbound });
                drop(permit);
                actions
            }
            Message::Tell(event) => state.core.step(now, event),
            Message::Shutdown => {
                myself.stop(None);
                Vec::new()
            }
        };
        for action in actions {
            state.perform(&myself, action);
        }
        state.set_alarm(&myself, now);
        Ok(())
    }
}

impl State {
    fn now(&self) -> Millis {
        millis(self.started.elapsed())
    }

    fn open(
        &mut self,
        myself: &ActorRef<Message>,
        client: ClientId,
        socket: SocketId,
        reply: oneshot::Sender<Attached>,
    ) {
        let options = &self.needs.options;
        let fresh = || Arc::new(ClientQueue::new(options.client_queue_bytes, options.kept_bytes));
        let queue = Arc::clone(self.queues.entry(client).or_insert_with(fresh));
        queue.attach(socket);
        let attached = Attached {
            client,
            socket,
            bridge: BridgeRef(myself.clone()),
            queue,
        };
        if reply.send(attached).is_err() {
            // The client left before its socket was open.
            BridgeRef(myself.clone()).detach(client, socket);
        }
    }

    fn perform(&mut self, myself: &ActorRef<Message>, action: Action) {
        match action {
            Action::Submit {
                ticket,
                host,
                origin,
                channel,
                message,
            } => {
                self.needs.metrics.submits.count();
                let request = ReplicaRequest::Submit {
                    origin,
                    channel,
                    message,
                };
                self.call(myself, host, request, SUBMIT_WITHIN, move |answer| Event::Submitted {
                    ticket,
                    answer,
                });
            }
            Action::Subscribe {
                ticket,
                host,
                connections,
                seen,
            } => {
                let gateway = self.needs.mesh.local().clone();
                let request = ReplicaRequest::Subscribe {
                    gateway,
                    connections,
                    seen,
                };
                self.call(myself, host, request, SUBSCRIBE_WITHIN, move |answer| {
                    Event::Subscribed { ticket, answer }
                });
            }
            Action::Unsubscribe { host } => {
                let gateway = self.needs.mesh.local().clone();
                let mesh = self.needs.mesh.clone();
                let path = replica_path(self.kernel);
                // Its lease ends the subscription if this does not arrive.
                tokio::spawn(async move {
                    let body = to_bytes(&ReplicaRequest::Unsubscribe { gateway });
                    let _ = mesh.call(&host, &path, body, SUBSCRIBE_WITHIN).await;
                });
            }
            Action::Deliver {
                client,
                channel,
                message,
            } => self.deliver(client, channel, message),
            Action::Notice { client, parent, notice } => self.tell(client, own::notice(&parent, notice)),
            Action::Fail {
                client,
                request,
                failure,
            } => {
                tracing::warn!(kernel = %self.kernel, ?failure, "execute request failed");
                self.needs.metrics.failed_executes.count();
                for (channel, message) in own::failed_execute(&request, &failure) {
                    self.push(client, channel, message, Worth::Needed);
                }
            }
            Action::Forget { client } => drop(self.queues.remove(&client)),
            Action::CloseAll => self.queues.values().for_each(|queue| queue.end(End::Deleted)),
            Action::Stop => myself.stop(None),
        }
    }

    /// One call to the kernel's replica on `host`, beside the actor.
    fn call(
        &self,
        myself: &ActorRef<Message>,
        host: NodeName,
        request: ReplicaRequest,
        within: Duration,
        event: impl FnOnce(Answer) -> Event + Send + 'static,
    ) {
        let (mesh, kernel, myself) = (self.needs.mesh.clone(), self.kernel, myself.clone());
        tokio::spawn(async move {
            let result = mesh
                .call(&host, &replica_path(kernel), to_bytes(&request), within)
                .await;
            let answer = answer(kernel, &host, result);
            let _ = myself.cast(Message::Tell(event(answer)));
        });
    }

    fn deliver(&mut self, client: ClientId, channel: Channel, message: JupyterMessage) {
        let msg_type = message.header_fields().unwrap_or_default().msg_type;
        self.push(client, channel, message, Worth::of(channel, &msg_type));
    }

    fn tell(&mut self, client: ClientId, notice: JupyterMessage) {
        self.push(client, Channel::Iopub, notice, Worth::Needed);
    }

    fn push(&mut self, client: ClientId, channel: Channel, message: JupyterMessage, worth: Worth) {
        let Some(queue) = self.queues.get(&client) else { return };
        self.needs.metrics.messages_out.count();
        let parent = message.parent_header.clone();
        match queue.push(channel, message, worth) {
            Pushed::Queued => {}
            Pushed::DroppedFirst => {
                self.needs.metrics.dropped.count();
                tracing::warn!(kernel = %self.kernel, client = client.0, "client reads too slowly, output dropped");
                self.tell(client, own::dropped(&parent));
            }
            Pushed::Dropped => self.needs.metrics.dropped.count(),
            Pushed::Overflow => {
                tracing::warn!(kernel = %self.kernel, client = client.0, "client does not read, closing");
            }
        }
    }

    /// Keeps one timer for the next thing that time brings. One that rings early does no harm and is set anew.
    fn set_alarm(&mut self, myself: &ActorRef<Message>, now: Millis) {
        let next = self.core.next_wake(now);
        match (&self.alarm, next) {
            (Some((at, task)), Some(next)) if *at <= next && !task.is_finished() => return,
            (_, None) => {
                if let Some((_, task)) = self.alarm.take() {
                    task.abort();
                }
                return;
            }
            (Some((_, task)), Some(_)) => task.abort(),
            (None, Some(_)) => {}
        }
        let Some(at) = next else { return };
        let (pause, myself) = (Duration::from_millis(at - now), myself.clone());
        let task = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = myself.cast(Message::Tell(Event::Wake));
        });
        self.alarm = Some((at, task));
    }
}

impl Drop for State {
    /// However the bridge ends, no socket is left waiting for it.
    fn drop(&mut self) {
        self.watcher.abort();
        if let Some((_, alarm)) = self.alarm.take() {
            alarm.abort();
        }
        self.queues.values().for_each(|queue| queue.end(End::Restarting));
        self.needs.registry.ended(self.kernel);
    }
}

fn answer(kernel: KernelId, host: &NodeName, result: Result<bytes::Bytes, nbos_mesh::Error>) -> Answer {
    match result {
        Ok(body) => match codec::decode::<ReplicaReply>(&body) {
            Ok(reply) => Answer::Reply(reply),
            Err(error) => {
                tracing::warn!(%kernel, %host, %error, "unreadable answer of a replica");
                Answer::Lost
            }
        },
        Err(nbos_mesh::Error::NoSuchPath { .. }) => Answer::Absent,
        Err(nbos_mesh::Error::Busy(_)) => Answer::Busy,
        Err(error @ nbos_mesh::Error::TooLarge { .. }) => {
            let code = error.code().to_owned();
            Answer::Reply(ReplicaReply::Refused {
                code,
                message: error.to_string(),
            })
        }
        Err(error) => {
            tracing::debug!(%kernel, %host, %error, "call to a replica failed");
            Answer::Lost
        }
    }
}

/// Tells the bridge of every change of its kernel's placement and of the mesh's peers.
async fn watch_world(kernel: KernelId, mesh: Mesh, control: ControlHandle, bridge: ActorRef<Message>) {
    let (mut placements, mut peers) = (control.watch(), mesh.subscribe());
    let mut known = false;
    loop {
        let placement = placements
            .borrow_and_update()
            .kernels
            .get(&kernel)
            .map(|record| record.placements().map(|placement| placement.host.clone()).collect());
        let health = peers
            .borrow_and_update()
            .iter()
            .map(|(node, status)| (node.clone(), health(status.state)))
            .collect();
        let placed = match placement {
            Some(hosts) => {
                known = true;
                Some(Event::Placed(hosts))
            }
            // This node's view may be behind the one that created the kernel.
            None => known.then_some(Event::Deleted),
        };
        // Health first: the placement makes the bridge choose a host.
        for event in [Some(Event::Peers(health)), placed].into_iter().flatten() {
            if bridge.cast(Message::Tell(event)).is_err() {
                return;
            }
        }
        let alive = tokio::select! {
            changed = placements.changed() => changed.is_ok(),
            changed = peers.changed() => changed.is_ok(),
        };
        if !alive {
            return;
        }
    }
}

fn health(state: PeerState) -> Health {
    match state {
        PeerState::Up { incarnation } => Health::Up {
            incarnation: incarnation.0,
        },
        PeerState::Suspected => Health::Suspected,
        PeerState::Down => Health::Down,
    }
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
