//! The handle every other room uses.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nbos_supervision::{SupervisorHandle, Tree};
use ractor::DerivedActorRef;
use tokio::sync::{oneshot, watch};

use crate::delivery::{Answer, Responder, Route};
use crate::link::Link;
use crate::send::Refused;
use crate::shared::Core;
use crate::wire::{Kind, Large, MAX_MESSAGE, MAX_PATH, MAX_WHOLE, Request};
use crate::{
    Delivery, Error, Fault, Incarnation, NodeName, Options, Peer, PeerState, Secret, StartError, actors, socket, tls,
};

/// How long a cast may be under way before the receiver drops it: it was held up by a partition or a stopped
/// process. Longer than the default `down_after_ms`, so that a short silence loses nothing.
const CAST_TTL: Duration = Duration::from_secs(10);

/// What a mesh is started with.
#[derive(Debug, Clone)]
pub struct MeshOptions {
    /// This node's name.
    pub local: NodeName,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The other nodes, by name; an entry for this one is ignored.
    pub peers: BTreeMap<NodeName, SocketAddr>,
    /// What all nodes share.
    pub secret: Secret,
    /// The `[mesh]` table.
    pub options: Options,
}

/// What is known about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerStatus {
    /// Whether it can be counted on.
    pub state: PeerState,
    /// The last start of it that was seen; none before the first link.
    pub incarnation: Option<Incarnation>,
    /// Since when the state is what it is.
    pub since: Instant,
}

/// A node's connection to all others. A cheap clone.
#[derive(Clone)]
pub struct Mesh(pub(crate) Arc<Core>);

impl Mesh {
    /// Binds the port and starts the mesh's actors as child `mesh` of the supervisor. Links come up by themselves.
    ///
    /// One mesh a process: ractor's process groups are process-global.
    ///
    /// # Errors
    /// [`StartError::Bind`], [`StartError::Config`], [`StartError::Tls`], [`StartError::Supervision`].
    pub async fn start(options: MeshOptions, tree: &Tree, supervisor: &SupervisorHandle) -> Result<Self, StartError> {
        let MeshOptions {
            local,
            listen,
            mut peers,
            secret,
            options,
        } = options;
        peers.remove(&local);
        if let Some(name) = std::iter::once(&local)
            .chain(peers.keys())
            .find(|name| !name.is_usable())
        {
            return Err(StartError::Config(format!("`{name}` is not a usable node name")));
        }
        if secret.is_empty() {
            return Err(StartError::Config("the secret is empty".to_owned()));
        }
        if let Some(complaint) = options.complaint() {
            return Err(StartError::Config(complaint.to_owned()));
        }
        let tls = options.tls.as_ref().map(tls::load).transpose()?;
        let listener = socket::listen(listen).map_err(|source| StartError::Bind {
            address: listen,
            source,
        })?;
        let me = Peer {
            node: local,
            incarnation: Incarnation::fresh(),
        };
        let core = Arc::new(Core::new(me, options, secret, tls, listener, peers));
        let path = match supervisor.path() {
            "" => "mesh".to_owned(),
            parent => format!("{parent}/mesh"),
        };
        supervisor.add(actors::mesh(core.clone(), tree.clone(), path)).await?;
        Ok(Self(core))
    }

    /// This node's name.
    pub fn local(&self) -> &NodeName {
        &self.0.me.node
    }

    /// This start of this node.
    pub fn incarnation(&self) -> Incarnation {
        self.0.me.incarnation
    }

    /// Messages for `path` go to this actor from now on; one registered before is replaced. The actor's message type
    /// needs `From<Delivery>` and a `TryFrom` back that succeeds for what `From` made.
    pub fn register(&self, path: &str, target: DerivedActorRef<Delivery>) {
        self.0.register(path, target);
    }

    /// Nobody is at the path any more.
    pub fn unregister(&self, path: &str) {
        self.0.unregister(path);
    }

