//! Blobs on their way in: one task a blob takes its pieces in order, whoever sends them.
//!
//! A push by a peer and a fetch by this node feed the same task, so they help each other. Tasks, their queues and
//! their lifetime are bounded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;

use crate::store::{Partial, Store};
use crate::wire::{MAX_BLOB, PIECE, Refusal, Reply, WINDOW};
use crate::{BlobId, Error};

/// Blobs that can arrive at once. With full queues they hold 128 MiB.
const MAX_BLOBS: usize = 32;
/// Pieces that can wait for one blob: the windows of two senders, as many as a kernel's replica has peers.
const QUEUE: usize = 2 * WINDOW;
/// How long a blob may stand still before its file is closed; a sender pauses for at most 1 s between attempts.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) struct Intakes {
    store: Arc<Store>,
    open: Mutex<BTreeMap<BlobId, mpsc::Sender<Job>>>,
}

/// What arrives.
pub(crate) enum Arrival {
    /// Word that the blob can be had.
    Offer,
    Piece {
        offset: u64,
        bytes: Bytes,
    },
}

struct Job {
    len: u64,
    arrival: Arrival,
    reply: oneshot::Sender<Reply>,
}

/// An answer that may still have to be waited for.
pub(crate) enum Pending {
    Now(Reply),
    Later(oneshot::Receiver<Reply>),
}

impl Pending {
    pub(crate) async fn reply(self) -> Reply {
        match self {
            Self::Now(reply) => reply,
            // The task ended without an answer: only by a panic, which is its own log line.
            Self::Later(reply) => reply.await.unwrap_or(Reply::Refused(Refusal::Busy)),
        }
    }
}

impl Intakes {
    pub(crate) fn new(store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self {
            store,
            open: Mutex::new(BTreeMap::new()),
        })
    }

    /// Takes what arrived, in the order of the calls for one blob. Answered by `Have`, `Want` or `Refused`.
    pub(crate) fn take(self: &Arc<Self>, id: BlobId, len: u64, arrival: Arrival) -> Pending {
        if self.store.touch(&id, Instant::now()).is_some() {
            return Pending::Now(Reply::Have);
        }
        let piece = match &arrival {
            Arrival::Offer => 0,
            Arrival::Piece { bytes, .. } => bytes.len() as u64,
        };
        if len > MAX_BLOB || piece > PIECE {
            return Pending::Now(Reply::Refused(Refusal::TooLarge));
        }
        let (reply, answer) = oneshot::channel();
        let mut open = self.open.lock();
        if !open.contains_key(&id) {
            if open.len() == MAX_BLOBS {
                return Pending::Now(Reply::Refused(Refusal::Busy));
            }
            let (jobs, queue) = mpsc::channel(QUEUE);
            tokio::spawn(Arc::clone(self).run(id, queue));
            open.insert(id, jobs);
        }
        match open[&id].try_send(Job { len, arrival, reply }) {
            Ok(()) => Pending::Later(answer),
            Err(TrySendError::Full(_)) => Pending::Now(Reply::Refused(Refusal::Busy)),
            Err(TrySendError::Closed(_)) => {
                // Its task panicked; the next attempt starts another.
                open.remove(&id);
                Pending::Now(Reply::Refused(Refusal::Busy))
            }
        }
    }

    async fn run(self: Arc<Self>, id: BlobId, mut jobs: mpsc::Receiver<Job>) {
        let mut partial = None;
        loop {
            let Ok(job) = tokio::time::timeout(IDLE, jobs.recv()).await else {
                let mut open = self.open.lock();
                // Jobs are queued under this lock: none can slip in.
                if jobs.is_empty() {
                    open.remove(&id);
                    return;
                }
                continue;
            };
            let Some(Job { len, arrival, reply }) = job else { return };
            let store = Arc::clone(&self.store);
            let stepped = tokio::task::spawn_blocking(move || {
                step(&store, id, len, partial, arrival).unwrap_or_else(|error| (None, Reply::Refused(refusal(error))))
            });
            let (after, answer) = stepped.await.expect("invariant: storing a piece does not panic");
            partial = after;
            let complete = answer == Reply::Have;
            // The sender may have given up.
            let _ = reply.send(answer);
            if complete {
                break;
            }
        }
        self.open.lock().remove(&id);
        jobs.close();
        while let Some(job) = jobs.recv().await {
            let _ = job.reply.send(Reply::Have);
        }
    }
}

/// Stores one piece if it is the one that comes next.
fn step(
    store: &Store,
    id: BlobId,
    len: u64,
    partial: Option<Partial>,
    arrival: Arrival,
) -> Result<(Option<Partial>, Reply), Error> {
    // Stored as a whole meanwhile.
    if store.contains(&id) {
        return Ok((None, Reply::Have));
    }
    let mut partial = match partial {
        Some(open) if open.len() == len => open,
        Some(_) | None => store.resume(id, len)?,
    };
    let Arrival::Piece { offset, bytes } = arrival else {
        let offset = partial.at();
        return Ok((Some(partial), Reply::Want { offset }));
    };
    if offset == partial.at() {
        if bytes.len() as u64 > len - offset {
            return Ok((Some(partial), Reply::Refused(Refusal::TooLarge)));
        }
        store.append(&mut partial, &bytes)?;
        if partial.at() == len {
            store.finish(partial, Instant::now())?;
            return Ok((None, Reply::Have));
        }
    }
    let offset = partial.at();
    Ok((Some(partial), Reply::Want { offset }))
}

/// What a peer is told about an error here.
pub(crate) fn refusal(error: Error) -> Refusal {
    match error {
        Error::NotFound(_) => Refusal::Missing,
        Error::NoSpace(id) => {
            tracing::warn!(%id, "blob refused, the disk is full");
            Refusal::NoSpace
        }
        Error::Corrupt(id) => {
            tracing::warn!(%id, "blob refused, its bytes are damaged");
            Refusal::Corrupt
        }
        Error::TooLarge { .. } => Refusal::TooLarge,
        error @ (Error::NotEnough { .. }
        | Error::Storage { .. }
        | Error::Busy(_)
        | Error::Peer { .. }
        | Error::Late { .. }
        | Error::Supervision(_)) => {
            tracing::error!(%error, "blob refused");
            Refusal::Storage(error.to_string())
        }
    }
}
