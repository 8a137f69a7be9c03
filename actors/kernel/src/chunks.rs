//! A kernel's chunks in the object store of this host and its peers: how they are taken in, settled on a quorum, and brought here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nbos_mesh::NodeName;
use nbos_objects::{BlobId, Error, Objects};
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use crate::core::{FIRST_DEFERRABLE_RANK, Failure, FetchFailure};
use crate::protocol::Replicating;
use crate::state::Group;

/// Pause between two attempts while a disk is full or too few hosts answer: short beside what it takes a person to make room.
const RETRY: Duration = Duration::from_millis(500);

/// An attempt takes at least this long: a host without room has to get round to saying so, or the last one would end
/// without the reason.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Chunks settled or pulled at a time: 64 MiB.
const BATCH: usize = 16;

/// One attempt to bring a group's chunks here; what arrived stays.
const FETCH_WITHIN: Duration = Duration::from_secs(60);

/// The executor sends its chunks to every peer by itself; only what is still missing after this is asked for.
const PULL_AFTER: Duration = Duration::from_secs(3);

/// The same for what somebody waits for: as long as a handful of entries of the log take.
const PULL_SOON: Duration = Duration::from_millis(50);

/// Attempts to pull what hosts did not give: ten minutes at most, then the next change of the session tries again.
const PULLS: usize = 200;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Chunks {
    objects: Objects,
    peers: Arc<RwLock<Peers>>,
    /// How long a full disk or a missing majority is waited for.
    within: Duration,
    progress: Arc<Mutex<Progress>>,
    wanted: Arc<Mutex<BTreeSet<BlobId>>>,
}

/// Who else keeps the kernel's chunks.
#[derive(Clone)]
pub(crate) struct Peers {
    /// Of each of these sets a majority has to have a change, this host included. More than one while a replica is being replaced.
    pub quorums: Vec<Vec<NodeName>>,
    pub haste: Haste,
}

/// How soon this host is to have what the others have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// When there is time: the executor sends it anyway.
    Background,
    /// At once: this replica is to be a member as soon as it has all.
    Awaited,
}

impl Peers {
    fn all(&self) -> Vec<NodeName> {
        let all: BTreeSet<&NodeName> = self.quorums.iter().flatten().collect();
        all.into_iter().cloned().collect()
    }
}

/// The change at hand, as far as it is captured.
#[derive(Default)]
struct Progress {
    chunks: Vec<BlobId>,
    bytes: u64,
}

impl Chunks {
    pub(crate) fn new(objects: Objects, peers: Peers, within: Duration) -> Self {
        Self {
            objects,
            peers: Arc::new(RwLock::new(peers)),
            within,
            progress: Arc::default(),
            wanted: Arc::default(),
        }
    }

    /// The control state moved replicas.
    pub(crate) fn set_peers(&self, peers: Peers) {
        *self.peers.write() = peers;
    }

    /// Stores a chunk of a change that is being captured and starts sending it to the peers. `waits` is told what stands in the
    /// way as often as it is tried again.
    pub(crate) async fn take_in(&self, id: BlobId, raw: Bytes, waits: impl Fn(Failure)) -> Result<(), Failure> {
        let bytes = raw.len() as u64;
        let deadline = Instant::now() + self.within;
        loop {
            let peers = self.peers.read().all();
            match self.objects.ingest(id, raw.clone(), &peers).await {
                Ok(()) => break,
                Err(error @ Error::NoSpace { .. }) if Instant::now() < deadline => waits(failure(&error)),
                Err(error) => return Err(failure(&error)),
            }
            tokio::time::sleep(RETRY).await;
        }
        let mut progress = self.progress.lock();
        progress.chunks.push(id);
        progress.bytes += bytes;
        Ok(())
    }

    /// Returns once a majority of the replicas' hosts, this one included, has every chunk.
    pub(crate) async fn settle(&self, ids: &[BlobId], bytes: u64, waits: impl Fn(Failure)) -> Result<(), Failure> {
        let chunks = ids.to_vec();
        *self.progress.lock() = Progress { chunks, bytes };
        let settled = self.settle_batches(ids, waits).await;
        self.forget_progress();
        settled
    }

    async fn settle_batches(&self, ids: &[BlobId], waits: impl Fn(Failure)) -> Result<(), Failure> {
        let deadline = Instant::now() + self.within;
        for batch in ids.chunks(BATCH) {
            loop {
                let peers = self.peers.read().clone();
                let left = deadline.saturating_duration_since(Instant::now());
                let settling = self.settle_on(batch, &peers, left.max(ATTEMPT));
                let error = match settling.await {
                    Ok(()) => break,
                    Err(error @ (Error::NoSpace { .. } | Error::NotEnough { .. })) if Instant::now() < deadline => {
                        error
                    }
                    Err(error) => return Err(failure(&error)),
                };
                waits(failure(&error));
                tokio::time::sleep(RETRY).await;
            }
        }
        Ok(())
    }

