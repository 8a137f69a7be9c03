//! The actor itself: its state, and how events reach the core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nbos_consensus::{Group, GroupId, GroupOptions, ReplicaId};
use nbos_gpu::Release;
use nbos_mesh::{Delivery, Fault, NodeName, PeerState, Responder, codec};
use nbos_supervision::{Status, Tree};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};

use super::account::Account;
use super::log::LogMachine;
use super::members::reshape;
use super::message::Message;
use super::{Identity, Surroundings};
use crate::child::ChildHandle;
use crate::chunks::{Chunks, Haste, Peers};
use crate::core::{ChildEvent, Core, Event, Leftover, Liveness, Member, Micros, Settings, Ticket};
use crate::outbox::Outbox;
use crate::protocol::to_bytes;
use crate::protocol::{Channel, ReplicaReply, ReplicaRequest, replica_path};
use crate::state::Executor;

/// While something waits for time to pass. Short enough not to be felt in a fail-over.
const BUSY_TICK: Duration = Duration::from_millis(20);

/// While nothing does: subscriptions expire.
const IDLE_TICK: Duration = Duration::from_millis(1_000);

/// The replica actor. Its path in the tree and on the mesh is that of its kernel.
pub(super) struct Replica;

pub(super) struct Arguments {
    identity: Identity,
    surroundings: Surroundings,
    tree: Tree,
    path: String,
}

pub(super) struct State {
    pub(super) core: Core,
    pub(super) identity: Identity,
    pub(super) around: Surroundings,
    pub(super) group: Group,
    pub(super) myself: ActorRef<Message>,
    pub(super) chunks: Chunks,
    /// Waits for a quorum to have a change's chunks.
    pub(super) storing: Option<tokio::task::JoinHandle<()>>,
    pub(super) child: Option<ChildHandle>,
    pub(super) next_child: u64,
    /// The guard knows that user code runs here.
    pub(super) guarded: bool,
    pub(super) outbox: Outbox,
    pub(super) tickets: BTreeMap<u64, Responder>,
    next_ticket: u64,
    pub(super) lease: Option<nbos_gpu::Lease>,
    /// The request for GPUs that waits for its answer.
    pub(super) leasing: Option<(u64, tokio::task::JoinHandle<()>)>,
    /// Requests for GPUs so far.
    pub(super) lease_asked: u64,
    /// When it was granted or last renewed.
    pub(super) lease_renewed: Instant,
    pub(super) account: Account,
    pub(super) tree: Tree,
    pub(super) path: String,
    /// The mesh did not take an event.
    pub(super) outbox_stalled: bool,
    /// Gateways that a large event is on its way to.
    pub(super) outbox_large: BTreeSet<NodeName>,
    quorum_heard: Instant,
    /// When the next tick is due, if one is.
    next_tick: Option<Instant>,
    background: Vec<tokio::task::JoinHandle<()>>,
}

/// Starts a replica under a supervisor. `path` is its place in the tree.
pub async fn spawn(
    identity: Identity,
    surroundings: Surroundings,
    tree: Tree,
    path: String,
    supervisor: ActorCell,
) -> Result<ActorCell, SpawnErr> {
    let arguments = Arguments {
        identity,
        surroundings,
        tree,
        path,
    };
    let (replica, _) = Actor::spawn_linked(None, Replica, arguments, supervisor).await?;
    Ok(replica.get_cell())
}

