//! The LinkManager: owns the connections to all peers and performs what each peer's `Machine` decides.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use ractor_cluster::node::NodeServerSessionInformation;
use ractor_cluster::{NodeEventSubscription, NodeServerMessage};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::accept::{self, LogGate};
use crate::gate::{Gate, GatedStream};
use crate::handshake::{self, Proved};
use crate::link::Link;
use crate::mesh::PeerStatus;
use crate::peer::{Action, Event, Failure, LinkId, Machine, Side};
use crate::shared::Core;
use crate::wire::Kind;
use crate::{NodeName, socket};

/// How often machines look at the clock: silence of 1.2 s is reported within 1.3 s.
const TICK: Duration = Duration::from_millis(100);
/// How long a probed port must keep a connection to count as alive, and how often one that does not is tried.
const PROBE_WAIT: Duration = Duration::from_millis(50);
const PROBE_TRIES: u32 = 10;
/// Begins the labels by which `ractor_cluster` tells connections apart.
const LABEL: &str = "link-";

pub(crate) struct LinkManager;

pub(crate) enum Message {
    Tick,
    /// A connection, accepted or dialed, has proved itself.
    Authenticated(Box<Proved>),
    DialFailed {
        node: NodeName,
        failure: Failure,
    },
    Probed {
        node: NodeName,
        failure: Failure,
    },
    SessionReady(LinkId),
    SessionGone(LinkId),
}

/// Local only.
impl ractor::Message for Message {}

pub(crate) struct State {
    core: Arc<Core>,
    peers: BTreeMap<NodeName, Entry>,
    /// Which node a connection belongs to.
    owners: HashMap<LinkId, NodeName>,
    /// Dials, probes and the front door; ends with this actor.
    tasks: JoinSet<()>,
}

struct Entry {
    address: SocketAddr,
    machine: Machine,
    since: Instant,
    /// Connections that have not been admitted yet.
    waiting: HashMap<LinkId, Proved>,
    /// Failing dials are logged when they begin to fail, and now and then.
    log: LogGate,
}

impl Actor for LinkManager {
    type Msg = Message;
    type State = State;
    type Arguments = Arc<Core>;

    async fn pre_start(&self, myself: ActorRef<Message>, core: Arc<Core>) -> Result<State, ActorProcessingErr> {
        // Sessions of an earlier manager are nobody's.
        core.all_links_down();
        let node_server = core.node_server.lock().clone().ok_or("the node server is not there")?;
        let subscription = Box::new(Sessions(myself.clone()));
        node_server.send_message(NodeServerMessage::SubscribeToEvents {
            id: "nbos".to_owned(),
            subscription,
        })?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept::run(core.clone(), myself.clone()));
        myself.send_interval(TICK, || Message::Tick);
        let mut state = State {
            core,
            peers: BTreeMap::new(),
            owners: HashMap::new(),
            tasks,
        };
        state.reconcile();
        state.publish();
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Tick => state.tick(&myself),
            Message::Authenticated(proved) => state.authenticated(&myself, *proved),
            Message::DialFailed { node, failure } => {
                let event = Event::DialFailed {
                    failure,
                    jitter: jitter(),
                };
                state.step(&myself, &node, event);
            }
            Message::Probed { node, failure } => state.step(&myself, &node, Event::Probed { failure }),
            Message::SessionReady(link) => state.ready(&myself, link),
            Message::SessionGone(link) => state.gone(&myself, link),
        }
        state.publish();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        _: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.core.all_links_down();
        Ok(())
    }
}

impl State {
    /// Follows changes of the peer list.
    fn reconcile(&mut self) {
        let wanted = self.core.peers.lock().clone();
        self.peers.retain(|node, entry| {
            let stays = wanted.get(node) == Some(&entry.address);
            if !stays && let Some(link) = self.core.link(node) {
                self.core.link_down(node, link.id);
            }
            stays
        });
        for (node, address) in wanted.into_iter().filter(|(node, _)| *node != self.core.me.node) {
            let side = if self.core.me.node > node {
                Side::Dials
            } else {
                Side::Accepts
            };
            self.peers.entry(node).or_insert_with(|| Entry {
                address,
                machine: Machine::new(side, self.core.options.clone(), self.core.now()),
                since: Instant::now(),
                waiting: HashMap::new(),
                log: LogGate::default(),
            });
        }
    }

