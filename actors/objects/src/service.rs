//! What this node answers to its peers' requests.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Semaphore, oneshot};

use crate::BlobId;
use crate::intake::{Arrival, Intakes, Pending, refusal};
use crate::store::Store;
use crate::wire::{PIECE, Refusal, Reply, Request};

/// Pieces being read for peers at once: 4 MiB, half of what the mesh lets be unacknowledged for a single peer.
const MAX_READS: usize = 8;

pub(crate) struct Service {
    store: Arc<Store>,
    intakes: Arc<Intakes>,
    reads: Arc<Semaphore>,
}

impl Service {
    pub(crate) fn new(store: Arc<Store>, intakes: Arc<Intakes>) -> Self {
        Self {
            store,
            intakes,
            reads: Arc::new(Semaphore::new(MAX_READS)),
        }
    }

    /// Starts on a request at once, in the order of the calls; the answer may take a while.
    pub(crate) fn start(&self, request: Request) -> Pending {
        match request {
            Request::Offer { id, len } => self.intakes.take(id, len, Arrival::Offer),
            Request::Piece { id, len, offset, bytes } => self.intakes.take(id, len, Arrival::Piece { offset, bytes }),
            Request::Fetch { id, offset, most } => self.fetch(id, offset, most),
        }
    }

    fn fetch(&self, id: BlobId, offset: u64, most: u64) -> Pending {
        let Some(len) = self.store.touch(&id, Instant::now()) else {
            return Pending::Now(Reply::Refused(Refusal::Missing));
        };
        let Ok(permit) = Arc::clone(&self.reads).try_acquire_owned() else {
            return Pending::Now(Reply::Refused(Refusal::Busy));
        };
        let (reply, answer) = oneshot::channel();
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            let answer = match store.read_piece(&id, offset, most.min(PIECE)) {
                Ok(bytes) => Reply::Bytes { len, bytes },
                Err(error) => Reply::Refused(refusal(error)),
            };
            drop(permit);
            // The requester may have given up.
            let _ = reply.send(answer);
        });
        Pending::Later(answer)
    }
}