impl Actor for Replica {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let Arguments {
            identity,
            surroundings,
            tree,
            path,
        } = arguments;
        let core = Core::new(
            identity.kernel,
            Executor {
                replica: identity.replica,
                incarnation: surroundings.mesh.incarnation().0,
                life: uuid::Uuid::new_v4().as_u64_pair().0,
            },
            surroundings.mesh.local().clone(),
            identity.spec.clone(),
            identity.membership.clone(),
            Settings {
                defer_above: surroundings.options.defer_above,
                gpu_wait: surroundings.options.gpu_wait.saturating_mul(1_000_000),
                leftover: match surroundings.gpus.release_by() {
                    Release::Offload => Leftover::Stays,
                    Release::Checkpoint(_) | Release::Respawn => Leftover::Respawns,
                },
            },
        );
        let chunks = Chunks::new(
            surroundings.objects.clone(),
            peers_of(&identity, surroundings.mesh.local()),
            Duration::from_secs(surroundings.options.store_within),
        );
        let machine = LogMachine::new(myself.clone());
        let id = group_id(&identity)?;
        let replica = ReplicaId(identity.replica);
        if surroundings.groups.get(&id).is_some() {
            // Left by an earlier life of this actor that ended in a panic.
            surroundings.groups.stop(&id).await?;
        }
        let founders: BTreeMap<ReplicaId, NodeName> = identity
            .founders
            .iter()
            .map(|Member { replica, host }| (ReplicaId(*replica), host.clone()))
            .collect();
        let (groups, machine) = (&surroundings.groups, Box::new(machine));
        let group = if founders.contains_key(&replica) {
            // The first of them is the one that users begin with.
            groups
                .found(id, replica, &founders, machine, GroupOptions::kernel())
                .await?
        } else {
            groups.start(id, replica, machine, GroupOptions::kernel()).await?
        };
        surroundings
            .mesh
            .register(&replica_path(identity.kernel), myself.get_derived());
        let background = vec![watch_peers(&surroundings, myself.clone())];
        let mut state = State {
            core,
            identity,
            around: surroundings,
            group,
            myself,
            chunks,
            storing: None,
            child: None,
            next_child: 0,
            guarded: false,
            outbox: Outbox::default(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            lease: None,
            leasing: None,
            lease_asked: 0,
            lease_renewed: Instant::now(),
            account: Account::default(),
            tree,
            path,
            outbox_stalled: false,
            outbox_large: BTreeSet::new(),
            quorum_heard: Instant::now(),
            next_tick: None,
            background,
        };
        state.step(Event::Peers(state.liveness()));
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Event(event) => state.step(event),
            Message::Delivery(delivery) => state.deliver(delivery),
            Message::Child(flow) => {
                if state
                    .child
                    .as_ref()
                    .is_some_and(|child| child.incarnation == flow.incarnation)
                {
                    state.child_event(flow.event);
                }
                drop(flow.permit);
            }
            Message::Members(membership) => {
                state.identity.membership.clone_from(&membership);
                state
                    .chunks
                    .set_peers(peers_of(&state.identity, state.around.mesh.local()));
                state.step(Event::Members(membership));
                state.step(Event::Peers(state.liveness()));
            }
            Message::LargeSent { gateway, cursor, sent } => state.large_sent(&gateway, cursor, sent),
            Message::PeersChanged => {
                state.outbox_retry();
                state.step(Event::Peers(state.liveness()));
            }
            Message::Tick => state.tick(),
            Message::Leased { asked, msg_id, lease } => state.leased(asked, msg_id, lease),
            Message::LeaseLost(id, error) => {
                if state.lease.as_ref().is_some_and(|lease| lease.id == id) {
                    state.lease = None;
                    state.step(Event::LeaseLost {
                        why: format!("{}: {error}", error.code()),
                    });
                }
            }
            Message::Info(port) => {
                let _ = port.send(state.info());
            }
            Message::Blobs(port) => {
                let mut blobs = state.core.state().manifest().blobs();
                blobs.extend(state.core.arriving());
                let _ = port.send(blobs);
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.around.mesh.unregister(&replica_path(state.identity.kernel));
        for task in state.background.iter().chain(&state.storing) {
            task.abort();
        }
        if let Some((_, waiting)) = state.leasing.take() {
            waiting.abort();
        }
        if let Some(lease) = state.lease.take() {
            state.release(lease.id);
        }
        state.child = None;
        state.around.groups.stop(state.group.id()).await?;
        Ok(())
    }
}

impl State {
    /// Lets the core decide and performs what it decided.
    pub(super) fn step(&mut self, event: Event) {
        let actions = self.core.step(now(), event);
        for action in actions {
            self.perform(action);
        }
        self.update_guard();
        self.flush_outbox();
        self.schedule_tick();
    }

    pub(super) fn info(&self) -> crate::protocol::ReplicaInfo {
        let mut info = self.core.info();
        info.connections = self.outbox.connections();
        info.replicating = self.chunks.progress();
        info.log = self.group.status().applied.map_or(0, |applied| applied.0);
        info.lacks = self.chunks.lacking();
        info
    }

    fn deliver(&mut self, delivery: Delivery) {
        let Some(responder) = delivery.reply else {
            return;
        };
        match codec::decode::<ReplicaRequest>(&delivery.body) {
            Ok(ReplicaRequest::Info) => {
                let reply = ReplicaReply::Info(Box::new(self.info()));
                responder.send(Ok(to_bytes(&reply)));
            }
            Ok(ReplicaRequest::Reshape {
                voters,
                learners,
                known,
                within_us,
            }) => {
                let within = Duration::from_micros(within_us);
                tokio::spawn(reshape(
                    self.group.clone(),
                    (voters, learners, known),
                    within,
                    responder,
                ));
            }
            Ok(ReplicaRequest::Place) => {
                let place = self.place();
                tokio::spawn(async move { responder.send(Ok(to_bytes(&ReplicaReply::Place(place.await)))) });
            }
            Ok(request) => {
                self.next_ticket += 1;
                self.tickets.insert(self.next_ticket, responder);
                let ticket = Ticket(self.next_ticket);
                if let ReplicaRequest::Submit { origin, .. } = &request {
                    // Whoever submits wants the outputs, from the first one on.
                    self.outbox.subscribe(now(), &origin.gateway, None, None);
                }
                self.step(Event::Request { ticket, request });
            }
            Err(error) => {
                let fault = Fault {
                    code: "NB0404".to_owned(),
                    message: format!("the request is not readable: {error}"),
                };
                responder.send(Err(fault));
            }
        }
    }