    fn tick(&mut self, myself: &ActorRef<Message>) {
        while self.tasks.try_join_next().is_some() {}
        self.reconcile();
        let nodes: Vec<NodeName> = self.peers.keys().cloned().collect();
        for node in nodes {
            if let Some(link) = self.core.link(&node) {
                let at = Duration::from_micros(link.last_heard());
                self.step(myself, &node, Event::Heard { at });
            }
            self.step(myself, &node, Event::Tick);
        }
    }

    fn authenticated(&mut self, myself: &ActorRef<Message>, proved: Proved) {
        let node = proved.peer.node.clone();
        let Some(entry) = self.peers.get_mut(&node) else { return };
        let (link, incarnation) = (self.core.number(), proved.peer.incarnation);
        entry.waiting.insert(link, proved);
        self.owners.insert(link, node.clone());
        self.step(myself, &node, Event::Authenticated { link, incarnation });
    }

    fn ready(&mut self, myself: &ActorRef<Message>, id: LinkId) {
        let Some(node) = self.owners.get(&id).cloned() else {
            return;
        };
        if let Some(link) = self.core.link(&node).filter(|link| link.id == id) {
            if link.router().is_none() {
                tracing::warn!(peer = %link.peer, "session is ready but shows no router");
                link.close();
                return;
            }
            link.hear(self.core.micros());
            tracing::info!(peer = %link.peer, "link up");
        }
        self.step(myself, &node, Event::Ready { link: id });
    }

    fn gone(&mut self, myself: &ActorRef<Message>, id: LinkId) {
        let Some(node) = self.owners.remove(&id) else { return };
        self.core.link_down(&node, id);
        tracing::info!(%node, "link down");
        self.step(
            myself,
            &node,
            Event::Gone {
                link: id,
                jitter: jitter(),
            },
        );
    }

    fn step(&mut self, myself: &ActorRef<Message>, node: &NodeName, event: Event) {
        let now = self.core.now();
        let Some(entry) = self.peers.get_mut(node) else { return };
        let before = entry.machine.state();
        let actions = entry.machine.step(now, event);
        let after = entry.machine.state();
        if before != after {
            entry.since = Instant::now();
            tracing::info!(%node, from = ?before, to = ?after, "peer state");
        }
        for action in actions {
            self.perform(myself, node, action);
        }
    }

    fn perform(&mut self, myself: &ActorRef<Message>, node: &NodeName, action: Action) {
        let Some(entry) = self.peers.get_mut(node) else { return };
        match action {
            Action::Dial => {
                let log = entry.log.pass(self.core.now()).is_some();
                self.tasks.spawn(dial(
                    self.core.clone(),
                    myself.clone(),
                    node.clone(),
                    entry.address,
                    log,
                ));
            }
            Action::Probe => {
                self.tasks.spawn(probe(myself.clone(), node.clone(), entry.address));
            }
            Action::Admit { link } => {
                if let Some(proved) = entry.waiting.remove(&link) {
                    self.admit(link, proved);
                }
            }
            Action::Discard { link } => {
                entry.waiting.remove(&link);
                self.owners.remove(&link);
            }
            // `SessionGone` follows from the cut connection.
            Action::Close { link } => self.core.link_down(node, link),
            Action::Ping { link } => {
                if let Some(link) = self.core.link(node).filter(|current| current.id == link) {
                    // A link that has just ended reports itself.
                    let _ = self.core.post(&link, Kind::Ping, &[]);
                }
            }
        }
    }

