//! What the mesh's actors, its tasks and its handles share.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use ractor::{ActorRef, ActorStatus, DerivedActorRef};
use ractor_cluster::NodeServerMessage;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::link::Link;
use crate::mesh::PeerStatus;
use crate::{Delivery, NodeName, Options, Peer, Secret, tls};

/// The state of one node's mesh that outlives restarts of its actors.
pub(crate) struct Core {
    pub me: Peer,
    pub options: Options,
    pub secret: Secret,
    pub tls: Option<tls::Context>,
    /// Bound before anything starts, kept over restarts: a node never loses its port.
    pub listener: TcpListener,
    pub runtime: Handle,
    /// Who the other nodes are and where they listen.
    pub peers: Mutex<BTreeMap<NodeName, SocketAddr>>,
    pub status: watch::Sender<Arc<BTreeMap<NodeName, PeerStatus>>>,
    pub node_server: Mutex<Option<ActorRef<NodeServerMessage>>>,
    links: RwLock<HashMap<NodeName, Arc<Link>>>,
    endpoints: RwLock<HashMap<String, DerivedActorRef<Delivery>>>,
    start: Instant,
    /// Numbers calls, large transfers and links.
    next: AtomicU64,
}

impl Core {
    pub(crate) fn new(
        me: Peer,
        options: Options,
        secret: Secret,
        tls: Option<tls::Context>,
        listener: TcpListener,
        peers: BTreeMap<NodeName, SocketAddr>,
    ) -> Self {
        Self {
            me,
            options,
            secret,
            tls,
            listener,
            runtime: Handle::current(),
            peers: Mutex::new(peers),
            status: watch::Sender::default(),
            node_server: Mutex::new(None),
            links: RwLock::default(),
            endpoints: RwLock::default(),
            start: Instant::now(),
            next: AtomicU64::new(1),
        }
    }

    /// Time since the mesh started: the clock of every pure part.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The same in microseconds, for the wire.
    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.now().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn knows(&self, node: &NodeName) -> bool {
        self.peers.lock().contains_key(node)
    }

    pub(crate) fn link(&self, node: &NodeName) -> Option<Arc<Link>> {
        self.links.read().get(node).cloned()
    }

    pub(crate) fn link_up(&self, link: Arc<Link>) {
        self.links.write().insert(link.peer.node.clone(), link);
    }

    /// Ends the link to a node, unless a newer one has taken its place.
    pub(crate) fn link_down(&self, node: &NodeName, id: u64) {
        let mut links = self.links.write();
        if links.get(node).is_some_and(|link| link.id == id) {
            let link = links.remove(node);
            drop(links);
            link.iter().for_each(|link| link.close());
        }
    }

    pub(crate) fn all_links_down(&self) {
        let links = std::mem::take(&mut *self.links.write());
        links.values().for_each(|link| link.close());
    }

    pub(crate) fn register(&self, path: &str, target: DerivedActorRef<Delivery>) {
        self.endpoints.write().insert(path.to_owned(), target);
    }

    pub(crate) fn unregister(&self, path: &str) {
        self.endpoints.write().remove(path);
    }

    /// Hands a message to the endpoint at the path; gives it back when nobody is there.
    pub(crate) fn deliver(&self, path: &str, delivery: Delivery) -> Result<(), Delivery> {
        let target = self.endpoints.read().get(path).cloned();
        let Some(target) = target else { return Err(delivery) };
        // `send_message` to an actor that has ended relies on the endpoint's `TryFrom`; better not to get there.
        if target.get_status() >= ActorStatus::Stopping {
            return Err(delivery);
        }
        match target.send_message(delivery) {
            Ok(()) => Ok(()),
            Err(ractor::MessagingErr::SendErr(delivery)) => Err(delivery),
            Err(error) => {
                tracing::debug!(path, %error, "endpoint does not take messages");
                Ok(())
            }
        }
    }
}
