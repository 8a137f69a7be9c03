//! This program, for starting it again as a child.

use std::io;
use std::path::{Path, PathBuf};

/// Linux's link to the program that runs, whatever has become of its file.
const RUNNING: &str = "/proc/self/exe";

/// A path that starts the same program again. Where the system allows, it still does after the file was replaced by an update: a
/// restarted node must speak the same protocol as those that go on.
pub fn program() -> io::Result<PathBuf> {
    let running = Path::new(RUNNING);
    if running.exists() {
        Ok(running.to_path_buf())
    } else {
        std::env::current_exe()
    }
}
