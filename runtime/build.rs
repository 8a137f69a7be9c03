//! Lists the Python shim's files so that the binary can carry them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("not run by cargo"))?);
    let python = manifest.join("../actors/kernel/python");
    let package = python.join("nbos_kernel");
    println!("cargo::rerun-if-changed={}", package.display());
    println!("cargo::rerun-if-changed={}", python.join("requirements.txt").display());

    let mut files = Vec::new();
    collect(&package, &mut files)?;
    // Directory order is the file system's; the hash of the shim must not depend on it.
    files.sort();
    let mut code = String::from("pub(super) const FILES: &[(&str, &[u8])] = &[\n");
    for file in &files {
        let name = file.strip_prefix(&python).map_err(io::Error::other)?;
        let _ = writeln!(
            code,
            "    ({:?}, include_bytes!({:?})),",
            name.display().to_string(),
            file.display().to_string()
        );
    }
    code.push_str("];\n");
    let requirements = python.join("requirements.txt").display().to_string();
    let _ = writeln!(
        code,
        "pub(super) const REQUIREMENTS: &str = include_str!({requirements:?});"
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("not run by cargo"))?);
    fs::write(out.join("shim_files.rs"), code)
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
    Ok(())
}
