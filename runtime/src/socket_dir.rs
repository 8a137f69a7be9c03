//! The short private directory that holds the sockets of a node's Python processes.
//!
//! It is not below the state directory, whose path may be too long for a socket. Each life of a node has one of its own: the
//! guard of a life that was killed can remove it while the next life already works in another.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Characters of the hash in the name: enough to tell the nodes of one machine apart.
const HASH: usize = 10;

/// Makes the directory, which goes when it is dropped, and removes those that earlier lives of the node left: only one life at a
/// time holds the lock of the node's own directory.
pub(crate) fn make(node_dir: &Path) -> io::Result<TempDir> {
    make_in(&std::env::temp_dir(), node_dir)
}

fn make_in(parent: &Path, node_dir: &Path) -> io::Result<TempDir> {
    let prefix = prefix(node_dir);
    for left in left_behind(parent, &prefix) {
        if let Err(error) = fs::remove_dir_all(&left) {
            tracing::info!(dir = %left.display(), %error, "sockets of an earlier life cannot be removed");
        }
    }
    tempfile::Builder::new()
        .prefix(&prefix)
        // Whoever can open a socket can run code as its owner.
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
}

/// The user and the node's directory, so that neither meets another's.
fn prefix(node_dir: &Path) -> String {
    let node_dir = node_dir.canonicalize().unwrap_or_else(|_| node_dir.to_owned());
    let hash = blake3::hash(node_dir.as_os_str().as_encoded_bytes()).to_hex();
    format!("nbos-{}-{}-", nix::unistd::getuid(), &hash.as_str()[..HASH])
}

fn left_behind(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    ours.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_has_its_own_and_removes_those_before() {
        let parent = tempfile::tempdir().unwrap();
        let node = |name: &str| {
            let dir = parent.path().join(name);
            fs::create_dir_all(&dir).unwrap();
            dir
        };
        let other = make_in(parent.path(), &node("other")).unwrap();
        let killed = make_in(parent.path(), &node("one")).unwrap().keep();
        fs::write(killed.join("socket"), "").unwrap();

        let next = make_in(parent.path(), &node("one")).unwrap();
        assert_ne!(next.path(), killed);
        assert!(!killed.exists(), "what the killed life left is gone");
        assert!(other.path().exists(), "another node's stays");
        assert_eq!(fs::metadata(next.path()).unwrap().permissions().mode() & 0o777, 0o700);

        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists(), "a life that ends well takes it away");
    }
}