    fn child_event(&mut self, mut event: ChildEvent) {
        if let ChildEvent::Message {
            channel: Channel::Shell,
            message,
        } = &mut event
        {
            self.account.note(message, self.around.mesh.local().as_str());
        }
        if let ChildEvent::Exited { why } = &event {
            tracing::info!(kernel = %self.identity.kernel, why, "python process ended");
            self.child = None;
            self.chunks.forget_progress();
            self.note_python(Status::Restarting, Some(why));
        }
        if let ChildEvent::Delta(delta) = &event
            && delta.groups.iter().all(|group| group.chunks().next().is_none())
        {
            // What was sent for it was cut by an interrupt: nothing of that is to be replicated.
            self.chunks.forget_progress();
        }
        if matches!(event, ChildEvent::Ready { .. }) {
            self.note_python(Status::Running, None);
        }
        if let ChildEvent::Applied { failed, .. } = &event
            && !failed.is_empty()
        {
            // The child put placeholders in their place that say so.
            tracing::warn!(kernel = %self.identity.kernel, ?failed, "a part of the session could not be rebuilt here");
        }
        self.step(Event::Child(event));
    }

    /// The Python process is not an actor, but people look for it in the tree.
    pub(super) fn note_python(&self, status: Status, error: Option<&str>) {
        self.tree
            .note(&format!("{}/python", self.path), "python", status, error);
    }

    fn tick(&mut self) {
        let wall = Instant::now();
        if self.next_tick.is_none_or(|due| wall < due) {
            // An earlier one was scheduled since.
            return;
        }
        self.next_tick = None;
        self.outbox.expire(now());
        self.outbox_retry();
        self.renew_lease();
        if self.quorum_is_heard() {
            self.quorum_heard = wall;
        }
        let silent = wall.duration_since(self.quorum_heard);
        let quorum_silent_us = Micros::try_from(silent.as_micros()).unwrap_or(Micros::MAX);
        self.step(Event::Tick { quorum_silent_us });
    }

    /// A replica that waits for nothing and serves nobody does not tick at all.
    fn schedule_tick(&mut self) {
        let pause = if self.core.is_busy() || self.outbox_stalled {
            BUSY_TICK
        } else if self.outbox.has_subscribers() {
            IDLE_TICK
        } else {
            return;
        };
        let due = Instant::now() + pause;
        if self.next_tick.is_none_or(|next| due < next) {
            self.next_tick = Some(due);
            self.myself.send_after(pause, || Message::Tick);
        }
    }

    /// A majority of the replicas' hosts, this one included, is up as far as this host knows.
    fn quorum_is_heard(&self) -> bool {
        let liveness = self.liveness();
        let is_up = |member: &&&Member| {
            member.host == *self.around.mesh.local() || matches!(liveness.get(&member.host), Some(Liveness::Up { .. }))
        };
        let quorums = self.identity.membership.quorums();
        quorums
            .iter()
            .all(|members| members.iter().filter(is_up).count() * 2 > members.len())
    }

    fn liveness(&self) -> BTreeMap<NodeName, Liveness> {
        let mesh = &self.around.mesh;
        self.identity
            .membership
            .members
            .iter()
            .filter(|member| member.host != *mesh.local())
            .map(|member| {
                let liveness = match mesh.peer_state(&member.host) {
                    PeerState::Up { incarnation } => Liveness::Up {
                        incarnation: incarnation.0,
                    },
                    PeerState::Suspected => Liveness::Suspected,
                    PeerState::Down => Liveness::Down,
                };
                (member.host.clone(), liveness)
            })
            .collect()
    }
}

/// Unix time that never jumps: the wall clock at the first call, carried on by the monotonic clock.
pub(super) fn now() -> Micros {
    static START: OnceLock<(Instant, Micros)> = OnceLock::new();
    let (start, wall) = START.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (
            Instant::now(),
            Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX),
        )
    });
    wall + Micros::try_from(start.elapsed().as_micros()).unwrap_or(Micros::MAX)
}

/// The hosts of the other replicas, a majority of each set of which has to have a change.
fn peers_of(identity: &Identity, local: &NodeName) -> Peers {
    let others = |members: Vec<&Member>| {
        let hosts = members.into_iter().map(|member| member.host.clone());
        hosts.filter(|host| host != local).collect()
    };
    Peers {
        quorums: identity.membership.quorums().into_iter().map(others).collect(),
        haste: if identity.membership.has(identity.replica) {
            Haste::Background
        } else {
            Haste::Awaited
        },
    }
}

fn group_id(identity: &Identity) -> Result<GroupId, nbos_consensus::Error> {
    GroupId::new(identity.kernel.to_string())
}

fn watch_peers(around: &Surroundings, replica: ActorRef<Message>) -> tokio::task::JoinHandle<()> {
    let mut peers = around.mesh.subscribe();
    tokio::spawn(async move {
        while peers.changed().await.is_ok() {
            if replica.cast(Message::PeersChanged).is_err() {
                return;
            }
        }
    })
}
