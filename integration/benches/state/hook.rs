//! The cost of capture inside the Python process, measured there: the cluster's own time would hide it.

use std::path::{Path, PathBuf};
use std::process::Command;

use nbos_integration::root;

/// The interpreter that has numpy, pandas and torch.
pub(crate) fn python() -> Option<PathBuf> {
    Some(root().join("target/python-tests/bin/python")).filter(|path| path.exists())
}

/// Rows of a Markdown table: what was done, and the hook's milliseconds.
pub(crate) fn measure(python: &Path) -> String {
    let output = Command::new(python)
        .arg("-m")
        .arg("bench_hook")
        .current_dir(root().join("actors/kernel/python/tests"))
        .env("PYTHONPATH", root().join("actors/kernel/python"))
        .output()
        .expect("Python starts");
    assert!(
        output.status.success(),
        "bench_hook failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
