//! Chunks kept in memory on their way to the disk and to the peers that get them first.
//!
//! Bounded: whoever brings the next chunk waits until there is room. What has been waiting for a slow peer for too long
//! is let go, for it can be read from the disk again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use nbos_mesh::NodeName;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::BlobId;
use crate::encoding::Encoded;

/// Bytes kept in memory: what a disk of 200 MB/s and a network of 1 GB/s need to work at the same time for a while.
const BUDGET: u64 = 64 << 20;
/// How long a chunk is kept for a peer that does not take it.
const SPILL: Duration = Duration::from_secs(1);
/// How often a chunk that waits for room looks for old ones.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(crate) struct Hot {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    chunks: BTreeMap<BlobId, Chunk>,
    bytes: u64,
}

#[derive(Debug)]
struct Chunk {
    encoded: Encoded,
    since: Instant,
    /// Peers that are to get it from memory.
    peers: BTreeSet<NodeName>,
    /// Calls that are storing it.
    storing: usize,
}

/// Says that a chunk is being stored; until it is dropped.
pub(crate) struct Storing<'a> {
    hot: &'a Hot,
    id: BlobId,
}

impl Hot {
    /// Takes a chunk in, once there is room.
    pub(crate) async fn enter(&self, id: BlobId, encoded: Encoded, peers: BTreeSet<NodeName>) -> Storing<'_> {
        while !self.state.lock().enter(id, &encoded, &peers) {
            // Woken or not, it looks again.
            let _ = tokio::time::timeout(LOOK, self.freed.notified()).await;
            self.state.lock().spill();
        }
        Storing { hot: self, id }
    }

    pub(crate) fn get(&self, id: &BlobId) -> Option<Encoded> {
        self.state.lock().chunks.get(id).map(|chunk| chunk.encoded.clone())
    }

    /// Whether a call is storing it right now.
    pub(crate) fn is_arriving(&self, id: &BlobId) -> bool {
        self.state.lock().chunks.get(id).is_some_and(|chunk| chunk.storing > 0)
    }

    /// The peer has it, or will not get it.
    pub(crate) fn release(&self, id: &BlobId, peer: &NodeName) {
        self.change(id, |chunk| {
            chunk.peers.remove(peer);
        });
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.state.lock().bytes
    }

    fn change(&self, id: &BlobId, change: impl FnOnce(&mut Chunk)) {
        let mut state = self.state.lock();
        let Some(chunk) = state.chunks.get_mut(id) else { return };
        change(chunk);
        if chunk.storing == 0 && chunk.peers.is_empty() {
            state.remove(id);
            drop(state);
            self.freed.notify_one();
        }
    }
}

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        self.hot.change(&self.id, |chunk| chunk.storing -= 1);
    }
}

impl State {
    fn enter(&mut self, id: BlobId, encoded: &Encoded, peers: &BTreeSet<NodeName>) -> bool {
        if let Some(chunk) = self.chunks.get_mut(&id) {
            chunk.storing += 1;
            chunk.peers.extend(peers.iter().cloned());
            return true;
        }
        let bytes = encoded.bytes.len() as u64;
        if self.bytes > 0 && self.bytes + bytes > BUDGET {
            return false;
        }
        self.bytes += bytes;
        let chunk = Chunk {
            encoded: encoded.clone(),
            since: Instant::now(),
            peers: peers.clone(),
            storing: 1,
        };
        self.chunks.insert(id, chunk);
        true
    }

    fn spill(&mut self) {
        let old = |chunk: &Chunk| chunk.storing == 0 && chunk.since.elapsed() >= SPILL;
        let old = self.chunks.iter().filter(|(_, chunk)| old(chunk));
        for id in old.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &BlobId) {
        if let Some(chunk) = self.chunks.remove(id) {
            self.bytes -= chunk.encoded.bytes.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::encoding::Encoding;

    fn chunk(byte: u8) -> (BlobId, Encoded) {
        let bytes = Bytes::from(vec![byte; 4 << 20]);
        let encoding = Encoding::Raw;
        (BlobId::of(&[byte]), Encoded { encoding, bytes })
    }

    fn peers() -> BTreeSet<NodeName> {
        BTreeSet::from([NodeName::from("b")])
    }

    #[tokio::test]
    async fn the_next_waits_until_one_is_released() {
        let hot = Hot::default();
        for byte in 0..16 {
            let (id, encoded) = chunk(byte);
            drop(hot.enter(id, encoded, peers()).await);
        }
        assert_eq!(hot.bytes(), BUDGET);
        let (id, encoded) = chunk(99);
        let mut entering = Box::pin(hot.enter(id, encoded, peers()));
        assert!(tokio::time::timeout(LOOK / 2, &mut entering).await.is_err());
        hot.release(&chunk(3).0, &NodeName::from("b"));
        drop(entering.await);
        assert!(hot.get(&id).is_some() && hot.get(&chunk(3).0).is_none());
        assert_eq!(hot.bytes(), BUDGET);
    }

    #[tokio::test]
    async fn a_slow_peer_holds_memory_only_for_a_while() {
        let hot = Hot::default();
        for byte in 0..40 {
            let (id, encoded) = chunk(byte);
            drop(hot.enter(id, encoded, peers()).await);
            assert!(hot.bytes() <= BUDGET);
        }
    }

    #[tokio::test]
    async fn what_no_peer_waits_for_goes_when_it_is_stored() {
        let hot = Hot::default();
        let (id, encoded) = chunk(1);
        let storing = hot.enter(id, encoded, BTreeSet::new()).await;
        assert!(hot.is_arriving(&id));
        drop(storing);
        assert!(hot.get(&id).is_none() && hot.bytes() == 0);
    }
}
