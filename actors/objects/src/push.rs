//! What peers are to get and what they have: the state that calls and connections share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nbos_mesh::NodeName;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::dial::Dialer;
use crate::hot::Hot;
use crate::outbox::{Followers, Outbox, Outcome, Rank};
use crate::store::{Level, Store};
use crate::{BlobId, Error, back, lane};

/// How long an acknowledgement counts without asking again: half of the time for which a peer keeps what nobody refers
/// to.
const TRUST: Duration = Duration::from_secs(300);
/// Outcomes remembered for a peer before old ones are forgotten.
const MAX_OUTCOMES: usize = 65_536;
/// Chunks up to this size have a connection and threads of their own, so that they never wait behind full ones.
pub(crate) const EXPRESS_BYTES: u64 = 256 << 10;
/// Followers begin after nobody has waited for anything for so long: longer than the gaps in a stream of chunks.
const QUIET: Duration = Duration::from_millis(50);
/// However busy it is, followers get one chunk in this time.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

pub(crate) struct Pushes {
    pub(crate) store: Arc<Store>,
    pub(crate) hot: Hot,
    pub(crate) dialer: Dialer,
    /// Counts what has changed: acknowledgements, refusals, chunks stored here.
    pub(crate) changed: watch::Sender<u64>,
    pub(crate) pushed_bytes: AtomicU64,
    peers: Mutex<BTreeMap<NodeName, Arc<Peer>>>,
    pace: Mutex<Pace>,
    ended: CancellationToken,
}

#[derive(Debug)]
struct Pace {
    last_urgent: Instant,
    last_follower: Instant,
}

pub(crate) struct Peer {
    pub(crate) name: NodeName,
    express: Arc<Lane>,
    bulk: Arc<Lane>,
    outcomes: Mutex<BTreeMap<BlobId, (Outcome, Instant)>>,
    /// Why the last attempt to reach it failed, for people.
    pub(crate) failure: Mutex<Option<String>>,
}

/// One connection's worth of chunks.
#[derive(Default)]
pub(crate) struct Lane {
    outbox: Mutex<Outbox>,
    /// There may be something to say.
    pub(crate) work: Notify,
}

impl Pushes {
    pub(crate) fn new(store: Arc<Store>, dialer: Dialer, ended: CancellationToken) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            store,
            hot: Hot::default(),
            dialer,
            changed: watch::Sender::default(),
            pushed_bytes: AtomicU64::new(0),
            peers: Mutex::default(),
            pace: Mutex::new(Pace {
                last_urgent: now,
                last_follower: now,
            }),
            ended,
        })
    }

    /// A peer's state; its connections are made when there is something to say.
    pub(crate) fn peer(self: &Arc<Self>, name: &NodeName) -> Arc<Peer> {
        let mut peers = self.peers.lock();
        if let Some(peer) = peers.get(name) {
            return Arc::clone(peer);
        }
        let peer = Arc::new(Peer {
            name: name.clone(),
            express: Arc::default(),
            bulk: Arc::default(),
            outcomes: Mutex::default(),
            failure: Mutex::default(),
        });
        peers.insert(name.clone(), Arc::clone(&peer));
        let run = |lane: &Arc<Lane>| {
            let running = lane::run(Arc::clone(self), Arc::clone(&peer), Arc::clone(lane));
            let ended = self.ended.clone();
            async move {
                ended.run_until_cancelled(running).await;
            }
        };
        tokio::spawn(run(&peer.express));
        if let Err(error) = back::run("objects-push", run(&peer.bulk)) {
            tracing::warn!(peer = %peer.name, %error, "chunks are pushed without a thread of their own");
            tokio::spawn(run(&peer.bulk));
        }
        peer
    }

    /// The peer is to have the chunk.
    pub(crate) fn want(&self, peer: &Peer, id: BlobId, bytes: u64, rank: Rank, level: Level) {
        let lane = peer.lane(bytes);
        let wanted = self.with(lane, |outbox| outbox.want(id, bytes, rank, level, Instant::now()));
        match wanted {
            Ok(()) => lane.work.notify_one(),
            Err(outcome) => self.news(peer, vec![(id, outcome)]),
        }
    }

    /// Nobody waits for it to be there any more.
    pub(crate) fn demote(&self, peer: &Peer, id: &BlobId, bytes: u64) {
        self.with(peer.lane(bytes), |outbox| outbox.demote(id));
    }

    /// Does something to an outbox, and keeps the count of what is urgent.
    pub(crate) fn with<T>(&self, lane: &Lane, work: impl FnOnce(&mut Outbox) -> T) -> T {
        let mut outbox = lane.outbox.lock();
        let before = outbox.urgent();
        let result = work(&mut outbox);
        let after = outbox.urgent();
        // Under the lock, so that the sum never goes below zero.
        if after > before {
            self.store.awaited.fetch_add(after - before, Ordering::SeqCst);
        } else {
            self.store.awaited.fetch_sub(before - after, Ordering::SeqCst);
        }
        result
    }

    /// What came of chunks at a peer.
    pub(crate) fn news(&self, peer: &Peer, news: Vec<(BlobId, Outcome)>) {
        if news.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut outcomes = peer.outcomes.lock();
        for (id, outcome) in news {
            self.hot.release(&id, &peer.name);
            outcomes.insert(id, (outcome, now));
        }
        if outcomes.len() > MAX_OUTCOMES {
            outcomes.retain(|_, (_, at)| now.saturating_duration_since(*at) < TRUST / 10);
        }
        drop(outcomes);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Whether chunks that nobody waits for may go now.
    pub(crate) fn followers(&self) -> Followers {
        let now = Instant::now();
        let mut pace = self.pace.lock();
        if self.store.awaited.load(Ordering::SeqCst) > 0 {
            pace.last_urgent = now;
        }
        let go = now.saturating_duration_since(pace.last_urgent) >= QUIET
            || now.saturating_duration_since(pace.last_follower) >= FOLLOW_EVERY;
        if go { Followers::Go } else { Followers::Wait }
    }

    /// A chunk went out while followers were let through.
    pub(crate) fn followed(&self) {
        self.pace.lock().last_follower = Instant::now();
    }

    /// Verifies the own copy after a peer found its bytes wrong; a damaged one is discarded.
    pub(crate) async fn suspect(&self, id: BlobId) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        crate::handle::blocking(move || store.read(&id).map(drop)).await
    }
}

impl Peer {
    /// How safe the chunk is there, as far as it said recently.
    pub(crate) fn held(&self, id: &BlobId) -> Option<Level> {
        match self.outcomes.lock().get(id) {
            Some((Outcome::Held(level), at)) if at.elapsed() < TRUST => Some(*level),
            Some(_) | None => None,
        }
    }

    /// Why it was not taken, if that was said after an instant.
    pub(crate) fn refused(&self, id: &BlobId, after: Instant) -> Option<Outcome> {
        match self.outcomes.lock().get(id) {
            Some((outcome @ (Outcome::Refused(_) | Outcome::Late), at)) if *at >= after => Some(outcome.clone()),
            Some(_) | None => None,
        }
    }

    /// It was started anew: what it had then need not be there now.
    pub(crate) fn forget(&self) {
        self.outcomes.lock().clear();
    }

    fn lane(&self, bytes: u64) -> &Lane {
        if bytes <= EXPRESS_BYTES {
            &self.express
        } else {
            &self.bulk
        }
    }
}
