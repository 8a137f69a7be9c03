//! Chunks in a directory: one file each, named by content, all or nothing.
//!
//! A chunk is written to `fresh/` and is here from the moment it is whole: it survives the end of this process. Soon
//! after, or at once where somebody waits for it, the file is flushed to the disk; then it moves to `blobs/` and
//! survives the end of the system too. What a start finds in `fresh/` may be torn by a power cut, so it is read and
//! compared with its name before it counts.
//!
//! Everything here blocks on the disk; only the index is read from anywhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use crate::encoding::{Encoded, Encoding};
use crate::{BlobId, Error};

mod arrival;
mod coming;
mod flush;
#[cfg(test)]
mod tests;

pub(crate) use coming::{Bringer, Turn};
pub(crate) use flush::Flusher;

/// Ends the name of a compressed chunk's file.
const PACKED: &str = ".zst";

/// What chunks leave free of the disk. The log of this node is on it too and must go on when there is no room for chunks, or
/// sessions that need none would stand still: it takes three segments of 64 MiB before it moves what counts out of old ones.
/// The rest is for `node.log`.
const RESERVE: u64 = 256 << 20;

#[derive(Debug)]
pub(crate) struct Store {
    blobs: PathBuf,
    fresh: PathBuf,
    index: Mutex<Index>,
    /// Held while a chunk's file moves: the disk may take long for that, and whoever only looks into the index must not
    /// wait for it. Taken before the index, never after.
    files: Mutex<()>,
    /// Told when a chunk waits to be flushed, or the flusher is to end.
    to_flush: Condvar,
    /// How many flushes somebody waits for; the others make way.
    urgent: AtomicUsize,
    /// How many chunks are on their way to peers that somebody waits for; the flusher makes way for a while.
    pub(crate) awaited: AtomicUsize,
    coming: coming::Coming,
    /// Makes names in `fresh/` and arrivals in the index unique within the process.
    next_serial: AtomicU64,
    reserve: u64,
    /// Makes the next write fail half way, as a full disk does.
    #[cfg(test)]
    fail_next_write: Mutex<Option<ErrorKind>>,
}

#[derive(Debug, Default)]
struct Index {
    entries: BTreeMap<BlobId, Entry>,
    /// What `entries` take on the disk.
    bytes: u64,
    /// What is to be flushed, in the order of arrival; an arrival that is gone meanwhile is skipped.
    unflushed: VecDeque<(BlobId, u64)>,
    closed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    encoding: Encoding,
    /// Bytes on the disk.
    len: u64,
    /// When somebody last relied on it being here: nothing is deleted soon after.
    touched: Instant,
    /// Which arrival of the chunk this is: a copy found damaged is not confused with the good one that replaced it.
    serial: u64,
    place: Place,
    durable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Fresh,
    Blobs,
}

/// How safe a chunk is on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) enum Level {
    /// In a file: survives the end of the process.
    Stored,
    /// On the disk: survives the end of the system.
    Durable,
}

impl Store {
    /// Opens the store, creating it where there is none.
    ///
    /// All chunks found count as just touched: who refers to them may not have been read yet.
    pub(crate) fn open(dir: &Path, now: Instant) -> Result<Self, Error> {
        let store = Self {
            blobs: dir.join("blobs"),
            fresh: dir.join("fresh"),
            index: Mutex::default(),
            files: Mutex::default(),
            to_flush: Condvar::new(),
            urgent: AtomicUsize::new(0),
            awaited: AtomicUsize::new(0),
            coming: coming::Coming::default(),
            next_serial: AtomicU64::new(0),
            reserve: RESERVE,
            #[cfg(test)]
            fail_next_write: Mutex::new(None),
        };
        store.recover(dir, now).map_err(storage("open its directory"))?;
        Ok(store)
    }

    fn recover(&self, dir: &Path, now: Instant) -> io::Result<()> {
        for folder in [&self.blobs, &self.fresh] {
            fs::create_dir_all(folder)?;
        }
        sync_dir(dir)?;
        for file in fs::read_dir(&self.blobs)? {
            let file = file?;
            match file.file_name().to_str().and_then(parse) {
                Some((id, encoding)) => {
                    let serial = self.serial();
                    let entry = Entry {
                        encoding,
                        len: file.metadata()?.len(),
                        touched: now,
                        serial,
                        place: Place::Blobs,
                        durable: true,
                    };
                    self.index.lock().insert(id, entry);
                }
                None => tracing::warn!(file = ?file.path(), "not a chunk, left alone"),
            }
        }
        // A rename may have happened whose directory entry the last process did not live to make durable.
        sync_dir(&self.blobs)?;
        for file in fs::read_dir(&self.fresh)? {
            let file = file?.path();
            self.readmit(&file, now)?;
        }
        Ok(())
    }

