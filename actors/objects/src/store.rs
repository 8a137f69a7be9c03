//! Blobs in a directory: one file each, named by content, all or nothing.
//!
//! `blobs/` holds complete blobs, `partial/` what is still arriving, `tmp/` what is being written or deleted. A blob
//! is in the index only once its file and its directory entry are on disk: in the index means durable. Everything
//! here blocks on the disk, so it is called from blocking tasks; only the index is read from anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::wire::MAX_BLOB;
use crate::{BlobId, Error};

mod partial;
#[cfg(test)]
mod tests;

pub(crate) use partial::Partial;

#[derive(Debug)]
pub(crate) struct Store {
    blobs: PathBuf,
    partial: PathBuf,
    tmp: PathBuf,
    index: Mutex<BTreeMap<BlobId, Entry>>,
    /// Makes names in `tmp/` and arrivals in the index unique within the process; `tmp/` is emptied at each start.
    next_serial: AtomicU64,
    /// Makes the next write fail half way, as a full disk does.
    #[cfg(test)]
    fail_next_write: Mutex<Option<ErrorKind>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    len: u64,
    /// When somebody last relied on it being here: nothing is deleted soon after.
    touched: Instant,
    /// Which arrival of the blob this is: a copy found damaged is not confused with the good one that replaced it.
    serial: u64,
}

impl Store {
    /// Opens the store, creating it where there is none.
    ///
    /// All blobs found count as just touched: who refers to them may not have been read yet.
    pub(crate) fn open(dir: &Path, now: Instant) -> Result<Self, Error> {
        let store = Self {
            blobs: dir.join("blobs"),
            partial: dir.join("partial"),
            tmp: dir.join("tmp"),
            index: Mutex::new(BTreeMap::new()),
            next_serial: AtomicU64::new(0),
            #[cfg(test)]
            fail_next_write: Mutex::new(None),
        };
        store.recover(dir, now).map_err(storage("open its directory"))?;
        Ok(store)
    }

    fn recover(&self, dir: &Path, now: Instant) -> io::Result<()> {
        for folder in [&self.blobs, &self.partial, &self.tmp] {
            fs::create_dir_all(folder)?;
        }
        for leftover in fs::read_dir(&self.tmp)? {
            fs::remove_file(leftover?.path())?;
        }
        // A rename may have happened whose directory entry the last process did not live to make durable.
        for folder in [&self.blobs, &dir.to_owned()] {
            sync_dir(folder)?;
        }
        let mut index = self.index.lock();
        for file in fs::read_dir(&self.blobs)? {
            let file = file?;
            match file.file_name().to_str().and_then(BlobId::from_hex) {
                Some(id) => {
                    index.insert(
                        id,
                        Entry {
                            len: file.metadata()?.len(),
                            touched: now,
                            serial: self.serial(),
                        },
                    );
                }
                None => tracing::warn!(file = ?file.path(), "not a blob, left alone"),
            }
        }
        Ok(())
    }

    /// Stores bytes and gives their name; they are durable then.
    pub(crate) fn put(&self, bytes: &[u8], now: Instant) -> Result<BlobId, Error> {
        let len = bytes.len() as u64;
        if len > MAX_BLOB {
            return Err(Error::TooLarge { len, limit: MAX_BLOB });
        }
        let id = BlobId::of(bytes);
        if self.touch(&id, now).is_some() {
            return Ok(id);
        }
        let tmp = self.tmp_path();
        let written = self
            .write_new(&tmp, bytes)
            .and_then(|()| self.adopt(&tmp, id, len, now));
        written.map_err(|error| {
            // Best effort: what stays is removed at the next start.
            let _ = fs::remove_file(&tmp);
            failed(id, "write a blob", error)
        })?;
        Ok(id)
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        self.write_all(&mut file, bytes)?;
        file.sync_all()
    }

    /// Makes a complete, synced file the blob. Others may do the same at the same time: the content is the same.
    fn adopt(&self, file: &Path, id: BlobId, len: u64, now: Instant) -> io::Result<()> {
        let path = self.path(&id);
        fs::rename(file, &path)?;
        sync_dir(&self.blobs)?;
        let mut index = self.index.lock();
        // Under the lock, as `discard_if` is: the file may have been taken for an older copy and moved away.
        fs::metadata(&path)?;
        index.insert(
            id,
            Entry {
                len,
                touched: now,
                serial: self.serial(),
            },
        );
        Ok(())
    }