    /// Asks an endpoint, and waits for its answer for at most `within`. At most once: nothing is ever sent again.
    ///
    /// Bodies over 1 MiB travel in pieces at the pace of the receiver. Dropping the future gives the call up.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub async fn call(&self, to: &NodeName, path: &str, body: Bytes, within: Duration) -> Result<Bytes, Error> {
        check(path, &body, MAX_MESSAGE)?;
        let late = || Error::Timeout {
            node: to.clone(),
            path: path.to_owned(),
            within,
        };
        let work = async {
            if to == self.local() {
                self.call_here(path, body).await
            } else {
                self.call_there(to, path, body, within).await
            }
        };
        tokio::time::timeout(within, work).await.map_err(|_| late())?
    }

    /// Sends to an endpoint without waiting. Casts of one node to one path arrive in order, at most once; after
    /// `Ok` one may still be lost with the link, or dropped after 10 s under way.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Busy`], [`Error::TooLarge`] (over the budget of 8 MiB); on the own node
    /// also [`Error::NoSuchPath`].
    pub fn cast(&self, to: &NodeName, path: &str, body: Bytes) -> Result<(), Error> {
        // What can never fit the budget would be `Busy` for ever.
        check(path, &body, self.0.options.budget_bytes.min(MAX_MESSAGE))?;
        if to == self.local() {
            return self.deliver_here(path, body, None);
        }
        let link = self.link(to)?;
        let ttl_ms = millis(CAST_TTL);
        let request = Request {
            path: path.to_owned(),
            ttl_ms,
            call: None,
        };
        let sent = if body.len() <= MAX_WHOLE {
            self.0.post(&link, Kind::Request(request), &body)
        } else {
            self.0.post_burst(&link, Large::Request(request), &body)
        };
        sent.map_err(|refused| match refused {
            Refused::Busy => Error::Busy(to.clone()),
            Refused::Gone | Refused::TooLate => Error::Unreachable(to.clone()),
        })
    }

    /// Whether a node can be counted on. This one always is up, an unknown one is down.
    pub fn peer_state(&self, node: &NodeName) -> PeerState {
        if node == self.local() {
            return PeerState::Up {
                incarnation: self.incarnation(),
            };
        }
        self.0
            .status
            .borrow()
            .get(node)
            .map_or(PeerState::Down, |status| status.state)
    }

    /// Follows the state of all peers, this node not among them.
    pub fn subscribe(&self) -> watch::Receiver<Arc<BTreeMap<NodeName, PeerStatus>>> {
        self.0.status.subscribe()
    }

    /// Replaces the list of other nodes. Links to nodes that left, or moved to another address, end within 100 ms.
    pub fn set_peers(&self, mut peers: BTreeMap<NodeName, SocketAddr>) {
        peers.remove(self.local());
        *self.0.peers.lock() = peers;
    }

    fn link(&self, to: &NodeName) -> Result<Arc<Link>, Error> {
        self.0.link(to).ok_or_else(|| Error::Unreachable(to.clone()))
    }

    fn deliver_here(&self, path: &str, body: Bytes, reply: Option<Responder>) -> Result<(), Error> {
        let delivery = Delivery {
            from: self.0.me.clone(),
            body,
            reply,
        };
        let nobody = |_| Error::NoSuchPath {
            node: self.local().clone(),
            path: path.to_owned(),
        };
        self.0.deliver(path, delivery).map_err(nobody)
    }

    async fn call_here(&self, path: &str, body: Bytes) -> Result<Bytes, Error> {
        let (sender, answer) = oneshot::channel();
        self.deliver_here(path, body, Some(Responder::new(Route::Local(sender))))?;
        self.read(self.local(), path, answer.await.ok())
    }

    async fn call_there(&self, to: &NodeName, path: &str, body: Bytes, within: Duration) -> Result<Bytes, Error> {
        let link = self.link(to)?;
        let id = self.0.number();
        let answer = link.expect(id).ok_or_else(|| Error::Unreachable(to.clone()))?;
        let _forget = Forget { link: &link, id };
        let request = Request {
            path: path.to_owned(),
            ttl_ms: millis(within),
            call: Some(id),
        };
        let sent = if body.len() <= MAX_WHOLE {
            self.0.post(&link, Kind::Request(request), &body)
        } else {
            let deadline = tokio::time::Instant::now() + within;
            self.0.post_large(&link, Large::Request(request), &body, deadline).await
        };
        match sent {
            Ok(()) => self.read(to, path, answer.await.ok()),
            Err(Refused::Busy) => Err(Error::Busy(to.clone())),
            Err(Refused::Gone) => Err(Error::Unreachable(to.clone())),
            Err(Refused::TooLate) => Err(Error::Timeout {
                node: to.clone(),
                path: path.to_owned(),
                within,
            }),
        }
    }

    /// Makes an error of what came back; nothing came when the link broke.
    fn read(&self, node: &NodeName, path: &str, answer: Option<Answer>) -> Result<Bytes, Error> {
        match answer {
            Some(Ok(body)) => Ok(body),
            Some(Err(fault)) => Err(match fault.code.as_str() {
                Fault::NO_SUCH_PATH => Error::NoSuchPath {
                    node: node.clone(),
                    path: path.to_owned(),
                },
                Fault::BUSY => Error::Busy(node.clone()),
                _ => Error::Remote(fault),
            }),
            None => Err(Error::Unreachable(node.clone())),
        }
    }
}

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mesh").field(&self.0.me).finish()
    }
}

/// Takes a call off the link's list when its future ends, however it ends.
struct Forget<'a> {
    link: &'a Link,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.link.forget(self.id);
    }
}

fn check(path: &str, body: &Bytes, limit: usize) -> Result<(), Error> {
    if path.len() > MAX_PATH {
        return Err(Error::TooLarge {
            size: path.len(),
            limit: MAX_PATH,
        });
    }
    if body.len() > limit {
        return Err(Error::TooLarge {
            size: body.len(),
            limit,
        });
    }
    Ok(())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).max(1)
}
