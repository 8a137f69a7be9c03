//! The log as openraft wants it: one replica's storage.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};

use super::index::{Found, What};
use super::record::{self, Cursor, Kind};
use super::segment::Location;
use super::writer::{Done, Mark, Request};
use super::{Cell, Log};
use crate::types::{Entry, LogId, Types, Vote};

/// Entries of one AppendEntries are read up to this many bytes, so that one fits into one envelope of the mesh.
const READ_BYTES: usize = 768 << 10;

/// One replica's storage; openraft holds several clones and writes through one.
#[derive(Clone)]
pub(crate) struct Store {
    log: Log,
    cell: Arc<Cell>,
}

impl Store {
    pub(super) fn new(log: Log, cell: Arc<Cell>) -> Self {
        Self { log, cell }
    }

    fn read(&self, start: Bound<u64>, end: Bound<u64>, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let found = self.cell.log.lock().range(start, end, max_bytes);
        found
            .into_iter()
            .map(|found| match found {
                Found::Entry(entry) => Ok(entry),
                Found::OnDisk(reading) => {
                    let bytes = reading.bytes()?;
                    let entry = record::read(&bytes).and_then(|record| Cursor(record.rest).entry());
                    entry.map_err(|why| io::Error::other(format!("{why}, in a record read back from the log")))
                }
            })
            .collect()
    }

    /// Hands over a request that nobody waits for.
    async fn note(&self, bytes: Vec<u8>, marks: Vec<Mark>, released: Vec<Location>) -> io::Result<()> {
        let cell = self.cell.clone();
        self.log
            .send(Request {
                cell,
                bytes,
                marks,
                released,
                done: Done::Lazy,
                permit: None,
            })
            .await
    }

    fn mark(&self, what: What, bytes: &[u8]) -> Mark {
        Mark {
            what,
            ticket: self.log.ticket(),
            start: 0,
            length: bytes.len() as u32,
        }
    }
}

impl RaftLogReader<Types> for Store {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        self.read(range.start_bound().cloned(), range.end_bound().cloned(), usize::MAX)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.cell.log.lock().vote())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(Bound::Included(start), Bound::Excluded(end), READ_BYTES)
    }
}

impl RaftLogStorage<Types> for Store {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let log = self.cell.log.lock();
        Ok(LogState {
            last_purged_log_id: log.purged(),
            last_log_id: log.last(),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let mut bytes = Vec::new();
        record::write(&mut bytes, Kind::Vote, &self.cell.owner, |out| {
            record::put_vote(out, vote)
        });
        let mark = self.mark(What::Vote, &bytes);
        let released = self.cell.log.lock().set_vote(*vote, mark.ticket, None);
        self.log
            .ask(self.cell.clone(), bytes, vec![mark], released.into_iter().collect())
            .await
    }

    /// Lazily: it only saves a restarted replica from waiting for its leader before it shows what it had applied.
    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let mut bytes = Vec::new();
        record::write(&mut bytes, Kind::Committed, &self.cell.owner, |out| {
            record::put_maybe_log_id(out, committed.as_ref());
        });
        let mark = self.mark(What::Committed, &bytes);
        let released = self.cell.log.lock().set_committed(committed, mark.ticket, None);
        self.note(bytes, vec![mark], released.into_iter().collect()).await
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.cell.log.lock().committed())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut bytes = Vec::new();
        let mut marks = Vec::new();
        let mut released = Vec::new();
        for entry in entries {
            let start = bytes.len();
            record::write(&mut bytes, Kind::Entry, &self.cell.owner, |out| {
                record::put_entry(out, &entry)
            });
            let length = bytes.len() - start;
            let ticket = self.log.ticket();
            marks.push(Mark {
                what: What::Entry(entry.log_id.index),
                ticket,
                start,
                length: length as u32,
            });
            let mut log = self.cell.log.lock();
            released.extend(log.append(entry, length, ticket).map_err(io::Error::other)?);
        }
        let (cell, done) = (self.cell.clone(), Done::Flushed(callback));
        self.log
            .send(Request {
                cell,
                bytes,
                marks,
                released,
                done,
                permit: None,
            })
            .await
    }

    /// Not waited for: the record comes before any later one of this replica.
    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        let mut bytes = Vec::new();
        record::write(&mut bytes, Kind::TruncateAfter, &self.cell.owner, |out| {
            record::put_maybe_log_id(out, last_log_id.as_ref());
        });
        let released = self.cell.log.lock().truncate_after(last_log_id.map(|id| id.index));
        self.note(bytes, Vec::new(), released).await
    }

    /// Not waited for: a purge that is lost is repeated.
    async fn purge(&mut self, log_id: LogId) -> io::Result<()> {
        let log_id = self
            .cell
            .log
            .lock()
            .purged()
            .map_or(log_id, |purged| purged.max(log_id));
        let mut bytes = Vec::new();
        record::write(&mut bytes, Kind::Purge, &self.cell.owner, |out| {
            record::put_log_id(out, &log_id)
        });
        let mark = self.mark(What::Purged, &bytes);
        let released = self.cell.log.lock().purge(log_id, mark.ticket, None);
        self.note(bytes, vec![mark], released).await
    }
}