    /// Whether the blob is durable here.
    pub(crate) fn contains(&self, id: &BlobId) -> bool {
        self.index.lock().contains_key(id)
    }

    /// The length of a blob that is durable here, which counts as relied on from now.
    pub(crate) fn touch(&self, id: &BlobId, now: Instant) -> Option<u64> {
        let mut index = self.index.lock();
        let entry = index.get_mut(id)?;
        entry.touched = now;
        Some(entry.len)
    }

    /// The blob, verified. A damaged copy is discarded, so that a good one can be fetched.
    pub(crate) fn read(&self, id: &BlobId) -> Result<Bytes, Error> {
        let Some(entry) = self.index.lock().get(id).copied() else {
            return Err(Error::NotFound(*id));
        };
        match fs::read(self.path(id)) {
            Ok(bytes) if BlobId::of(&bytes) == *id => return Ok(bytes.into()),
            Ok(_) => tracing::error!(%id, "damaged blob discarded"),
            Err(error) if error.kind() == ErrorKind::NotFound => tracing::error!(%id, "blob file is gone"),
            Err(error) => return Err(storage("read a blob")(error)),
        }
        let same_copy = |now: &Entry| now.serial == entry.serial;
        self.discard_if(id, same_copy)
            .map_err(storage("discard a damaged blob"))?;
        Err(Error::Corrupt(*id))
    }

    /// Up to `most` bytes of a blob from an offset, not verified: the receiver verifies the whole.
    pub(crate) fn read_piece(&self, id: &BlobId, offset: u64, most: u64) -> Result<Bytes, Error> {
        if !self.contains(id) {
            return Err(Error::NotFound(*id));
        }
        let read = || {
            let mut file = File::open(self.path(id))?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(most).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        };
        read().map_err(storage("read a blob"))
    }

    /// Deletes what is not kept and was not touched within the grace period, arriving pieces included. Gives how
    /// many blobs went.
    pub(crate) fn retain(&self, keep: &BTreeSet<BlobId>, now: Instant, grace: Duration) -> Result<usize, Error> {
        let is_old = |touched: Instant| now.saturating_duration_since(touched) >= grace;
        let unused = |(id, entry): (&BlobId, &Entry)| (!keep.contains(id) && is_old(entry.touched)).then_some(*id);
        let candidates: Vec<BlobId> = self.index.lock().iter().filter_map(unused).collect();
        let mut deleted = 0;
        for id in candidates {
            // Looked at again: somebody may have touched it meanwhile.
            let still_old = |entry: &Entry| is_old(entry.touched);
            deleted += usize::from(self.discard_if(&id, still_old).map_err(storage("delete a blob"))?);
        }
        self.sweep_partial(grace)
            .map_err(storage("delete an incomplete blob"))?;
        Ok(deleted)
    }

    /// Incomplete blobs are known by their files alone, whose clock is the wall's.
    fn sweep_partial(&self, grace: Duration) -> io::Result<()> {
        for file in fs::read_dir(&self.partial)? {
            let file = file?;
            let age = file.metadata()?.modified()?.elapsed();
            // A clock that went back makes no file old.
            if age.is_ok_and(|it| it >= grace) {
                remove_if_there(&file.path())?;
            }
        }
        Ok(())
    }

    /// Takes a blob out of the index and moves its file away under one lock, so that whoever stores the same blob at
    /// that moment either finds it here or leaves a new one; the slow deletion comes after. True when it did.
    fn discard_if(&self, id: &BlobId, really: impl Fn(&Entry) -> bool) -> io::Result<bool> {
        let trash = self.tmp_path();
        {
            let mut index = self.index.lock();
            if !index.get(id).is_some_and(really) {
                return Ok(false);
            }
            match fs::rename(self.path(id), &trash) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => index.remove(id),
            };
        }
        remove_if_there(&trash)?;
        Ok(true)
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        self.blobs.join(id.to_string())
    }

    fn tmp_path(&self) -> PathBuf {
        self.tmp.join(self.serial().to_string())
    }

    fn serial(&self) -> u64 {
        self.next_serial.fetch_add(1, Ordering::Relaxed)
    }

    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(kind) = self.fail_next_write.lock().take() {
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(kind.into());
        }
        file.write_all(bytes)
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn storage(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Storage {
        what,
        source: Arc::new(source),
    }
}

/// A full disk or quota is an error of its own: it passes.
fn failed(id: BlobId, what: &'static str, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::NoSpace(id),
        _ => storage(what)(error),
    }
}
