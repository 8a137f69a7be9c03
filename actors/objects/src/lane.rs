//! One connection to a peer that pushes chunks: made when there is something to say, made anew when it breaks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nbos_mesh::Duplex;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::encoding::Encoded;
use crate::handle::blocking;
use crate::outbox::{Followers, Outcome, Step};
use crate::push::{Lane, Peer, Pushes};
use crate::wire::{self, Answer, Broken, Refusal, Request};
use crate::{BlobId, Error};

/// Longest wait for an answer. The peer may have to wait for a busy disk.
const SILENCE: Duration = Duration::from_secs(15);
/// An unused connection is closed after this.
const IDLE: Duration = Duration::from_secs(60);
/// How often silence is looked for, and what comes to the peer from somewhere else asked for again.
const LOOK: Duration = Duration::from_secs(1);
/// How often a lane that holds followers back looks whether they may go.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// First pause after a failure: longer than a restart of the peer's actor takes.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause: how late a peer that is back is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Serves the lane for ever.
pub(crate) async fn run(pushes: Arc<Pushes>, peer: Arc<Peer>, lane: Arc<Lane>) {
    let mut pause = FIRST_PAUSE;
    loop {
        while pushes.with(&lane, |outbox| outbox.is_empty()) {
            lane.work.notified().await;
        }
        let before = Instant::now();
        let reason = match pushes.dialer.dial(&peer.name).await {
            Err(reason) => reason,
            Ok(stream) => match talk(&pushes, &peer, &lane, stream).await {
                Broken::Idle => {
                    // Something may have been asked at the very end.
                    pushes.with(&lane, |outbox| outbox.lost());
                    continue;
                }
                broken => broken.to_string(),
            },
        };
        tracing::debug!(peer = %peer.name, %reason, "no chunks can be pushed now");
        *peer.failure.lock() = Some(reason);
        peer.forget();
        let late = pushes.with(&lane, |outbox| {
            outbox.lost();
            outbox.expire(Instant::now())
        });
        if !late.is_empty() {
            tracing::warn!(peer = %peer.name, chunks = late.len(), "peer was away for too long to be sent chunks");
        }
        pushes.news(&peer, late);
        pushes.changed.send_modify(|count| *count += 1);
        // A connection that held for a while says that the next one may.
        if before.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Until the connection breaks or nobody needs it.
async fn talk(pushes: &Arc<Pushes>, peer: &Peer, lane: &Lane, stream: Box<dyn Duplex>) -> Broken {
    let (reader, writer) = tokio::io::split(stream);
    let last = Mutex::new(Instant::now());
    let ended = tokio::select! {
        broken = say(pushes, peer, lane, writer, &last) => broken,
        broken = hear(pushes, peer, lane, reader, &last) => broken,
        broken = watch(pushes, lane, &last) => Err(broken),
    };
    ended.err().unwrap_or(Broken::Closed)
}

async fn say(
    pushes: &Arc<Pushes>,
    peer: &Peer,
    lane: &Lane,
    mut stream: impl AsyncWrite + Unpin,
    last: &Mutex<Instant>,
) -> Result<(), Broken> {
    loop {
        let followers = pushes.followers();
        let Some(step) = pushes.with(lane, |outbox| outbox.next(followers)) else {
            match followers {
                Followers::Go => lane.work.notified().await,
                Followers::Wait => {
                    // Woken or not, it looks again.
                    let _ = tokio::time::timeout(LOOK_AGAIN, lane.work.notified()).await;
                }
            }
            continue;
        };
        match step {
            Step::Ask { batch, ids } => wire::write(&mut stream, &Request::Ask { batch, ids }, &[]).await?,
            Step::Flush { batch, ids } => wire::write(&mut stream, &Request::Flush { batch, ids }, &[]).await?,
            Step::Put(id) => {
                if let Some(Encoded { encoding, bytes }) = payload(pushes, peer, lane, id).await {
                    wire::write(&mut stream, &Request::Put { id, encoding }, &bytes).await?;
                    pushes.pushed_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    if followers == Followers::Go {
                        pushes.followed();
                    }
                }
            }
        }
        *last.lock() = Instant::now();
    }
}

/// The bytes to send, from memory or from the disk.
async fn payload(pushes: &Arc<Pushes>, peer: &Peer, lane: &Lane, id: BlobId) -> Option<Encoded> {
    if let Some(encoded) = pushes.hot.get(&id) {
        return Some(encoded);
    }
    let store = Arc::clone(&pushes.store);
    let error = match blocking(move || store.read_encoded(&id)).await {
        Ok(encoded) => return Some(encoded),
        Err(error) => error,
    };
    tracing::warn!(%id, peer = %peer.name, %error, "chunk cannot be pushed");
    if matches!(error, Error::Corrupt(_)) {
        // Its file is gone; so is then its place in the index.
        let _ = pushes.suspect(id).await;
    }
    pushes.with(lane, |outbox| outbox.give_up(&id));
    pushes.news(peer, vec![(id, Outcome::Refused(Refusal::Storage(error.to_string())))]);
    None
}

async fn hear(
    pushes: &Arc<Pushes>,
    peer: &Peer,
    lane: &Lane,
    mut stream: impl AsyncRead + Unpin,
    last: &Mutex<Instant>,
) -> Result<(), Broken> {
    loop {
        let (answer, body) = wire::read_head::<Answer>(&mut stream).await?;
        if body > 0 {
            return Err(Broken::Nonsense("bytes nobody asked for".to_owned()));
        }
        *last.lock() = Instant::now();
        let news = match answer {
            Answer::Known { batch, held } => pushes.with(lane, |outbox| outbox.known(batch, &held)),
            Answer::Taken { id, outcome } => {
                if outcome == Err(Refusal::Corrupt) && pushes.suspect(id).await.is_ok() {
                    tracing::warn!(%id, peer = %peer.name, "chunk was damaged on its way");
                }
                Ok(pushes.with(lane, |outbox| outbox.taken(id, outcome)))
            }
            Answer::Flushed { batch, outcome } => pushes.with(lane, |outbox| outbox.flushed(batch, &outcome)),
            Answer::Hurry { ids } => {
                pushes.with(lane, |outbox| ids.iter().for_each(|id| outbox.hurry(id)));
                Ok(Vec::new())
            }
            Answer::Chunk { .. } | Answer::Refused { .. } => Err(crate::outbox::Nonsense),
        };
        let news = news.map_err(|_| Broken::Nonsense("an answer to no question".to_owned()))?;
        *peer.failure.lock() = None;
        pushes.news(peer, news);
        lane.work.notify_one();
    }
}

async fn watch(pushes: &Pushes, lane: &Lane, last: &Mutex<Instant>) -> Broken {
    loop {
        tokio::time::sleep(LOOK).await;
        let (awaits, is_empty) = pushes.with(lane, |outbox| {
            outbox.ask_again();
            (outbox.awaits(), outbox.is_empty())
        });
        lane.work.notify_one();
        let silent = last.lock().elapsed();
        if awaits && silent >= SILENCE {
            return Broken::Silent;
        }
        if is_empty && silent >= IDLE {
            return Broken::Idle;
        }
    }
}
