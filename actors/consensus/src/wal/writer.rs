//! The one thread that writes the log.
//!
//! It takes all requests that wait, writes them as one frame, syncs once, then answers them all: group commit.
//! Requests that nobody waits for (committed marks, purges, truncations) ride in the next such frame. Until it comes
//! they are *scribbled*: written at the place where that frame will go, without a sync. A killed process finds them
//! there; a power cut may garble them, which costs nothing, because nothing acknowledged lies at or behind that place.
//! A scribble also proves that the frame before it had been synced, so damage to that frame cannot pass for a torn write.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::frame;
use super::index::{Ticket, What};
use super::record;
use super::segment::{Location, Segment};
use super::{Cell, Cells, Health};
use crate::error::Error;
use crate::types::Types;

/// More than this does not go into one frame, so that a long queue is answered in steps.
const FRAME_BYTES: usize = 4 << 20;
/// Space is reserved ahead in steps of this size, as zeros: overwriting them needs no change of file metadata, and a
/// sync is then one disk write instead of two (measured: 142 against 192 us at the median, notes on storage).
const RESERVE_BYTES: u64 = 1 << 20;
/// Requests that nobody waits for are written for good when they are this many bytes.
const LAZY_BYTES: usize = 256 << 10;
/// How much of an old segment is moved in one frame, so that moving delays nobody by much.
const MOVE_BYTES: usize = 1 << 20;
/// While the disk is full the same write is tried again this often.
const FULL_RETRY: Duration = Duration::from_millis(250);

/// Who is told that a request is on disk.
pub(super) enum Done {
    /// Nobody waits.
    Lazy,
    Flushed(openraft::storage::IOFlushed<Types>),
    Answer(oneshot::Sender<io::Result<()>>),
}

/// A record inside a request, and what it is about.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) what: What,
    pub(super) ticket: Ticket,
    pub(super) start: usize,
    pub(super) length: u32,
}

/// Records of one replica on their way to disk.
pub(super) struct Request {
    pub(super) cell: Arc<Cell>,
    pub(super) bytes: Vec<u8>,
    pub(super) marks: Vec<Mark>,
    /// Places that stop counting once this request is on disk.
    pub(super) released: Vec<Location>,
    pub(super) done: Done,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

impl Request {
    fn finish(self, result: Result<(), &Error>) {
        let result = result.map_err(|error| io::Error::from(error.clone()));
        drop(self.released);
        match self.done {
            Done::Lazy => {}
            Done::Flushed(callback) => callback.io_completed(result),
            // A receiver that is gone has stopped waiting, which is its right.
            Done::Answer(waiting) => drop(waiting.send(result)),
        }
        drop(self.permit);
    }
}

pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) segment_bytes: u64,
    pub(super) cache_bytes: usize,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) cells: Arc<Cells>,
    pub(super) health: watch::Sender<Health>,
    /// Segments that are full, oldest first, with their size.
    pub(super) sealed: VecDeque<(Arc<Segment>, u64)>,
    pub(super) current: Arc<Segment>,
    pub(super) position: u64,
    pub(super) reserved: u64,
    pub(super) lazy: Vec<Request>,
    pub(super) frame: Vec<u8>,
    #[cfg(test)]
    pub(super) faults: Arc<super::faults::Faults>,
}

impl Writer {
    /// Until the last sender is gone.
    pub(super) fn run(mut self) {
        while let Some(first) = self.requests.blocking_recv() {
            let mut urgent = Vec::new();
            let mut bytes = self.sort(first, &mut urgent);
            while bytes < FRAME_BYTES
                && let Ok(next) = self.requests.try_recv()
            {
                bytes += self.sort(next, &mut urgent);
            }
            let lazy_bytes: usize = self.lazy.iter().map(|request| request.bytes.len()).sum();
            if !urgent.is_empty() || lazy_bytes > LAZY_BYTES {
                self.commit(urgent, Vec::new());
                while self.requests.is_empty() && self.collect() {}
            }
            if self.requests.is_empty() {
                self.scribble();
            }
        }
        self.commit(Vec::new(), Vec::new());
    }