    /// Hands a connection to `ractor_cluster`. Our side is ready to receive before the session can begin.
    fn admit(&mut self, id: LinkId, proved: Proved) {
        let is_server = self.core.me.node < proved.peer.node;
        let gate = Arc::new(Gate::default());
        let Proved {
            peer,
            epoch,
            clock,
            socket,
        } = proved;
        let link = Link::new(id, peer, epoch, clock, gate.clone(), self.core.options.budget_bytes);
        self.core.link_up(Arc::new(link));
        let (reader, writer) = socket.split();
        let stream = Box::new(GatedStream {
            reader,
            writer,
            gate,
            label: format!("{LABEL}{id}"),
        });
        let node_server = self.core.node_server.lock().clone();
        if let Some(node_server) = node_server {
            // A node server that has ended takes this actor with it (rest for one).
            let _ = node_server.send_message(NodeServerMessage::ConnectionOpenedExternal { stream, is_server });
        }
    }

    fn publish(&self) {
        self.core.status.send_if_modified(|published| {
            let status = |entry: &Entry| PeerStatus {
                state: entry.machine.state(),
                incarnation: entry.machine.incarnation(),
                since: entry.since,
            };
            let same = published.len() == self.peers.len()
                && self
                    .peers
                    .iter()
                    .all(|(node, entry)| published.get(node) == Some(&status(entry)));
            if !same {
                *published = Arc::new(
                    self.peers
                        .iter()
                        .map(|(node, entry)| (node.clone(), status(entry)))
                        .collect(),
                );
            }
            !same
        });
    }
}

async fn dial(core: Arc<Core>, manager: ActorRef<Message>, node: NodeName, address: SocketAddr, log: bool) {
    let result = match socket::connect(address).await {
        Ok(stream) => handshake::dial(&core, stream, &node, handshake::LINK).await,
        Err(error) => Err(handshake::Error::Io(error)),
    };
    let error = match result {
        Ok(proved) => return drop(manager.send_message(Message::Authenticated(Box::new(proved)))),
        Err(error) => error,
    };
    let failure = match &error {
        handshake::Error::Io(error) => failure(error),
        _ => Failure::Other,
    };
    match (log, failure) {
        // A node that is not there yet is nothing to warn about.
        (true, Failure::Refused) => tracing::debug!(%node, %address, "peer is not there"),
        (true, Failure::Other) => tracing::warn!(%node, %address, code = error.code(), %error, "peer cannot be linked"),
        (false, _) => {}
    }
    let _ = manager.send_message(Message::DialFailed { node, failure });
}

/// Looks whether the peer's port refuses, and hangs up.
///
/// A process that dies closes its sockets one after the other: its port may still accept when our connection has
/// ended already. What it accepts then is closed a moment later, so a connection that does not last is tried again.
async fn probe(manager: ActorRef<Message>, node: NodeName, address: SocketAddr) {
    let mut found = Failure::Other;
    for _ in 0..PROBE_TRIES {
        match socket::connect(address).await {
            Err(error) => {
                found = failure(&error);
                break;
            }
            Ok(mut stream) => {
                // A node that is alive waits for us to speak.
                if tokio::time::timeout(PROBE_WAIT, stream.read(&mut [0])).await.is_err() {
                    break;
                }
            }
        }
    }
    let _ = manager.send_message(Message::Probed { node, failure: found });
}

fn failure(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::ConnectionRefused {
        Failure::Refused
    } else {
        Failure::Other
    }
}

fn jitter() -> u32 {
    u32::try_from(Uuid::new_v4().as_u128() % 1001).unwrap_or(0)
}

/// What `ractor_cluster` tells about sessions, as messages.
struct Sessions(ActorRef<Message>);

impl Sessions {
    fn tell(&self, session: &NodeServerSessionInformation, message: fn(LinkId) -> Message) {
        let link = session.peer_addr.strip_prefix(LABEL).and_then(|id| id.parse().ok());
        if let Some(link) = link {
            // The manager may be on its way down.
            let _ = self.0.send_message(message(link));
        }
    }
}

impl NodeEventSubscription for Sessions {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {}

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        self.tell(&session, Message::SessionReady);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.tell(&session, Message::SessionGone);
    }
}
