//! The other end of bulk connections: takes, tells and gives chunks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nbos_mesh::Duplex;
use tokio::io::{AsyncWrite, ReadHalf};
use tokio::sync::{Semaphore, mpsc};

use crate::encoding::Encoded;
use crate::push::EXPRESS_BYTES;
use crate::store::{Bringer, Level, Store};
use crate::wire::{self, Answer, Broken, MAX_IDS, Refusal, Request, WITHIN_FRAME};
use crate::{BlobId, Error, back, receive};

/// A connection on which nothing was said for so long is nobody's. Longer than the other end keeps an unused one.
const IDLE: Duration = Duration::from_secs(120);
/// Answers waiting to be written. Only those with chunks are large, and they wait one by one.
const ANSWERS: usize = 64;
/// Chunks waiting to be written to one peer: the next is read from the disk while one is sent.
const CHUNKS: usize = 2;
/// Flushes under way for one peer, as many as it has questions under way.
const FLUSHES: usize = 4;

/// Chunks that somebody here waits for and the peer was not told of yet; with more it does without.
const HINTS: usize = 2 * MAX_IDS;

type Outgoing = (Answer, Option<Encoded>);

/// A connection as one that brings chunks here, until it is dropped.
struct Line {
    store: Arc<Store>,
    bringer: Bringer,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.store.retire(self.bringer);
    }
}

/// Serves one connection until it ends. Blocks on the disk: to be run on a thread of its own.
pub(crate) async fn connection(store: Arc<Store>, stream: Box<dyn Duplex>) -> Broken {
    let (reader, writer) = tokio::io::split(stream);
    let (answers, small) = mpsc::channel(ANSWERS);
    let (chunks, large) = mpsc::channel(CHUNKS);
    let (hints, hinted) = mpsc::channel(HINTS);
    let line = Line {
        bringer: store.bringer(Some(hints)),
        store,
    };
    let ended = tokio::select! {
        broken = hear(&line, reader, &answers, &chunks) => broken,
        broken = say(writer, small, large, hinted) => broken,
    };
    ended.err().unwrap_or(Broken::Closed)
}

async fn hear(
    line: &Line,
    mut stream: ReadHalf<Box<dyn Duplex>>,
    answers: &mpsc::Sender<Outgoing>,
    chunks: &mpsc::Sender<Outgoing>,
) -> Result<(), Broken> {
    let (store, bringer) = (&line.store, line.bringer);
    let mut buffer = Vec::new();
    let flushes = Arc::new(Semaphore::new(FLUSHES));
    loop {
        let next = tokio::time::timeout(IDLE, wire::read_head::<Request>(&mut stream)).await;
        let (request, body) = next.unwrap_or(Err(Broken::Idle))?;
        if body > 0 && !matches!(request, Request::Put { .. }) {
            return Err(Broken::Nonsense("bytes where none belong".to_owned()));
        }
        let answer = match request {
            Request::Ask { batch, ids } => {
                let now = Instant::now();
                let held = limited(ids)?.iter().map(|id| store.has(id, bringer, now)).collect();
                Answer::Known { batch, held }
            }
            Request::Put { id, encoding } => {
                let taken = receive::chunk(store, &mut stream, &mut buffer, id, encoding, body).await?;
                store.ended(&id, bringer);
                let outcome = taken.map(|_bytes| Level::Stored).map_err(refusal);
                Answer::Taken { id, outcome }
            }
            Request::Flush { batch, ids } => {
                let (store, ids, answers) = (Arc::clone(store), limited(ids)?, answers.clone());
                let permit = Arc::clone(&flushes).acquire_owned().await;
                // Beside this connection's other work: others' questions do not wait for the disk.
                tokio::task::spawn_blocking(move || {
                    let outcome = store.flush(&ids).map_err(refusal);
                    // The connection may be over.
                    let _ = answers.blocking_send((Answer::Flushed { batch, outcome }, None));
                    drop(permit);
                });
                continue;
            }
            Request::Get { id } => {
                give(store, id, chunks).await?;
                continue;
            }
            Request::Doubt { id } => {
                // A damaged copy is discarded by reading it, which says so in the log.
                let _ = store.read(&id);
                continue;
            }
        };
        answers.send((answer, None)).await.map_err(|_| Broken::Closed)?;
    }
}

async fn give(store: &Arc<Store>, id: BlobId, chunks: &mpsc::Sender<Outgoing>) -> Result<(), Broken> {
    // Before the disk is read: no more chunks are in memory than the channel holds.
    let room = chunks.reserve().await.map_err(|_| Broken::Closed)?;
    store.touch(&id, Instant::now());
    room.send(match store.read_encoded(&id) {
        Ok(encoded) => {
            if encoded.bytes.len() as u64 > EXPRESS_BYTES {
                back::make_way();
            }
            let encoding = encoded.encoding;
            (Answer::Chunk { id, encoding }, Some(encoded))
        }
        Err(error) => {
            let refusal = refusal(error);
            (Answer::Refused { id, refusal }, None)
        }
    });
    Ok(())
}

async fn say(
    mut stream: impl AsyncWrite + Unpin,
    mut small: mpsc::Receiver<Outgoing>,
    mut large: mpsc::Receiver<Outgoing>,
    mut hinted: mpsc::Receiver<BlobId>,
) -> Result<(), Broken> {
    loop {
        let next = tokio::select! {
            biased;
            next = small.recv() => next,
            Some(first) = hinted.recv() => {
                let mut ids = vec![first];
                while ids.len() < MAX_IDS && let Ok(next) = hinted.try_recv() {
                    ids.push(next);
                }
                Some((Answer::Hurry { ids }, None))
            }
            next = large.recv() => next,
        };
        let (answer, chunk) = next.ok_or(Broken::Closed)?;
        let body = chunk.as_ref().map_or(&[][..], |chunk| &chunk.bytes);
        tokio::time::timeout(2 * WITHIN_FRAME, wire::write(&mut stream, &answer, body))
            .await
            .unwrap_or(Err(Broken::Stalled))?;
    }
}

fn limited(ids: Vec<BlobId>) -> Result<Vec<BlobId>, Broken> {
    if ids.len() > MAX_IDS {
        return Err(Broken::Nonsense(format!("{} names in one question", ids.len())));
    }
    Ok(ids)
}

/// What a peer is told about an error here.
fn refusal(error: Error) -> Refusal {
    match error {
        Error::NotFound(_) => Refusal::Missing,
        Error::NoSpace { id, .. } => {
            tracing::warn!(%id, "chunk refused, the disk is full");
            Refusal::NoSpace
        }
        Error::Corrupt(id) => {
            tracing::warn!(%id, "chunk refused, its bytes are damaged");
            Refusal::Corrupt
        }
        error @ (Error::NotEnough { .. }
        | Error::Storage { .. }
        | Error::TooLarge { .. }
        | Error::Late { .. }
        | Error::Cold(_)
        | Error::Supervision(_)) => {
            tracing::error!(%error, "chunk refused");
            Refusal::Storage(error.to_string().chars().take(200).collect())
        }
    }
}