    fn sort(&mut self, request: Request, urgent: &mut Vec<Request>) -> usize {
        let bytes = request.bytes.len();
        match request.done {
            Done::Lazy => self.lazy.push(request),
            Done::Flushed(_) | Done::Answer(_) => urgent.push(request),
        }
        bytes
    }

    /// Makes the lazy requests, the urgent ones and the moved records durable, then answers.
    fn commit(&mut self, urgent: Vec<Request>, moved: Vec<Request>) {
        // Moved records come first: they say what was so before any of the waiting requests.
        let mut requests = moved;
        requests.append(&mut self.lazy);
        requests.extend(urgent);
        if requests.is_empty() {
            return;
        }
        match self.persist(&requests) {
            Ok(bases) => {
                for (request, base) in requests.iter().zip(bases) {
                    let mut log = request.cell.log.lock();
                    for mark in &request.marks {
                        let place = Location::new(&self.current, base + mark.start as u64, mark.length);
                        log.placed(mark.what, mark.ticket, place);
                    }
                    log.shrink_to(self.cache_bytes);
                }
                requests.into_iter().for_each(|request| request.finish(Ok(())));
            }
            Err(error) => requests.into_iter().for_each(|request| request.finish(Err(&error))),
        }
    }

    /// Writes and syncs one frame; returns where each request's records begin.
    fn persist(&mut self, requests: &[Request]) -> Result<Vec<u64>, Error> {
        if let Health::Failed(why) = &*self.health.borrow() {
            return Err(Error::LogFailed { why: why.to_string() });
        }
        if self.position >= self.segment_bytes {
            self.rotate()?;
        }
        let bases = self.fill(requests);
        self.when_there_is_space(|writer| {
            writer.reserve()?;
            writer.write(writer.position, &writer.frame)
        })?;
        self.sync().map_err(|error| self.fail("sync", &error))?;
        self.position += self.frame.len() as u64;
        Ok(bases)
    }

    fn fill(&mut self, requests: &[Request]) -> Vec<u64> {
        frame::begin(&mut self.frame);
        let mut bases = Vec::with_capacity(requests.len());
        for request in requests {
            bases.push(self.position + self.frame.len() as u64);
            self.frame.extend_from_slice(&request.bytes);
        }
        frame::seal(&mut self.frame, self.current.number, self.position);
        bases
    }

    fn scribble(&mut self) {
        if matches!(&*self.health.borrow(), Health::Failed(_)) {
            return;
        }
        let lazy = std::mem::take(&mut self.lazy);
        self.fill(&lazy);
        self.lazy = lazy;
        if self.position + self.frame.len() as u64 > self.reserved {
            return;
        }
        if let Err(error) = self.write(self.position, &self.frame) {
            tracing::debug!(%error, "log could not be scribbled");
        }
    }

    /// Writes zeros ahead of the frame when it reaches behind what is reserved.
    fn reserve(&mut self) -> io::Result<()> {
        let end = self.position + self.frame.len() as u64;
        if end > self.reserved {
            let upto = (end / RESERVE_BYTES + 1) * RESERVE_BYTES;
            let zeros = vec![0; (upto - self.reserved.max(self.position)) as usize];
            self.write(self.reserved.max(self.position), &zeros)?;
            self.reserved = upto;
        }
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), Error> {
        // Behind the position there is reserved space and perhaps a scribble whose records are still in `lazy`. It is
        // cut first: were a torn scribble left in a segment that is no longer the last, it would pass for damage.
        self.current
            .cut(self.position)
            .map_err(|error| self.fail("cut", &error))?;
        self.reserved = self.position;
        let number = self.current.number + 1;
        let next = self.when_there_is_space(|writer| {
            #[cfg(test)]
            writer.faults.before_write()?;
            Segment::create(&writer.dir, number)
        })?;
        let full = std::mem::replace(&mut self.current, Arc::new(next));
        tracing::debug!(segment = number, "log segment begun");
        self.sealed.push_back((full, self.position));
        self.position = frame::SEGMENT_HEADER as u64;
        self.reserved = self.position;
        Ok(())
    }

