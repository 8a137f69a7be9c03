//! Opening the log: reading every segment, telling a torn end from damage, rebuilding the index.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, watch};

use super::frame::{self, SEGMENT_HEADER, Tail};
use super::index::GroupLog;
use super::record::{self, Cursor, Kind, Owner, Record};
use super::segment::{Location, Segment};
use super::writer::Writer;
use super::{Cell, Health, Inner, Log, LogOptions, QUEUE, QUEUE_BYTES};
use crate::error::Error;

type Logs = BTreeMap<Owner, GroupLog>;

pub(super) fn open(dir: &Path, options: &LogOptions) -> Result<Log, Error> {
    let unavailable = |why: String| Error::LogUnavailable {
        dir: dir.to_owned(),
        why,
    };
    let failed = |error: io::Error| unavailable(error.to_string());
    fs::create_dir_all(dir).map_err(failed)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("LOCK"))
        .map_err(failed)?;
    lock.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => unavailable("another process uses it".into()),
        fs::TryLockError::Error(error) => failed(error),
    })?;

    let mut logs = Logs::new();
    let mut segments = VecDeque::new();
    let numbers = numbers(dir).map_err(failed)?;
    for pair in numbers.windows(2) {
        if pair[1] != pair[0] + 1 {
            return Err(unavailable(format!(
                "the segment after {:016x}.wal is missing",
                pair[0]
            )));
        }
    }
    for number in &numbers {
        let last = Some(number) == numbers.last();
        let segment = Arc::new(Segment::open(dir, *number).map_err(failed)?);
        let end = load(&segment, last, &mut logs)?;
        if last {
            // What a killed process had written but not yet synced counts from here on, so it is synced first.
            segment.cut(end).map_err(failed)?;
        }
        segments.push_back((segment, end));
    }
    let damaged = |path: PathBuf, why| Error::LogDamaged {
        segment: path,
        offset: 0,
        why,
    };
    for (owner, log) in &logs {
        log.check()
            .map_err(|why| damaged(dir.to_owned(), format!("{} of group {}: {why}", owner.1, owner.0)))?;
    }

    let (current, position) = match segments.pop_back() {
        Some(last) => last,
        None => (
            Arc::new(Segment::create(dir, 1).map_err(failed)?),
            SEGMENT_HEADER as u64,
        ),
    };
    let cell = |(owner, log): (Owner, GroupLog)| {
        (
            owner.clone(),
            Arc::new(Cell {
                owner,
                log: Mutex::new(log),
            }),
        )
    };
    let cells = Arc::new(Mutex::new(logs.into_iter().map(cell).collect::<BTreeMap<_, _>>()));
    let (requests, waiting) = mpsc::channel(QUEUE);
    let (health, healthy) = watch::channel(Health::Good);
    #[cfg(test)]
    let faults = Arc::new(super::faults::Faults::default());
    let writer = Writer {
        dir: dir.to_owned(),
        segment_bytes: options.segment_bytes,
        cache_bytes: options.cache_bytes,
        requests: waiting,
        cells: cells.clone(),
        health,
        sealed: segments,
        current,
        position,
        reserved: position,
        lazy: Vec::new(),
        frame: Vec::new(),
        #[cfg(test)]
        faults: faults.clone(),
    };
    let writer = thread::Builder::new()
        .name("nbos-log".into())
        .spawn(move || writer.run())
        .map_err(failed)?;
    let inner = Inner {
        cells,
        requests: Some(requests),
        queue_bytes: Arc::new(Semaphore::new(QUEUE_BYTES)),
        // Replayed records have ticket 0.
        tickets: AtomicU64::new(1),
        health: healthy,
        writer: Some(writer),
        #[cfg(test)]
        faults,
        _lock: lock,
    };
    Ok(Log { inner: Arc::new(inner) })
}

/// Numbers of the segments in `dir`, ascending. Drafts of segments are removed.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("tmp") => fs::remove_file(&path)?,
            Some("wal") => {
                let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                let number = u64::from_str_radix(stem, 16);
                numbers.push(number.map_err(|_| io::Error::other(format!("{} is no segment", path.display())))?);
            }
            _ => {}
        }
    }
    File::open(dir)?.sync_all()?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Replays one segment and returns where its good frames end.
fn load(segment: &Arc<Segment>, last: bool, logs: &mut Logs) -> Result<u64, Error> {
    let damaged = |offset: usize, why: &str| Error::LogDamaged {
        segment: segment.path.clone(),
        offset: offset as u64,
        why: why.into(),
    };
    let bytes = segment.read_all().map_err(|error| damaged(0, &error.to_string()))?;
    if !segment.has_header(&bytes) {
        return Err(damaged(0, "the header is not that of this segment"));
    }
    let scan = frame::scan(&bytes, segment.number);
    match scan.tail {
        Tail::Clean => {}
        Tail::Torn if last => {
            let path = segment.path.display();
            tracing::warn!(%path, offset = scan.end, bytes = bytes.len() - scan.end, "torn end of the log is cut off");
        }
        Tail::Torn => {
            return Err(damaged(
                scan.end,
                "what lies here is no record, and newer segments follow",
            ));
        }
        Tail::Damaged => {
            return Err(damaged(
                scan.end,
                "what lies here is no record, and good records follow",
            ));
        }
    }
    for (start, length) in scan.frames {
        let mut at = start;
        while at < start + length {
            let record = record::read(&bytes[at..start + length]).map_err(|why| damaged(at, why))?;
            let size = record.size;
            let place = Location::new(segment, at as u64, size as u32);
            replay(record, place, logs).map_err(|why| damaged(at, why))?;
            at += size;
        }
    }
    Ok(scan.end as u64)
}

/// Repeats what one record says. Places that stop counting are dropped at once: all that was read is durable.
fn replay(record: Record<'_>, place: Location, logs: &mut Logs) -> Result<(), &'static str> {
    if record.kind == Kind::Drop {
        logs.remove(&record.owner);
        return Ok(());
    }
    let log = logs.entry(record.owner).or_default();
    let mut rest = Cursor(record.rest);
    match record.kind {
        Kind::Entry => log.replay(rest.log_id()?, place),
        Kind::Kept => log.replay_kept(rest.log_id()?, place),
        Kind::Vote => drop(log.set_vote(rest.vote()?, 0, Some(place))),
        Kind::TruncateAfter => drop(log.truncate_after(rest.maybe_log_id()?.map(|id| id.index))),
        Kind::Purge => drop(log.purge(rest.log_id()?, 0, Some(place))),
        Kind::Committed => drop(log.set_committed(rest.maybe_log_id()?, 0, Some(place))),
        Kind::Drop => unreachable!("handled above"),
    }
    Ok(())
}
