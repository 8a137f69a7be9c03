//! Waits until chunks are safe on enough hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nbos_mesh::NodeName;

use crate::handle::blocking;
use crate::outbox::{Outcome, Rank};
use crate::push::{Peer, Pushes};
use crate::store::Level;
use crate::wire::Refusal;
use crate::{BlobId, Durability, Error};

/// What is small is on the disks before it is acknowledged: a flush of this much takes a disk few milliseconds.
const SMALL: u64 = 1 << 20;
/// Without any progress in this time all peers are asked, not only as many as are needed. Longer than a heartbeat, so
/// that a mere hiccup costs no second copy on the way.
const HEDGE: Duration = Duration::from_millis(400);

/// What is settled, and how.
pub(crate) struct Settling {
    pushes: Arc<Pushes>,
    peers: Vec<Arc<Peer>>,
    /// Not more than there are peers is ever enough; then it waits in vain, and says so.
    need: usize,
    /// Bytes on the disk of each, in the order of the ids.
    chunks: BTreeMap<BlobId, u64>,
    level: Level,
    rank: Rank,
    began: Instant,
}

impl Settling {
    /// Waits for chunks that are being stored right now.
    pub(crate) async fn begin(
        pushes: &Arc<Pushes>,
        ids: &[BlobId],
        peers: &[NodeName],
        need: usize,
        sync: Durability,
    ) -> Result<Self, Error> {
        let mut changed = pushes.changed.subscribe();
        let mut chunks = BTreeMap::new();
        let now = Instant::now();
        for id in ids {
            while pushes.hot.is_arriving(id) && !pushes.store.contains(id) {
                changed.changed().await.map_err(|_| Error::NotFound(*id))?;
            }
            pushes.store.touch(id, now);
            chunks.insert(*id, pushes.store.len(id).ok_or(Error::NotFound(*id))?);
        }
        let total = chunks.values().sum();
        let level = match sync {
            Durability::Background if total > SMALL => Level::Stored,
            Durability::Background | Durability::Always => Level::Durable,
        };
        let mut names = BTreeSet::new();
        let fresh = peers.iter().filter(|name| names.insert(*name));
        let mut peers: Vec<Arc<Peer>> = fresh.map(|name| pushes.peer(name)).collect();
        // Those that can be reached, then those that have most of it already, then in the order given.
        let held = |peer: &Peer| chunks.keys().filter(|id| peer.held(id).is_some()).count();
        peers.sort_by_cached_key(|peer| (!pushes.dialer.is_up(&peer.name), usize::MAX - held(peer)));
        Ok(Self {
            pushes: Arc::clone(pushes),
            peers,
            need,
            chunks,
            level,
            rank: Rank::awaited(total),
            began: now,
        })
    }

    /// Until every chunk is held by enough peers; the others go on in the background.
    pub(crate) async fn run(&self) -> Result<(), Error> {
        let flush = async {
            if self.level < Level::Durable {
                return Ok(());
            }
            let (store, ids) = (
                Arc::clone(&self.pushes.store),
                self.chunks.keys().copied().collect::<Vec<_>>(),
            );
            blocking(move || store.flush(&ids)).await
        };
        let (flushed, held) = tokio::join!(flush, self.until_held());
        flushed.and(held)
    }

    async fn until_held(&self) -> Result<(), Error> {
        let mut changed = self.pushes.changed.subscribe();
        let mut open: Vec<BlobId> = self.chunks.keys().copied().collect();
        let mut asked = self.need.min(self.peers.len());
        self.want(&open, &self.peers[..asked], self.rank);
        self.want(&open, &self.peers[asked..], Rank::FOLLOW);
        while self.drop_held(&mut open) {
            let before = open.len();
            let progress = async {
                loop {
                    changed.borrow_and_update();
                    self.check(&open)?;
                    self.drop_held(&mut open);
                    if open.is_empty() {
                        return Ok(());
                    }
                    if changed.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            };
            if let Ok(ended) = tokio::time::timeout(HEDGE, progress).await {
                return ended;
            }
            if open.len() == before {
                asked = self.peers.len();
            }
            // Again: what was refused or given up may be taken now.
            self.want(&open, &self.peers[..asked], self.rank);
        }
        Ok(())
    }

    fn want(&self, open: &[BlobId], peers: &[Arc<Peer>], rank: Rank) {
        for peer in peers {
            for id in open {
                if peer.held(id) < Some(self.level) {
                    self.pushes.want(peer, *id, self.chunks[id], rank, self.level);
                }
            }
        }
    }

    /// True while any is left. Looks at the end until it finds one that is not held: each is looked at once.
    fn drop_held(&self, open: &mut Vec<BlobId>) -> bool {
        while let Some(id) = open.last() {
            if self.holders(id) < self.need {
                return true;
            }
            open.pop();
        }
        false
    }

    fn holders(&self, id: &BlobId) -> usize {
        let holds = |peer: &&Arc<Peer>| peer.held(id) >= Some(self.level);
        self.peers.iter().filter(holds).count()
    }

    /// An error when waiting on cannot help: the chunk is not here any more, or too many peers' disks are full.
    fn check(&self, open: &[BlobId]) -> Result<(), Error> {
        let Some(id) = open.last() else { return Ok(()) };
        if !self.pushes.store.contains(id) {
            return Err(Error::Corrupt(*id));
        }
        let is_full = |peer: &&Arc<Peer>| {
            peer.refused(id, self.began) == Some(Outcome::Refused(Refusal::NoSpace)) && peer.held(id).is_none()
        };
        let full: Vec<&Arc<Peer>> = self.peers.iter().filter(is_full).collect();
        match full.first() {
            Some(peer) if self.peers.len() - full.len() < self.need => Err(Error::NoSpace {
                id: *id,
                host: peer.name.to_string(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Why it is not settled, at the end of the time given.
    pub(crate) fn complaint(&self) -> Error {
        let open = self.chunks.keys().find(|id| self.holders(id) < self.need);
        let Some(id) = open else {
            // All peers have it: the own disk is the slow one.
            let id = *self.chunks.keys().next().expect("invariant: what is late is not empty");
            return Error::Late {
                id,
                reasons: "the disk of this host is too slow".to_owned(),
            };
        };
        let mut reasons = Vec::new();
        for peer in self.peers.iter().filter(|peer| peer.held(id) < Some(self.level)) {
            let reason = match peer.refused(id, self.began) {
                Some(Outcome::Refused(Refusal::NoSpace)) => {
                    return Error::NoSpace {
                        id: *id,
                        host: peer.name.to_string(),
                    };
                }
                Some(Outcome::Refused(refusal)) => format!("{refusal:?}"),
                Some(Outcome::Late | Outcome::Held(_)) | None => {
                    let failure = peer.failure.lock().clone();
                    failure.unwrap_or_else(|| "no acknowledgement yet".to_owned())
                }
            };
            reasons.push(format!("{}: {reason}", peer.name));
        }
        Error::NotEnough {
            id: *id,
            need: self.need,
            acknowledged: self.holders(id),
            reasons: reasons.join("; "),
        }
    }
}

impl Drop for Settling {
    /// Nobody waits any more: what is still on its way goes on behind everything else.
    fn drop(&mut self) {
        for peer in &self.peers {
            for (id, bytes) in &self.chunks {
                self.pushes.demote(peer, id, *bytes);
            }
        }
    }
}