    /// Frees old segments; true when there is more to do at once.
    fn collect(&mut self) -> bool {
        if matches!(&*self.health.borrow(), Health::Failed(_)) {
            return false;
        }
        while let Some((oldest, _)) = self.sealed.front()
            && oldest.live() == 0
        {
            // Strictly oldest first and each removal durable before the next: a record in a newer segment may say that
            // one in an older segment does not count.
            let gone = fs::remove_file(&oldest.path).and_then(|()| File::open(&self.dir)?.sync_all());
            if let Err(error) = gone {
                tracing::warn!(%error, path = %oldest.path.display(), "log segment could not be removed");
                return false;
            }
            tracing::debug!(segment = oldest.number, "log segment removed");
            self.sealed.pop_front();
        }
        let Some((oldest, _)) = self.sealed.front() else {
            return false;
        };
        let size: u64 = self.sealed.iter().map(|(_, size)| size).sum();
        let live: u64 = self.sealed.iter().map(|(segment, _)| segment.live()).sum();
        // Move when at least two segments are full and less than 40 % of what they hold counts: moving then frees more
        // than it writes, and the disk holds at most two and a half times the live bytes.
        if size < 2 * self.segment_bytes || live * 100 >= size * 40 {
            return false;
        }
        let oldest = oldest.clone();
        match self.movable(&oldest) {
            Ok(moved) if moved.is_empty() => false,
            Ok(moved) => {
                self.commit(Vec::new(), moved);
                matches!(&*self.health.borrow(), Health::Good)
            }
            Err(error) => {
                self.fail("read of an old segment", &error);
                false
            }
        }
    }

    fn movable(&self, oldest: &Segment) -> io::Result<Vec<Request>> {
        let cells: Vec<_> = self.cells.lock().values().cloned().collect();
        let mut budget = MOVE_BYTES;
        let mut moved = Vec::new();
        for cell in cells {
            let mut found = Vec::new();
            budget = cell.log.lock().movable(oldest.number, budget, &mut found);
            let mut request = Request {
                cell,
                bytes: vec![],
                marks: vec![],
                released: vec![],
                done: Done::Lazy,
                permit: None,
            };
            for item in found {
                let bytes = item.reading.bytes()?;
                record::read(&bytes).map_err(io::Error::other)?;
                let bytes = if matches!(item.what, What::Entry(_)) {
                    record::kept(&bytes)
                } else {
                    bytes
                };
                let (start, length) = (request.bytes.len(), bytes.len() as u32);
                request.marks.push(Mark {
                    what: item.what,
                    ticket: item.ticket,
                    start,
                    length,
                });
                request.bytes.extend(bytes);
            }
            if !request.marks.is_empty() {
                moved.push(request);
            }
            if budget == 0 {
                break;
            }
        }
        Ok(moved)
    }

    /// Runs `write` until the disk has room for it. Writing the same bytes at the same place again is safe as long as
    /// no sync failed; nobody is answered meanwhile.
    fn when_there_is_space<T>(&mut self, mut write: impl FnMut(&mut Self) -> io::Result<T>) -> Result<T, Error> {
        loop {
            match write(self) {
                Ok(done) => {
                    if self.health.send_if_modified(|health| health.recover()) {
                        tracing::info!("disk has space again, log goes on");
                    }
                    return Ok(done);
                }
                Err(error) if is_full(&error) && !self.requests.is_closed() => {
                    if self.health.send_if_modified(|health| health.fill_up()) {
                        tracing::error!(code = "NB0304", %error, dir = %self.dir.display(), "disk is full, nothing is acknowledged");
                    }
                    thread::sleep(FULL_RETRY);
                }
                Err(error) => return Err(self.fail("write", &error)),
            }
        }
    }

    /// After a failed write or sync nobody knows what is on disk, and a second sync that succeeds would prove nothing
    /// (the kernel drops the dirty pages). So the log stays failed until the process reads it anew.
    fn fail(&self, what: &str, error: &io::Error) -> Error {
        let why = format!("{what} of {}: {error}", self.current.path.display());
        tracing::error!(code = "NB0303", %why, "log failed");
        self.health.send_replace(Health::Failed(why.as_str().into()));
        Error::LogFailed { why }
    }

    fn write(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        self.faults.before_write()?;
        self.current.write_at(bytes, position)
    }

    fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        self.faults.before_sync()?;
        self.current.sync()
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
