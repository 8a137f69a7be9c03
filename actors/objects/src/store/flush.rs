//! Brings chunks from files to the disk: all of them in the background, at once those that somebody waits for.

use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::{Entry, Place, Store, failed, name, storage, sync_dir};
use crate::{BlobId, Error, back};

/// Chunks flushed before their directory is: a directory's flush costs as much as a small chunk's.
const BATCH: usize = 16;
/// How often the background looks whether it may go on.
const MAKE_WAY: Duration = Duration::from_millis(2);
/// How long it waits, for each batch, while chunks are on their way to a quorum: disk and processors are theirs. One
/// batch in this time goes to the disk however busy it is.
const LONGEST_WAY: Duration = Duration::from_secs(1);
/// Pause after a disk failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The thread that flushes in the background; it ends with this.
#[derive(Debug)]
pub(crate) struct Flusher(Arc<Store>);

impl Flusher {
    pub(crate) fn start(store: Arc<Store>) -> Result<Self, Error> {
        let of = Arc::clone(&store);
        back::thread("objects-flush", move || while of.flush_batch() {}).map_err(storage("start a thread"))?;
        Ok(Self(store))
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.0.index.lock().closed = true;
        self.0.to_flush.notify_all();
    }
}

impl Store {
    /// Returns once the chunks are on the disk.
    pub(crate) fn flush(&self, ids: &[BlobId]) -> Result<(), Error> {
        self.urgent.fetch_add(1, Ordering::SeqCst);
        let flushed = self.flush_now(ids);
        self.urgent.fetch_sub(1, Ordering::SeqCst);
        flushed
    }

    fn flush_now(&self, ids: &[BlobId]) -> Result<(), Error> {
        let mut flushed = Vec::new();
        for id in ids {
            let (file, entry) = self.open_file(id)?;
            if !entry.durable {
                self.sync(id, &file, &entry)?;
                flushed.push((*id, entry.serial));
            }
        }
        if !flushed.is_empty() {
            for folder in [&self.fresh, &self.blobs] {
                sync_dir(folder).map_err(storage("flush a directory"))?;
            }
            self.mark_durable(&flushed);
        }
        Ok(())
    }

    /// Waits for chunks and flushes some; false when the store is closed.
    pub(super) fn flush_batch(&self) -> bool {
        {
            let mut index = self.index.lock();
            while index.unflushed.is_empty() && !index.closed {
                self.to_flush.wait(&mut index);
            }
            if index.closed {
                return false;
            }
        }
        let began = Instant::now();
        while self.awaited.load(Ordering::SeqCst) > 0 && began.elapsed() < LONGEST_WAY {
            thread::sleep(MAKE_WAY);
        }
        let mut moved = Vec::new();
        while moved.len() < BATCH {
            let next = self.index.lock().unflushed.pop_front();
            let Some((id, serial)) = next else { break };
            while self.urgent.load(Ordering::SeqCst) > 0 {
                thread::sleep(MAKE_WAY);
            }
            match self.settle_one(&id, serial) {
                Ok(()) => moved.push((id, serial)),
                Err(Error::NotFound(_)) => {}
                Err(error) => {
                    tracing::error!(%id, %error, "chunk could not be flushed to the disk");
                    thread::sleep(AFTER_FAILURE);
                }
            }
        }
        if moved.is_empty() {
            return true;
        }
        match sync_dir(&self.blobs) {
            Ok(()) => self.mark_durable(&moved),
            Err(error) => tracing::error!(%error, "directory of chunks could not be flushed"),
        }
        true
    }

    /// Flushes one arrival and moves it to `blobs/`.
    fn settle_one(&self, id: &BlobId, serial: u64) -> Result<(), Error> {
        let (file, entry) = self.open_file(id)?;
        if entry.serial != serial {
            return Err(Error::NotFound(*id));
        }
        self.sync(id, &file, &entry)?;
        let _files = self.files.lock();
        let path = match self.index.lock().entries.get(id) {
            Some(entry) if entry.serial == serial && entry.place == Place::Fresh => self.path(id, entry),
            Some(_) | None => return Err(Error::NotFound(*id)),
        };
        fs::rename(path, self.blobs.join(name(id, entry.encoding)))
            .map_err(|error| failed(*id, "move a chunk", error))?;
        if let Some(entry) = self.index.lock().entries.get_mut(id) {
            entry.place = Place::Blobs;
        }
        Ok(())
    }

    /// After a failed flush the system may have dropped what it should have written: the copy is not trusted again.
    fn sync(&self, id: &BlobId, file: &File, entry: &Entry) -> Result<(), Error> {
        let Err(error) = file.sync_data() else { return Ok(()) };
        let same_copy = |now: &Entry| now.serial == entry.serial;
        self.discard_if(id, same_copy).map_err(storage("discard a chunk"))?;
        Err(failed(*id, "flush a chunk", error))
    }

    fn mark_durable(&self, arrivals: &[(BlobId, u64)]) {
        let mut index = self.index.lock();
        for (id, serial) in arrivals {
            if let Some(entry) = index.entries.get_mut(id)
                && entry.serial == *serial
            {
                entry.durable = true;
            }
        }
    }
}
