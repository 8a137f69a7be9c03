//! A node's log on disk, bounded in size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Above this the log becomes `node.log.1`, replacing the one before: a node takes at most twice as much.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// `node.log`, appended to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    max: u64,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_bounded(path, MAX_BYTES)
    }

    fn open_bounded(path: &Path, max: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_path_buf(),
            file,
            size,
            max,
        })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + bytes.len() as u64 > self.max {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *self = Self::open_bounded(&self.path, self.max)?;
        }
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }
}

/// The last lines of a log, at most `max_bytes` of it; empty when there is none.
pub(super) fn tail(path: &Path, max_bytes: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(max_bytes);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(max_bytes).read_to_end(&mut bytes)?;
        if start > 0 {
            let whole_line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            bytes.drain(..whole_line);
        }
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default())
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_old_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        let mut log = LogFile::open_bounded(&path, 10).unwrap();
        for line in ["aaaa\n", "bbbb\n", "cccc\n", "dddd\n", "eeee\n"] {
            log.append(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "eeee\n");
        assert_eq!(
            fs::read_to_string(dir.path().join("node.log.1")).unwrap(),
            "cccc\ndddd\n"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        // Reopened, it knows its size.
        LogFile::open_bounded(&path, 10).unwrap().append(b"ffffff\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("node.log.1")).unwrap(), "eeee\n");
    }

    #[test]
    fn tail_begins_with_a_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        assert_eq!(tail(&path, 100), "");
        fs::write(&path, "first line\nsecond\nthird\n").unwrap();
        assert_eq!(tail(&path, 16), "second\nthird");
        assert_eq!(tail(&path, 100), "first line\nsecond\nthird");
    }
}
