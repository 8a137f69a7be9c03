//! Chunks on their way here, so that none comes twice: what a peer pushes is not fetched beside, and what is fetched is
//! not pushed.
//!
//! Every chunk that is not here has at most one bringer: the first connection whose question about it was answered with
//! "not here", or the first call that fetches it. The others wait, and look again when something has changed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::Store;
use crate::BlobId;
use crate::wire::Has;

/// A bringer that has not brought a chunk in this time may have changed its mind: another one may bring it. Longer than
/// a chunk known to be lacking waits at a busy peer (32 of them at five a second), and no longer than it takes that peer
/// to find out that a connection is dead.
const STALE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Coming {
    state: Mutex<State>,
    next_bringer: AtomicU64,
    /// Counts what came, and what will not come after all.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    chunks: BTreeMap<BlobId, (Bringer, Instant)>,
    /// How those that push are told what is waited for.
    lines: BTreeMap<Bringer, mpsc::Sender<BlobId>>,
}

/// A connection over which chunks are pushed here, or a call that fetches some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bringer(u64);

/// Who is to bring a chunk that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nobody: it is here.
    Here,
    /// Whoever asks.
    Own,
    /// Somebody who is at it.
    Another,
}

impl Store {
    /// A new bringer. One that pushes takes hints about what is waited for.
    pub(crate) fn bringer(&self, hints: Option<mpsc::Sender<BlobId>>) -> Bringer {
        let bringer = Bringer(self.coming.next_bringer.fetch_add(1, Ordering::Relaxed));
        if let Some(hints) = hints {
            self.coming.state.lock().lines.insert(bringer, hints);
        }
        bringer
    }

    /// What a peer is told that asks whether to push a chunk: told that it is not here, it is the one who brings it.
    pub(crate) fn has(&self, id: &BlobId, bringer: Bringer, now: Instant) -> Has {
        // Under the lock: who has brought it stores it first and says so then.
        let mut state = self.coming.state.lock();
        match self.touch(id, now) {
            Some(level) => Has::Held(level),
            None if state.take(id, bringer, now) => Has::Nothing,
            None => Has::Coming,
        }
    }

    /// Whether a call that fetches is to ask for a chunk.
    pub(crate) fn turn(&self, id: &BlobId, bringer: Bringer, now: Instant) -> Turn {
        let mut state = self.coming.state.lock();
        if self.touch(id, now).is_some() {
            return Turn::Here;
        }
        if state.take(id, bringer, now) {
            return Turn::Own;
        }
        Turn::Another
    }

    /// Tells who pushes the chunk that it is waited for.
    pub(crate) fn hurry(&self, id: &BlobId) {
        let state = self.coming.state.lock();
        if let Some(hints) = state.chunks.get(id).and_then(|(other, _)| state.lines.get(other)) {
            // Only a hint: with too many of them it comes as it would have come without.
            let _ = hints.try_send(*id);
        }
    }

    /// The bringer brought it, or could not.
    pub(crate) fn ended(&self, id: &BlobId, bringer: Bringer) {
        let mut state = self.coming.state.lock();
        if state.chunks.get(id).is_some_and(|(other, _)| *other == bringer) {
            state.chunks.remove(id);
        }
        drop(state);
        self.coming.changed.send_modify(|count| *count += 1);
    }

    /// The chunk's bringer is too slow: anybody may bring it.
    pub(crate) fn overdue(&self, id: &BlobId) {
        self.coming.state.lock().chunks.remove(id);
    }

    /// The bringer brings nothing any more.
    pub(crate) fn retire(&self, bringer: Bringer) {
        let mut state = self.coming.state.lock();
        state.lines.remove(&bringer);
        state.chunks.retain(|_, (other, _)| *other != bringer);
        drop(state);
        self.coming.changed.send_modify(|count| *count += 1);
    }

    /// Changes with everything that ends.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.coming.changed.subscribe()
    }
}

impl State {
    /// Makes it the bringer, unless another is at it.
    fn take(&mut self, id: &BlobId, bringer: Bringer, now: Instant) -> bool {
        let is_free = self
            .chunks
            .get(id)
            .is_none_or(|(other, since)| *other == bringer || now.saturating_duration_since(*since) >= STALE);
        if is_free {
            self.chunks.insert(*id, (bringer, now));
        }
        is_free
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::encoding::Encoded;
    use crate::store::Level;

    fn store() -> (TempDir, Store) {
        let dir = TempDir::new().expect("temporary directory");
        let store = Store::open(dir.path(), Instant::now()).expect("opens");
        (dir, store)
    }

    #[test]
    fn a_chunk_has_one_bringer_until_that_ends() {
        let ((_dir, store), now) = (store(), Instant::now());
        let (hints, mut hinted) = mpsc::channel(1);
        let (pushes, fetches) = (store.bringer(Some(hints)), store.bringer(None));
        let id = BlobId::of(b"bytes");
        assert_eq!(store.has(&id, pushes, now), Has::Nothing);
        assert_eq!(store.turn(&id, fetches, now), Turn::Another);
        store.hurry(&id);
        assert_eq!(hinted.try_recv(), Ok(id), "who pushes it knows that it is waited for");
        assert_eq!(
            store.has(&id, pushes, now),
            Has::Nothing,
            "asked again, it is still the one"
        );
        store.retire(pushes);
        assert_eq!(store.turn(&id, fetches, now), Turn::Own);
        let again = store.bringer(None);
        assert_eq!(store.has(&id, again, now), Has::Coming);
        store
            .keep(id, &Encoded::of(b"bytes".as_slice().into()), now)
            .expect("keeps");
        store.ended(&id, fetches);
        assert_eq!(store.turn(&id, fetches, now), Turn::Here);
        assert_eq!(store.has(&id, again, now), Has::Held(Level::Stored));
    }

    #[test]
    fn one_that_takes_too_long_is_replaced() {
        let ((_dir, store), now) = (store(), Instant::now());
        let (slow, other) = (store.bringer(None), store.bringer(None));
        let id = BlobId::of(b"bytes");
        assert_eq!(store.turn(&id, slow, now), Turn::Own);
        assert_eq!(store.turn(&id, other, now), Turn::Another);
        assert_eq!(store.turn(&id, other, now + STALE), Turn::Own);
        assert_eq!(store.turn(&id, slow, now + STALE), Turn::Another);
        store.ended(&id, slow);
        assert_eq!(
            store.turn(&id, slow, now + STALE),
            Turn::Another,
            "it is not the first's any more"
        );
        store.overdue(&id);
        assert_eq!(store.turn(&id, slow, now + STALE), Turn::Own);
    }
}
