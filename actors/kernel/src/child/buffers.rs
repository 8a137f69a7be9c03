//! Memory for full chunks on their way from the child to the store, used again while a change is captured: fresh memory costs the
//! system as much as hashing what is put into it.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::state::CHUNK_BYTES;

/// Kept for the next chunk: as many as the store has on their way to peers, 64 MiB.
const MOST: usize = 16;

type Idle = Mutex<Vec<Vec<u8>>>;

#[derive(Default)]
pub(super) struct Buffers(Arc<Idle>);

impl Buffers {
    /// Room for one full chunk.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut memory = self.0.lock().pop().unwrap_or_default();
        memory.clear();
        memory.reserve(CHUNK_BYTES as usize);
        memory
    }

    /// Content whose memory comes back when nobody needs it any more.
    pub(super) fn lend(&self, memory: Vec<u8>) -> Bytes {
        let home = Arc::downgrade(&self.0);
        Bytes::from_owner(Lent { memory, home })
    }

    /// Gives all memory to the system: what is still lent too, when it comes back.
    pub(super) fn release(&mut self) {
        self.0 = Arc::default();
    }
}

struct Lent {
    memory: Vec<u8>,
    home: Weak<Idle>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            let mut idle = home.lock();
            if idle.len() < MOST {
                idle.push(std::mem::take(&mut self.memory));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(buffers: &Buffers) -> *const u8 {
        let mut memory = buffers.take();
        memory.extend_from_slice(b"chunk");
        let content = buffers.lend(memory);
        assert_eq!(&content[..], b"chunk");
        content.as_ptr()
    }

    #[test]
    fn memory_is_used_again_until_it_is_released() {
        let mut buffers = Buffers::default();
        let (first, second) = (address(&buffers), address(&buffers));
        assert_eq!(first, second);
        let lent = buffers.lend(buffers.take());
        buffers.release();
        drop(lent);
        assert!(buffers.0.lock().is_empty());
    }

    #[test]
    fn no_more_is_kept_than_is_on_the_way() {
        let buffers = Buffers::default();
        let lent: Vec<Bytes> = (0..MOST + 3).map(|_| buffers.lend(buffers.take())).collect();
        drop(lent);
        assert_eq!(buffers.0.lock().len(), MOST);
    }
}
