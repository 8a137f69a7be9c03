//! The directory that holds everything a cluster keeps on this machine.
//!
//! ```text
//! up.lock            held by the running `nbos up`
//! connection.json    while it runs: addresses, token, process ids
//! running.toml       the configuration that the running nodes were started with
//! python.json        the interpreter and shim that the nodes use
//! python/            the shim, and the private environment where no cache directory can be used
//! secrets/           token and mesh secret, readable by the owner alone
//! nodes/NAME/        a node's own: node.log, node.lock and whatever its rooms keep
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a lock that is expected to come free is tried again.
const LOCK_POLL: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{holder} already uses the state directory {dir}; stop it or choose another --state-dir")]
    InUse { holder: String, dir: String },
    #[error("cannot use {path} in the state directory")]
    Io {
        path: String,
        #[source]
        source: io::Error,
    },
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "NB0121",
            Self::Io { .. } => "NB0122",
        }
    }
}

/// A state directory that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

/// Held while it lives; the kernel lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl StateDir {
    /// Where a cluster's state is when `--state-dir` is not given: `.nbos` in the current directory.
    pub const DEFAULT: &str = ".nbos";

    /// Opens the directory, creating it (mode 0700) where it is missing.
    pub fn open(root: &Path) -> Result<Self, Error> {
        make_dir(root)?;
        let root = fs::canonicalize(root).map_err(|source| io_error(root, source))?;
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn connection_file(&self) -> PathBuf {
        self.root.join("connection.json")
    }

    pub fn running_config(&self) -> PathBuf {
        self.root.join("running.toml")
    }

    pub fn python_file(&self) -> PathBuf {
        self.root.join("python.json")
    }

    pub fn python_dir(&self) -> PathBuf {
        self.root.join("python")
    }

    pub fn secret_file(&self, name: &str) -> Result<PathBuf, Error> {
        let dir = self.root.join("secrets");
        make_dir(&dir)?;
        Ok(dir.join(name))
    }

    /// A node's own directory, created where it is missing.
    pub fn node_dir(&self, name: &str) -> Result<PathBuf, Error> {
        let dir = self.root.join("nodes").join(name);
        make_dir(&dir)?;
        Ok(dir)
    }

    /// The lock of the one `nbos up` that may use this directory.
    pub fn lock_up(&self) -> Result<Lock, Error> {
        self.lock(&self.root.join("up.lock"), "another `nbos up`", Duration::ZERO)
    }

    /// The lock of a node. Nodes whose `nbos up` was killed are still ending for a moment: waits up to `patience`.
    pub fn lock_node(&self, name: &str, patience: Duration) -> Result<Lock, Error> {
        let path = self.node_dir(name)?.join("node.lock");
        self.lock(&path, &format!("another process of node {name}"), patience)
    }

    fn lock(&self, path: &Path, holder: &str, patience: Duration) -> Result<Lock, Error> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path);
        let file = file.map_err(|source| io_error(path, source))?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_POLL),
                Err(TryLockError::WouldBlock) => {
                    let dir = self.root.display().to_string();
                    return Err(Error::InUse {
                        holder: holder.to_owned(),
                        dir,
                    });
                }
                Err(TryLockError::Error(source)) => return Err(io_error(path, source)),
            }
        }
    }
}

/// Replaces a file by one that only its owner can read; readers see the old or the new content, never half of it.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let write = || {
        // A temporary file has mode 0600 from the start.
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| io_error(path, source))
}

fn make_dir(path: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| io_error(path, source))
}

fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_one_up_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("deep/state")).unwrap();
        let held = state.lock_up().unwrap();
        let refused = state.lock_up().unwrap_err();
        assert_eq!(refused.code(), "NB0121");
        assert!(refused.to_string().contains("deep/state"), "{refused}");
        drop(held);
        state.lock_up().unwrap();
    }

    #[test]
    fn a_node_lock_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let held = state.lock_node("h1", Duration::ZERO).unwrap();
        state.lock_node("h2", Duration::ZERO).unwrap();
        assert!(state.lock_node("h1", Duration::ZERO).is_err());
        let waiter = std::thread::spawn(move || state.lock_node("h1", Duration::from_secs(20)));
        drop(held);
        waiter.join().unwrap().unwrap();
    }

    #[test]
    fn private_files_are_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_private(&path, b"one, and longer").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_in_the_way_is_one_clear_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, b"").unwrap();
        let error = StateDir::open(&path).unwrap_err();
        assert_eq!(error.code(), "NB0122");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