    async fn settle_on(&self, ids: &[BlobId], peers: &Peers, within: Duration) -> Result<(), Error> {
        for peers in &peers.quorums {
            self.objects.settle(ids, peers, majority(peers), within).await?;
        }
        Ok(())
    }

    /// How far the change at hand has come, while there is one with chunks.
    pub(crate) fn progress(&self) -> Option<Replicating> {
        let progress = self.progress.lock();
        let total = progress.bytes;
        if total == 0 {
            return None;
        }
        let peers = self.peers.read();
        let on = |peers: &Vec<NodeName>| self.objects.settled(&progress.chunks, peers, majority(peers)) as u64;
        let settled = peers.quorums.iter().map(on).min().unwrap_or_default();
        // As good as all chunks are of one size.
        let done = total.saturating_mul(settled) / (progress.chunks.len() as u64).max(1);
        Some(Replicating { done, total })
    }

    /// The change at hand is stored, or there is none any more.
    pub(crate) fn forget_progress(&self) {
        *self.progress.lock() = Progress::default();
    }

    /// Brings chunks here from whoever has them.
    pub(crate) async fn fetch(&self, ids: &[BlobId]) -> Result<(), FetchFailure> {
        match self.fetch_within(ids, FETCH_WITHIN).await {
            Ok(()) => Ok(()),
            Err(error @ Error::NotFound(_)) => Err(FetchFailure::Nowhere(failure(&error).to_string())),
            Err(error) => {
                tracing::info!(%error, "objects not fetched yet");
                Err(FetchFailure::Later)
            }
        }
    }

    /// Those groups whose chunks are all here, after waiting for the others for a while, and those that lack some.
    pub(crate) async fn local(&self, groups: Vec<Group>, patience: Duration) -> (Vec<Group>, Vec<Group>) {
        let foundations = groups.iter().filter(|group| group.rank < FIRST_DEFERRABLE_RANK);
        let foundations = self.objects.missing(foundations.flat_map(Group::chunks));
        let all = self.objects.missing(groups.iter().flat_map(Group::chunks));
        // Classes and modules first and in any case: variables cannot be rebuilt without them.
        for (missing, patience) in [(foundations, FETCH_WITHIN), (all, patience)] {
            if !missing.is_empty()
                && !patience.is_zero()
                && let Err(error) = self.fetch_within(&missing, patience).await
            {
                tracing::info!(%error, "objects of a change are not here yet");
            }
        }
        groups
            .into_iter()
            .partition(|group| self.objects.missing(group.chunks()).is_empty())
    }

    /// A chunk of this host; fetched anew when the copy here turns out damaged.
    pub(crate) async fn read(&self, id: BlobId) -> Result<Bytes, Error> {
        match self.objects.read(id).await {
            Err(Error::NotFound(_) | Error::Corrupt(_)) => {
                self.fetch_within(&[id], FETCH_WITHIN).await?;
                self.objects.read(id).await
            }
            read => read,
        }
    }

    /// Makes this host's copy of the session complete when there is time. Returns at once.
    pub(crate) fn pull(&self, ids: Vec<BlobId>) {
        let mut wanted = self.wanted.lock();
        let idle = wanted.is_empty();
        wanted.extend(ids);
        if idle {
            let chunks = self.clone();
            tokio::spawn(async move { chunks.pull_wanted().await });
        }
    }

    /// How many of those are yet to come.
    pub(crate) fn lacking(&self) -> u64 {
        self.wanted.lock().len() as u64
    }

    async fn pull_wanted(&self) {
        for _ in 0..PULLS {
            let haste = self.peers.read().haste;
            tokio::time::sleep(match haste {
                Haste::Background => PULL_AFTER,
                Haste::Awaited => PULL_SOON,
            })
            .await;
            let asked: Vec<BlobId> = self.wanted.lock().iter().copied().collect();
            for missing in self.objects.missing(&asked).chunks(BATCH) {
                if let Err(error) = self.fetch_within(missing, FETCH_WITHIN).await {
                    // Nobody has what later changes have replaced.
                    if let Error::NotFound(id) = error {
                        self.wanted.lock().remove(&id);
                    }
                    tracing::debug!(%error, "objects not pulled yet");
                }
            }
            let mut wanted = self.wanted.lock();
            wanted.retain(|id| !self.objects.contains(id));
            if wanted.is_empty() {
                return;
            }
        }
        self.wanted.lock().clear();
    }

    async fn fetch_within(&self, ids: &[BlobId], within: Duration) -> Result<(), Error> {
        let peers = self.peers.read().all();
        self.objects.fetch(ids, &peers, within, |_bytes| ()).await
    }
}

/// Of n replicas a majority is n / 2 + 1, this host included: n / 2 others, where n = peers + 1.
fn majority(peers: &[NodeName]) -> usize {
    peers.len().div_ceil(2)
}

fn failure(error: &Error) -> Failure {
    Failure {
        code: error.code().to_owned(),
        message: error.to_string(),
    }
}
