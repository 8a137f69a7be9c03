//! One session with one peer: everything both directions of it need.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use ractor::{ActorCell, ActorId, ActorRef, ActorStatus, pg};
use tokio::sync::{Notify, oneshot};

use crate::Peer;
use crate::budget::{Budget, Receipt};
use crate::clock::PeerClock;
use crate::delivery::Answer;
use crate::gate::Gate;
use crate::peer::LinkId;
use crate::reassembly::Reassembly;
use crate::router::{self, Wire};

/// Budgeted bytes that count as a sign of life: while a large message holds up the answers to heartbeats, its
/// pieces show that the peer is there. Small ones do not count: in a one-way partition they still
/// come through while nothing we send arrives.
const LIFE_SIGN: u64 = 64 << 10;

/// A session with a peer, from admission to the end of its connection.
pub(crate) struct Link {
    pub id: LinkId,
    pub peer: Peer,
    pub epoch: u64,
    gate: Arc<Gate>,
    /// The peer's Router as `ractor_cluster` shows it here, once found.
    router: Mutex<Option<ActorRef<Wire>>>,
    pub budget: Mutex<Budget>,
    /// Told when budget comes back, and when the link ends.
    pub room: Notify,
    pub receipt: Mutex<Receipt>,
    pub inbound: Mutex<Inbound>,
    /// Callers that wait for an answer over this link.
    calls: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    /// When the peer last showed that it hears us, in microseconds of this node's clock.
    heard: AtomicU64,
}

/// What only the receiving side uses.
pub(crate) struct Inbound {
    pub clock: PeerClock,
    pub reassembly: Reassembly,
    since_life_sign: u64,
}

impl Inbound {
    /// Counts bytes; true when enough have come to be a sign of life.
    pub(crate) fn life_sign(&mut self, bytes: usize) -> bool {
        self.since_life_sign += bytes as u64;
        let enough = self.since_life_sign >= LIFE_SIGN;
        if enough {
            self.since_life_sign = 0;
        }
        enough
    }
}

/// A proxy that is only starting takes messages already.
fn is_alive(cell: &ActorCell) -> bool {
    cell.get_status() < ActorStatus::Draining
}

impl Link {
    pub(crate) fn new(id: LinkId, peer: Peer, epoch: u64, clock: PeerClock, gate: Arc<Gate>, budget: usize) -> Self {
        Self {
            id,
            peer,
            epoch,
            gate,
            router: Mutex::new(None),
            budget: Mutex::new(Budget::new(budget)),
            room: Notify::new(),
            receipt: Mutex::new(Receipt::default()),
            inbound: Mutex::new(Inbound {
                clock,
                reassembly: Reassembly::default(),
                since_life_sign: 0,
            }),
            calls: Mutex::new(HashMap::new()),
            heard: AtomicU64::new(0),
        }
    }

    /// The peer's Router. Looked up in pg until found: at the latest when the session is ready, it is there.
    pub(crate) fn router(&self) -> Option<ActorRef<Wire>> {
        let mut router = self.router.lock();
        if router
            .as_ref()
            .is_none_or(|router| router.get_status() != ActorStatus::Running)
        {
            *router = self.find_router();
        }
        router.clone()
    }

    /// Sessions are numbered upwards; a proxy of an earlier one may still be on its way out.
    fn find_router(&self) -> Option<ActorRef<Wire>> {
        pg::get_scoped_members(&router::SCOPE.to_owned(), &router::group(&self.peer))
            .into_iter()
            .filter_map(|cell| match cell.get_id() {
                ActorId::Remote { node_id, .. } if is_alive(&cell) => Some((node_id, cell)),
                ActorId::Remote { .. } | ActorId::Local(_) => None,
            })
            .max_by_key(|(node_id, _)| *node_id)
            .map(|(_, cell)| cell.into())
    }

    /// Registers a caller. Nothing is registered on a link that has ended.
    pub(crate) fn expect(&self, call: u64) -> Option<oneshot::Receiver<Answer>> {
        let (sender, receiver) = oneshot::channel();
        let mut calls = self.calls.lock();
        if self.is_closed() {
            return None;
        }
        calls.insert(call, sender);
        Some(receiver)
    }

    /// The answer to a call has come; its caller may be gone.
    pub(crate) fn answer(&self, call: u64, answer: Answer) {
        if let Some(caller) = self.calls.lock().remove(&call) {
            let _ = caller.send(answer);
        }
    }

    /// Forgets a call whose caller stopped waiting.
    pub(crate) fn forget(&self, call: u64) {
        self.calls.lock().remove(&call);
    }

    pub(crate) fn hear(&self, now: u64) {
        self.heard.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn last_heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.gate.is_shut()
    }

    /// Cuts the connection and tells everybody who waits on it.
    pub(crate) fn close(&self) {
        self.gate.shut();
        self.calls.lock().clear();
        self.room.notify_waiters();
    }
}
