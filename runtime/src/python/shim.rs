//! The package `nbos_kernel`, carried inside the binary.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::{Progress, venv};

mod files {
    include!(concat!(env!("OUT_DIR"), "/shim_files.rs"));
}

/// The pinned packages that the shim imports, in pip's notation.
pub(super) fn requirements() -> &'static str {
    files::REQUIREMENTS
}

/// The lines of [`requirements`] for packages of these names.
pub(super) fn requirements_of(names: &[&str]) -> Vec<&'static str> {
    let is_wanted = |line: &&str| names.iter().any(|name| line.split("==").next() == Some(*name));
    requirements().lines().map(str::trim).filter(is_wanted).collect()
}

/// Unpacks the shim below `dir`, unless this version of it is there already; gives the directory for `PYTHONPATH`.
pub(super) fn unpack(dir: &Path) -> Result<PathBuf, Error> {
    place(dir, &fingerprint(&[]), |_| Ok(()))
}

/// As [`unpack`], with packages that an interpreter lacks installed beside the shim.
pub(super) fn unpack_with(
    dir: &Path,
    interpreter: &Path,
    packages: &[&str],
    report: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf, Error> {
    let interpreter_name = interpreter.to_string_lossy();
    let name = fingerprint(&[&[interpreter_name.as_ref()], packages].concat());
    place(dir, &name, |fresh| {
        venv::install_into(fresh, interpreter, packages, report)
    })
}

fn place(dir: &Path, name: &str, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<PathBuf, Error> {
    let target = dir.join(name);
    let io_error = |source| Error::Io {
        path: target.clone(),
        source,
    };
    if target.is_dir() {
        return Ok(target);
    }
    let fresh = write_files(dir).map_err(io_error)?;
    fill(fresh.path())?;
    let fresh = fresh.keep();
    match fs::rename(&fresh, &target) {
        // Another process was faster; its copy is the same.
        Err(_) if target.is_dir() => fs::remove_dir_all(&fresh).map_err(io_error)?,
        renamed => renamed.map_err(io_error)?,
    }
    Ok(target)
}

/// The shim in a new directory, renamed when complete: a half-written one is never found.
fn write_files(dir: &Path) -> io::Result<tempfile::TempDir> {
    fs::create_dir_all(dir)?;
    let fresh = tempfile::Builder::new().prefix(".shim-").tempdir_in(dir)?;
    for (name, content) in files::FILES {
        let path = fresh.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    Ok(fresh)
}

/// Names what is in the directory: the shim's files and what was installed beside them.
fn fingerprint(beside: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in beside {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
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
    fn requirements_are_found_by_name() {
        let found = requirements_of(&["blake3", "six"]);
        assert!(found.iter().any(|line| line.starts_with("blake3==")), "{found:?}");
        assert!(requirements_of(&["blake"]).is_empty() && requirements_of(&[]).is_empty());
    }

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