    /// Takes a fresh file of an earlier process in, if it is whole.
    fn readmit(&self, file: &Path, now: Instant) -> io::Result<()> {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some((id, encoding)) = name.split_once('-').and_then(|(name, _serial)| parse(name)) {
            let bytes = Bytes::from(fs::read(file)?);
            let encoded = Encoded { encoding, bytes };
            if !self.contains(&id) && encoded.decode().is_ok_and(|raw| BlobId::of(&raw) == id) {
                let serial = self.serial();
                fs::rename(file, self.fresh.join(fresh_name(&id, encoding, serial)))?;
                self.admit(id, encoding, encoded.bytes.len() as u64, serial, now);
                return Ok(());
            }
        }
        fs::remove_file(file)
    }

    /// Stores a chunk whose content is known to be what its name says.
    pub(crate) fn keep(&self, id: BlobId, encoded: &Encoded, now: Instant) -> Result<(), Error> {
        let mut arrival = self.arrive(id, encoded.encoding)?;
        arrival.write(&encoded.bytes)?;
        arrival.adopt(now)
    }

    /// Whether the disk has so little left that it belongs to others. One that does not tell has enough.
    fn is_full(&self) -> bool {
        let disk = nix::sys::statvfs::statvfs(&self.fresh);
        disk.is_ok_and(|disk| disk.blocks_available().saturating_mul(disk.fragment_size()) < self.reserve)
    }

    /// Whether the chunk is here.
    pub(crate) fn contains(&self, id: &BlobId) -> bool {
        self.index.lock().entries.contains_key(id)
    }

    /// How safe the chunk is, which counts as relied on from now; none when it is not here.
    pub(crate) fn touch(&self, id: &BlobId, now: Instant) -> Option<Level> {
        let mut index = self.index.lock();
        let entry = index.entries.get_mut(id)?;
        entry.touched = now;
        Some(if entry.durable { Level::Durable } else { Level::Stored })
    }

    /// Bytes the chunk takes on the disk.
    pub(crate) fn len(&self, id: &BlobId) -> Option<u64> {
        self.index.lock().entries.get(id).map(|entry| entry.len)
    }

