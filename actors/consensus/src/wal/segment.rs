//! One file of the log.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::frame::{SEGMENT_HEADER, segment_header};

/// A segment's file and how many of its bytes still count.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    file: File,
    live: AtomicU64,
}

impl Segment {
    /// Makes segment `number`, whole or not at all: it gets its name when its header is on disk.
    pub(crate) fn create(dir: &Path, number: u64) -> io::Result<Self> {
        let (path, draft) = (path(dir, number), dir.join(format!("{number:016x}.tmp")));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&draft)?;
        file.write_all_at(&segment_header(number), 0)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(dir)?.sync_all()?;
        Ok(Self {
            number,
            path,
            file,
            live: AtomicU64::new(0),
        })
    }

    pub(crate) fn open(dir: &Path, number: u64) -> io::Result<Self> {
        let path = path(dir, number);
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self {
            number,
            path,
            file,
            live: AtomicU64::new(0),
        })
    }

    pub(crate) fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.file.metadata()?.len() as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    pub(crate) fn has_header(&self, bytes: &[u8]) -> bool {
        bytes.get(..SEGMENT_HEADER) == Some(segment_header(self.number).as_slice())
    }

    pub(crate) fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Cuts off what lies behind `end` and makes what is left durable.
    pub(crate) fn cut(&self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        self.file.sync_all()
    }

    pub(crate) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.wal"))
}

/// Where a record that still counts lies. While one exists, its bytes are live in their segment.
#[derive(Debug)]
pub(crate) struct Location {
    segment: Arc<Segment>,
    offset: u64,
    length: u32,
}

impl Location {
    pub(crate) fn new(segment: &Arc<Segment>, offset: u64, length: u32) -> Self {
        segment.live.fetch_add(u64::from(length), Ordering::Relaxed);
        Self {
            segment: segment.clone(),
            offset,
            length,
        }
    }

    pub(crate) fn segment(&self) -> u64 {
        self.segment.number
    }

    pub(crate) fn length(&self) -> usize {
        self.length as usize
    }

    /// A note of the place that can be read after the lock on the index is gone.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            segment: self.segment.clone(),
            offset: self.offset,
            length: self.length as usize,
        }
    }
}

impl Drop for Location {
    fn drop(&mut self) {
        self.segment.live.fetch_sub(u64::from(self.length), Ordering::Relaxed);
    }
}

/// A record to be read; holds its file open even when the log drops the segment meanwhile.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) segment: Arc<Segment>,
    pub(crate) offset: u64,
    pub(crate) length: usize,
}

impl Reading {
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        self.segment.read_at(self.offset, self.length)
    }
}
