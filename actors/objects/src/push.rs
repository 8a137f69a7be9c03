//! Sends a blob to a peer that lacks it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use nbos_mesh::NodeName;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use crate::link::Link;
use crate::retry::{Pauses, may_pass};
use crate::store::Store;
use crate::transfer::{Piece, Transfer};
use crate::wire::{Refusal, Reply, Request};
use crate::{BlobId, Error};

/// How long a push goes on, also after its caller has enough other copies. A peer that is away for longer fetches
/// what it lacks when it needs it.
const PUSH_DEADLINE: Duration = Duration::from_secs(120);
/// Pushes to one peer that move bytes at once: their windows take half of the mesh's budget for the peer, the rest is
/// for everybody else's messages.
const MAX_ACTIVE: usize = 2;
/// Pushes to one peer that are active, waiting or between attempts. A peer that is away must not collect tasks without
/// end.
const MAX_PUSHES: usize = 256;

/// The end of a push, once it has come.
pub(crate) type Outcome = watch::Receiver<Option<Result<(), Error>>>;

/// The pushes of a node, at most one for each blob and peer.
pub(crate) struct Pushes {
    store: Arc<Store>,
    peers: Mutex<BTreeMap<NodeName, Arc<Peer>>>,
}

struct Peer {
    active: Semaphore,
    pushes: Mutex<BTreeMap<BlobId, Outcome>>,
}

impl Pushes {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            peers: Mutex::new(BTreeMap::new()),
        }
    }

    /// Starts a push, or joins the one under way. It goes on when nobody waits for it any more.
    pub(crate) fn start(&self, id: BlobId, link: impl Link + 'static) -> Outcome {
        let peer = {
            let mut peers = self.peers.lock();
            let fresh = || {
                Arc::new(Peer {
                    active: Semaphore::new(MAX_ACTIVE),
                    pushes: Mutex::default(),
                })
            };
            Arc::clone(peers.entry(link.peer().clone()).or_insert_with(fresh))
        };
        let mut pushes = peer.pushes.lock();
        if let Some(outcome) = pushes.get(&id) {
            return outcome.clone();
        }
        if pushes.len() == MAX_PUSHES {
            return watch::channel(Some(Err(Error::Busy(link.peer().to_string())))).1;
        }
        let (end, outcome) = watch::channel(None);
        pushes.insert(id, outcome.clone());
        drop(pushes);
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            let result = push(&store, id, &link, &peer.active).await;
            if let Err(error) = &result {
                tracing::warn!(%id, peer = %link.peer(), %error, "blob not replicated");
            }
            peer.pushes.lock().remove(&id);
            end.send_replace(Some(result));
        });
        outcome
    }
}

/// Attempts until the peer has the blob, no attempt can help, or the deadline.
async fn push(store: &Arc<Store>, id: BlobId, link: &impl Link, active: &Semaphore) -> Result<(), Error> {
    let mut last = None;
    let attempts = async {
        let mut pauses = Pauses::new();
        loop {
            let permit = active.acquire().await.expect("invariant: never closed");
            let attempted = attempt(store, id, link).await;
            drop(permit);
            match attempted {
                Err(error) if may_pass(&error) => last = Some(error),
                ended => return ended,
            }
            pauses.pause().await;
        }
    };
    let ended = tokio::time::timeout(PUSH_DEADLINE, attempts).await;
    ended.unwrap_or_else(|_elapsed| {
        let reasons = last.map_or_else(|| "no attempt has ended".to_owned(), |error| error.to_string());
        Err(Error::Late { id, reasons })
    })
}

pub(crate) async fn attempt(store: &Arc<Store>, id: BlobId, link: &impl Link) -> Result<(), Error> {
    let Some(len) = store.touch(&id, Instant::now()) else {
        return Err(Error::NotFound(id));
    };
    let wanted = match link.ask(Request::Offer { id, len }).await? {
        Reply::Have => return Ok(()),
        Reply::Want { offset } => offset,
        Reply::Refused(refusal) => return Err(link.refused(id, refusal)),
        Reply::Bytes { .. } => return Err(link.nonsense()),
    };
    let mut transfer = Transfer::new(len, wanted);
    let mut under_way = FuturesOrdered::new();
    loop {
        while let Some(piece) = transfer.next_piece() {
            let request = read(store, id, len, piece).await?;
            under_way.push_back(async move { (piece, link.ask(request).await) });
        }
        let (piece, answer) = under_way
            .next()
            .await
            .expect("invariant: a piece is under way until the end");
        match answer? {
            Reply::Have => return Ok(()),
            Reply::Want { offset } => {
                transfer.wanted(piece, offset).map_err(|_stalled| stalled(link))?;
            }
            Reply::Refused(Refusal::Corrupt) => return Err(suspect(store, id).await),
            Reply::Refused(refusal) => return Err(link.refused(id, refusal)),
            Reply::Bytes { .. } => return Err(link.nonsense()),
        }
    }
}

async fn read(store: &Arc<Store>, id: BlobId, len: u64, piece: Piece) -> Result<Request, Error> {
    let from = Arc::clone(store);
    let read = move || from.read_piece(&id, piece.offset, piece.len);
    let bytes = tokio::task::spawn_blocking(read)
        .await
        .expect("invariant: reading does not panic")?;
    if bytes.len() as u64 != piece.len {
        return Err(suspect(store, id).await);
    }
    Ok(Request::Piece {
        id,
        len,
        offset: piece.offset,
        bytes,
    })
}

/// The bytes are not what the name stands for: either our copy is damaged, which reading it finds and which ends the
/// push, or the peer had a damaged beginning, which it has given up now.
async fn suspect(store: &Arc<Store>, id: BlobId) -> Error {
    let store = Arc::clone(store);
    let verified = tokio::task::spawn_blocking(move || store.read(&id).map(drop)).await;
    match verified.expect("invariant: reading does not panic") {
        // The copy is gone now: the next attempt ends with `NotFound`.
        Err(error) => error,
        Ok(()) => Error::Corrupt(id),
    }
}

pub(crate) fn stalled(link: &impl Link) -> Error {
    Error::Peer {
        peer: link.peer().clone(),
        reason: "the same pieces are asked for again and again".to_owned(),
    }
}
