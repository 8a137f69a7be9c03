//! What a node does with chunks, apart from how it is found: the mesh stays outside, so that tests can have several.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nbos_mesh::NodeName;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::back::Workers;
use crate::cold::Cold;
use crate::dial::Dialer;
use crate::encoding::{Encoded, Encoding};
use crate::fetch::Fetching;
use crate::handle::blocking;
use crate::hunt::{Hunt, Source};
use crate::outbox::Rank;
use crate::push::{EXPRESS_BYTES, Pushes};
use crate::receive::PIECE;
use crate::settle::Settling;
use crate::store::{Flusher, Level, Store};
use crate::{BlobId, Durability, Error, Options, Stats};

/// How long a chunk that nothing refers to is kept: much longer than the way from `ingest` to the log entry that names
/// it, which ends with the deadlines of a settlement (minutes) and a proposal (seconds).
const GRACE: Duration = Duration::from_secs(600);
/// Calls that fetch at once; the others wait. Each has a connection and a thread for each peer.
const MAX_FETCHES: usize = 8;

pub(crate) struct Node {
    pub(crate) store: Arc<Store>,
    workers: Workers,
    pushes: Arc<Pushes>,
    dialer: Dialer,
    sync: Durability,
    cold: Option<Arc<Cold>>,
    fetches: Semaphore,
    fetched_bytes: Arc<AtomicU64>,
    _flusher: Flusher,
    /// Ends all connections.
    _ended: DropGuard,
}

impl Node {
    pub(crate) fn new(
        store: Arc<Store>,
        dialer: Dialer,
        options: &Options,
        ended: CancellationToken,
    ) -> Result<Self, Error> {
        let cold = options
            .s3
            .as_ref()
            .map(|s3| Cold::start(s3, &store, &ended))
            .transpose()?;
        let no_thread = |source| Error::Storage {
            what: "start a thread",
            source: Arc::new(source),
        };
        Ok(Self {
            cold,
            workers: Workers::start().map_err(no_thread)?,
            pushes: Pushes::new(Arc::clone(&store), Arc::clone(&dialer), ended.clone()),
            _flusher: Flusher::start(Arc::clone(&store))?,
            store,
            dialer,
            sync: options.sync,
            fetches: Semaphore::new(MAX_FETCHES),
            fetched_bytes: Arc::default(),
            _ended: ended.drop_guard(),
        })
    }

    pub(crate) async fn ingest(&self, id: BlobId, raw: Bytes, peers: &[NodeName]) -> Result<(), Error> {
        let first = self.first(peers);
        if self.store.touch(&id, Instant::now()).is_some() {
            let bytes = self.store.len(&id).unwrap_or(0);
            self.push(id, bytes, peers, &first);
            return Ok(());
        }
        let content = raw.clone();
        let len = raw.len() as u64;
        let encoded = self.work(len, move || Ok(Encoded::of(content))).await?;
        let storing = self.pushes.hot.enter(id, encoded.clone(), first.clone()).await;
        // Peers verify what they get: it can be on its way while it is verified here.
        self.push(id, encoded.bytes.len() as u64, peers, &first);
        let store = Arc::clone(&self.store);
        let keep = move || verify_and_keep(&store, id, &raw, &encoded);
        let stored = self.work(len, keep).await;
        drop(storing);
        self.pushes.changed.send_modify(|count| *count += 1);
        if stored.is_ok() {
            self.cold.iter().for_each(|cold| cold.want(id));
        }
        stored
    }

