//! A chunk on its way into a file, piece by piece, hashed while it is in the processor's cache.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Instant;

use super::{Store, failed, fresh_name};
use crate::encoding::Encoding;
use crate::{BlobId, Error};

/// Dropped before it is adopted, it leaves nothing behind.
pub(crate) struct Arrival<'a> {
    store: &'a Store,
    id: BlobId,
    encoding: Encoding,
    serial: u64,
    path: PathBuf,
    file: File,
    len: u64,
    hasher: blake3::Hasher,
    adopted: bool,
}

impl Store {
    /// Begins a file for a chunk. Others may do the same at the same time.
    pub(crate) fn arrive(&self, id: BlobId, encoding: Encoding) -> Result<Arrival<'_>, Error> {
        if self.is_full() {
            return Err(failed(id, "begin a chunk", ErrorKind::StorageFull.into()));
        }
        let serial = self.serial();
        let path = self.fresh.join(fresh_name(&id, encoding, serial));
        let file = File::create_new(&path).map_err(|error| failed(id, "begin a chunk", error))?;
        Ok(Arrival {
            store: self,
            id,
            encoding,
            serial,
            path,
            file,
            len: 0,
            hasher: blake3::Hasher::new(),
            adopted: false,
        })
    }
}

impl Arrival<'_> {
    /// Adds raw bytes that come next, to be verified at the end.
    pub(crate) fn add(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.hasher.update(piece);
        self.write(piece)
    }

    /// All raw bytes were added: the chunk is here if they are what its name says.
    pub(crate) fn finish(self, now: Instant) -> Result<(), Error> {
        if BlobId::of_hasher(&self.hasher) != self.id {
            return Err(Error::Corrupt(self.id));
        }
        self.adopt(now)
    }

    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        #[cfg(test)]
        let failure = self.store.fail_next_write.lock().take();
        #[cfg(test)]
        if let Some(kind) = failure {
            let _ = self.file.write_all(&piece[..piece.len() / 2]);
            return Err(failed(self.id, "write a chunk", kind.into()));
        }
        self.len += piece.len() as u64;
        self.file
            .write_all(piece)
            .map_err(|error| failed(self.id, "write a chunk", error))
    }

    pub(super) fn adopt(mut self, now: Instant) -> Result<(), Error> {
        self.adopted = self.store.admit(self.id, self.encoding, self.len, self.serial, now);
        Ok(())
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        if !self.adopted {
            // Best effort: what stays is judged at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