    /// How many chunks there are, and what they take on the disk.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let index = self.index.lock();
        (index.entries.len() as u64, index.bytes)
    }

    /// The chunk as it is stored, not verified: whoever receives it does that.
    pub(crate) fn read_encoded(&self, id: &BlobId) -> Result<Encoded, Error> {
        let (mut file, entry) = self.open_file(id)?;
        let mut bytes = Vec::with_capacity(usize::try_from(entry.len).unwrap_or(0));
        io::Read::read_to_end(&mut file, &mut bytes).map_err(storage("read a chunk"))?;
        Ok(Encoded {
            encoding: entry.encoding,
            bytes: bytes.into(),
        })
    }

    /// The content, verified. A damaged copy is discarded, so that a good one can be fetched.
    pub(crate) fn read(&self, id: &BlobId) -> Result<Bytes, Error> {
        let Some(entry) = self.index.lock().entries.get(id).copied() else {
            return Err(Error::NotFound(*id));
        };
        match self.read_encoded(id) {
            Ok(encoded) => match encoded.decode() {
                Ok(raw) if BlobId::of(&raw) == *id => {
                    return Ok(match raw {
                        std::borrow::Cow::Borrowed(_) => encoded.bytes.clone(),
                        std::borrow::Cow::Owned(raw) => raw.into(),
                    });
                }
                Ok(_) | Err(_) => tracing::error!(%id, "damaged chunk discarded"),
            },
            Err(Error::Corrupt(_)) => tracing::error!(%id, "file of a chunk is gone"),
            Err(error) => return Err(error),
        }
        let same_copy = |now: &Entry| now.serial == entry.serial;
        self.discard_if(id, same_copy)
            .map_err(storage("discard a damaged chunk"))?;
        Err(Error::Corrupt(*id))
    }

    /// Deletes what is not kept and was not touched within the grace period. Gives how many chunks went.
    pub(crate) fn retain(&self, keep: &BTreeSet<BlobId>, now: Instant, grace: Duration) -> Result<usize, Error> {
        let is_old = |entry: &Entry| now.saturating_duration_since(entry.touched) >= grace;
        let unused = |(id, entry): (&BlobId, &Entry)| (!keep.contains(id) && is_old(entry)).then_some(*id);
        let candidates: Vec<BlobId> = self.index.lock().entries.iter().filter_map(unused).collect();
        let mut deleted = 0;
        for id in candidates {
            // Looked at again: somebody may have touched it meanwhile.
            deleted += usize::from(self.discard_if(&id, is_old).map_err(storage("delete a chunk"))?);
        }
        Ok(deleted)
    }

    /// Takes a chunk out of the index and moves its file away before another file of the same chunk can take its place;
    /// the slow deletion comes after. True when it did.
    fn discard_if(&self, id: &BlobId, really: impl Fn(&Entry) -> bool) -> io::Result<bool> {
        let trash = self.fresh.join(format!("trash-{}", self.serial()));
        {
            let _files = self.files.lock();
            let entry = {
                let mut index = self.index.lock();
                let Some(entry) = index.entries.get(id).copied().filter(|entry| really(entry)) else {
                    return Ok(false);
                };
                index.remove(id);
                entry
            };
            match fs::rename(self.path(id, &entry), &trash) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    let mut index = self.index.lock();
                    if !index.entries.contains_key(id) {
                        index.insert(*id, entry);
                    }
                    return Err(error);
                }
                Ok(()) | Err(_) => {}
            }
        }
        remove_if_there(&trash)?;
        Ok(true)
    }

    fn open_file(&self, id: &BlobId) -> Result<(File, Entry), Error> {
        match self.try_open(id) {
            // It may have moved to another folder at that moment.
            Err(Error::Corrupt(_)) => {
                let _files = self.files.lock();
                self.try_open(id)
            }
            opened => opened,
        }
    }

    fn try_open(&self, id: &BlobId) -> Result<(File, Entry), Error> {
        let Some(entry) = self.index.lock().entries.get(id).copied() else {
            return Err(Error::NotFound(*id));
        };
        match File::open(self.path(id, &entry)) {
            Ok(file) => Ok((file, entry)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::Corrupt(*id)),
            Err(error) => Err(storage("open a chunk")(error)),
        }
    }

    /// A whole file in `fresh/` becomes the chunk; false when the same chunk came first, which then counts as touched.
    fn admit(&self, id: BlobId, encoding: Encoding, len: u64, serial: u64, now: Instant) -> bool {
        let entry = Entry {
            encoding,
            len,
            touched: now,
            serial,
            place: Place::Fresh,
            durable: false,
        };
        let mut index = self.index.lock();
        if let Some(first) = index.entries.get_mut(&id) {
            first.touched = now;
            return false;
        }
        index.insert(id, entry);
        index.unflushed.push_back((id, serial));
        drop(index);
        self.to_flush.notify_all();
        true
    }

    fn path(&self, id: &BlobId, entry: &Entry) -> PathBuf {
        match entry.place {
            Place::Fresh => self.fresh.join(fresh_name(id, entry.encoding, entry.serial)),
            Place::Blobs => self.blobs.join(name(id, entry.encoding)),
        }
    }

    fn serial(&self) -> u64 {
        self.next_serial.fetch_add(1, Ordering::Relaxed)
    }
}

impl Index {
    fn insert(&mut self, id: BlobId, entry: Entry) {
        self.bytes += entry.len;
        if let Some(before) = self.entries.insert(id, entry) {
            self.bytes -= before.len;
        }
    }

    fn remove(&mut self, id: &BlobId) {
        if let Some(entry) = self.entries.remove(id) {
            self.bytes -= entry.len;
        }
    }
}

fn name(id: &BlobId, encoding: Encoding) -> String {
    match encoding {
        Encoding::Raw => id.to_string(),
        Encoding::Zstd => format!("{id}{PACKED}"),
    }
}

fn fresh_name(id: &BlobId, encoding: Encoding, serial: u64) -> String {
    format!("{}-{serial}", name(id, encoding))
}

fn parse(name: &str) -> Option<(BlobId, Encoding)> {
    match name.strip_suffix(PACKED) {
        Some(hex) => Some((BlobId::from_hex(hex)?, Encoding::Zstd)),
        None => Some((BlobId::from_hex(name)?, Encoding::Raw)),
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
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::NoSpace {
            id,
            host: "this host".to_owned(),
        },
        _ => storage(what)(error),
    }
}
