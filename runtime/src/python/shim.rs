//! The package `nbos_kernel`, carried inside the binary.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;

mod files {
    include!(concat!(env!("OUT_DIR"), "/shim_files.rs"));
}

/// The pinned packages that the shim imports, in pip's notation.
pub(super) fn requirements() -> &'static str {
    files::REQUIREMENTS
}

/// Unpacks the shim below `dir`, unless this version of it is there already; gives the directory for `PYTHONPATH`.
pub(super) fn unpack(dir: &Path) -> Result<PathBuf, Error> {
    let target = dir.join(fingerprint());
    let unpack = || -> io::Result<()> {
        if target.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(dir)?;
        // Renamed when complete: a half-written shim is never found.
        let fresh = tempfile::Builder::new().prefix(".shim-").tempdir_in(dir)?;
        for (name, content) in files::FILES {
            let path = fresh.path().join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
        }
        let fresh = fresh.keep();
        match fs::rename(&fresh, &target) {
            // Another process was faster; its copy is the same.
            Err(_) if target.is_dir() => fs::remove_dir_all(&fresh),
            renamed => renamed,
        }
    };
    unpack().map_err(|source| Error::Io {
        path: target.clone(),
        source,
    })?;
    Ok(target)
}

fn fingerprint() -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, content) in files::FILES {
        hasher.update(name.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes());
        hasher.update(content);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacked_once_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = unpack(dir.path()).unwrap();
        assert!(path.join("nbos_kernel/__main__.py").is_file());
        let marker = path.join("nbos_kernel/marker");
        fs::write(&marker, "").unwrap();
        assert_eq!(unpack(dir.path()).unwrap(), path);
        assert!(marker.is_file(), "it was unpacked again");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "temporary files are left");
    }
}
