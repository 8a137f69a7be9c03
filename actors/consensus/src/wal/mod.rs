//! The node's log: one for all groups, so that one fsync serves everything that waits.
//!
//! Records of all replicas go into one stream of segments ([`writer`] explains how, [`frame`] and [`record`] give the
//! bytes). Votes, entries, truncations and purges of a replica are in that stream in the order in which openraft asked
//! for them, which is all the ordering it demands. [`index`] holds in memory where each record that still counts lies;
//! [`recover`] rebuilds it. Old segments are freed by moving what still counts to the end.

#[cfg(test)]
pub(crate) mod faults;
mod frame;
mod index;
pub(crate) mod record;
mod recover;
mod segment;
mod store;
mod writer;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use self::index::{GroupLog, Ticket};
use self::record::{Kind, Owner};
pub(crate) use self::store::Store;
use self::writer::{Done, Mark, Request};
use crate::error::Error;

/// Requests that may wait for the writer; beyond it the asking group waits.
const QUEUE: usize = 1024;
/// Bytes of requests that may wait for the writer.
const QUEUE_BYTES: usize = 64 << 20;

/// The log's own table of settings.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// A segment is closed when it reaches this size.
    pub segment_bytes: u64,
    /// Newest entries held in memory, for each replica.
    pub cache_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        // 64 MB segments: what raft-engine and our own measurements used; a cache that holds a few hundred small
        // commands, so that a follower that is only a little behind is served from memory.
        Self {
            segment_bytes: 64 << 20,
            cache_bytes: 256 << 10,
        }
    }
}

/// Can the log accept writes?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    /// The disk is full. Nothing is acknowledged; it goes on by itself when there is space.
    Full,
    /// A write or sync failed. Only a new process may read the log again.
    Failed(Arc<str>),
}

impl Health {
    /// The code of what is wrong, if something is; its page is `docs/errors/CODE.md`.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Health::Good => None,
            Health::Full => Some("NB0304"),
            Health::Failed(_) => Some("NB0303"),
        }
    }

    fn recover(&mut self) -> bool {
        let was_full = *self == Health::Full;
        if was_full {
            *self = Health::Good;
        }
        was_full
    }

    fn fill_up(&mut self) -> bool {
        let was_good = *self == Health::Good;
        if was_good {
            *self = Health::Full;
        }
        was_good
    }
}

/// One replica's part of the log.
#[derive(Debug)]
pub(crate) struct Cell {
    owner: Owner,
    log: Mutex<GroupLog>,
}

type Cells = Mutex<BTreeMap<Owner, Arc<Cell>>>;

/// The open log. Dropping the last handle writes what is left and waits for it.
#[derive(Clone)]
pub(crate) struct Log {
    inner: Arc<Inner>,
}

struct Inner {
    cells: Arc<Cells>,
    requests: Option<mpsc::Sender<Request>>,
    queue_bytes: Arc<Semaphore>,
    tickets: AtomicU64,
    health: watch::Receiver<Health>,
    writer: Option<JoinHandle<()>>,
    #[cfg(test)]
    faults: Arc<faults::Faults>,
    /// Keeps a second process out while it is open.
    _lock: File,
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("log writer panicked");
        }
    }
}

impl Log {
    /// Opens the log in `dir`, making it when there is none. Reads every segment, so this takes a while after a long
    /// run; call it where blocking is allowed.
    pub(crate) fn open(dir: &Path, options: &LogOptions) -> Result<Self, Error> {
        recover::open(dir, options)
    }

    /// Replicas the log knows.
    pub(crate) fn known(&self) -> Vec<Owner> {
        self.inner.cells.lock().keys().cloned().collect()
    }

    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.inner.health.clone()
    }

    /// The storage of one replica, with what the log knows about it.
    pub(crate) fn store(&self, owner: &Owner) -> Store {
        let mut cells = self.inner.cells.lock();
        let cell = cells.entry(owner.clone()).or_insert_with(|| {
            Arc::new(Cell {
                owner: owner.clone(),
                log: Mutex::new(GroupLog::default()),
            })
        });
        Store::new(self.clone(), cell.clone())
    }

    /// Forgets a replica. Returns when that is durable.
    pub(crate) async fn forget(&self, owner: &Owner) -> Result<(), Error> {
        let Some(cell) = self.inner.cells.lock().remove(owner) else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        record::write(&mut bytes, Kind::Drop, owner, |_| {});
        let released = cell.log.lock().release();
        let done = self.ask(cell, bytes, Vec::new(), released).await;
        done.map_err(|error| Error::LogFailed { why: error.to_string() })
    }

    fn ticket(&self) -> Ticket {
        self.inner.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands a request to the writer and waits until it is on disk.
    async fn ask(
        &self,
        cell: Arc<Cell>,
        bytes: Vec<u8>,
        marks: Vec<Mark>,
        released: Vec<segment::Location>,
    ) -> io::Result<()> {
        let (answer, done) = oneshot::channel();
        self.send(Request {
            cell,
            bytes,
            marks,
            released,
            done: Done::Answer(answer),
            permit: None,
        })
        .await?;
        done.await.map_err(|_| io::Error::other("the log writer is gone"))?
    }

    async fn send(&self, mut request: Request) -> io::Result<()> {
        let gone = || io::Error::other("the log writer is gone");
        let bytes = request.bytes.len().min(QUEUE_BYTES) as u32;
        let permit = self
            .inner
            .queue_bytes
            .clone()
            .acquire_many_owned(bytes)
            .await
            .map_err(|_| gone())?;
        request.permit = Some(permit);
        let requests = self.inner.requests.as_ref().ok_or_else(gone)?;
        requests.send(request).await.map_err(|_| gone())
    }
}