    /// Work on so many bytes: what is small waits for nothing that is large.
    async fn work<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if bytes > EXPRESS_BYTES {
            self.workers.run(work).await
        } else {
            blocking(work).await
        }
    }

    fn push(&self, id: BlobId, bytes: u64, peers: &[NodeName], first: &BTreeSet<NodeName>) {
        for name in peers {
            let rank = if first.contains(name) {
                Rank::FIRST
            } else {
                Rank::FOLLOW
            };
            let peer = self.pushes.peer(name);
            self.pushes.want(&peer, id, bytes, rank, Level::Stored);
        }
    }

    /// The peers that make a majority with this node, as a settlement will ask for: those that can be reached, in the
    /// order given.
    fn first(&self, peers: &[NodeName]) -> BTreeSet<NodeName> {
        let (up, down): (Vec<&NodeName>, Vec<&NodeName>) = peers.iter().partition(|peer| self.dialer.is_up(peer));
        let need = peers.len().div_ceil(2);
        up.into_iter().chain(down).take(need).cloned().collect()
    }

    pub(crate) async fn settle(
        &self,
        ids: &[BlobId],
        peers: &[NodeName],
        need: usize,
        within: Duration,
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let deadline = tokio::time::Instant::now() + within;
        let beginning = Settling::begin(&self.pushes, ids, peers, need, self.sync);
        let settling = tokio::time::timeout_at(deadline, beginning)
            .await
            .unwrap_or(Err(Error::NotFound(ids[0])))?;
        match tokio::time::timeout_at(deadline, settling.run()).await {
            Ok(ended) => ended,
            Err(_elapsed) => Err(settling.complaint()),
        }
    }

    pub(crate) fn settled(&self, ids: &[BlobId], peers: &[NodeName], need: usize) -> usize {
        let peers: Vec<_> = peers.iter().map(|name| self.pushes.peer(name)).collect();
        let is_settled = |id: &&BlobId| peers.iter().filter(|peer| peer.held(id).is_some()).count() >= need;
        ids.iter().filter(is_settled).count()
    }

    pub(crate) async fn fetch(
        &self,
        ids: &[BlobId],
        peers: &[NodeName],
        within: Duration,
        progress: impl Fn(u64),
    ) -> Result<(), Error> {
        let now = Instant::now();
        let missing: Vec<BlobId> = ids
            .iter()
            .filter(|id| self.store.touch(id, now).is_none())
            .copied()
            .collect();
        let Some(first) = missing.first().copied() else {
            return Ok(());
        };
        let reserve = self.cold.iter().map(|_| Source::Reserve);
        let sources = (0..peers.len()).map(Source::Peer).chain(reserve);
        let fetching = Fetching::new(
            &self.store,
            &self.dialer,
            Hunt::new(missing, sources),
            &self.fetched_bytes,
        );
        let ended = CancellationToken::new();
        // However this future ends, so do the workers.
        let _ended = ended.clone().drop_guard();
        let work = async {
            let _turn = self.fetches.acquire().await.map_err(|_| Error::NotFound(first))?;
            if let Some(cold) = self.cold.clone() {
                let asking = Arc::clone(&fetching).work_cold(cold);
                tokio::spawn(ended.clone().run_until_cancelled_owned(asking));
            }
            fetching.run(peers, &ended, progress).await
        };
        let fetched = tokio::time::timeout(within, work).await;
        self.pushes.changed.send_modify(|count| *count += 1);
        fetched.unwrap_or_else(|_elapsed| Err(fetching.complaint()))
    }

    /// Deletes the rest, and makes sure that what is kept has a cold copy.
    pub(crate) async fn retain(&self, keep: &BTreeSet<BlobId>) -> Result<usize, Error> {
        if let Some(cold) = &self.cold {
            keep.iter()
                .filter(|id| self.store.contains(id))
                .for_each(|id| cold.want(*id));
        }
        let (store, keep) = (Arc::clone(&self.store), keep.clone());
        blocking(move || store.retain(&keep, Instant::now(), GRACE)).await
    }

    pub(crate) fn stats(&self) -> Stats {
        let (blobs, stored_bytes) = self.store.totals();
        Stats {
            blobs,
            stored_bytes,
            pushed_bytes: self.pushes.pushed_bytes.load(Ordering::Relaxed),
            fetched_bytes: self.fetched_bytes.load(Ordering::Relaxed),
            cold_blobs: self.cold.as_ref().map_or(0, |cold| cold.known()),
            in_flight_bytes: self.pushes.hot.bytes(),
        }
    }
}

fn verify_and_keep(store: &Store, id: BlobId, raw: &Bytes, encoded: &Encoded) -> Result<(), Error> {
    match encoded.encoding {
        Encoding::Raw => {
            let mut arrival = store.arrive(id, Encoding::Raw)?;
            raw.chunks(PIECE).try_for_each(|piece| arrival.add(piece))?;
            arrival.finish(Instant::now())
        }
        Encoding::Zstd if BlobId::of(raw) == id => store.keep(id, encoded, Instant::now()),
        Encoding::Zstd => Err(Error::Corrupt(id)),
    }
}

#[cfg(test)]
mod tests;
