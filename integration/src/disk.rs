//! Disks that are too small: a node's directory on a file system of its own, in memory.
//!
//! They are mounted in a mount namespace of the cluster's own, so they are gone with its last process, however that ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether this user may mount; where not, a scenario that needs small disks is skipped, and this says so.
pub fn small_disks_work() -> bool {
    let tried = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount -t tmpfs none /mnt"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let works = tried.is_ok_and(|status| status.success());
    if !works {
        println!("skipped: small disks need the right to mount (root)");
    }
    works
}

/// A command that mounts disks of so many MiB on directories, then becomes the program that its arguments name.
pub(crate) fn with_small_disks(disks: impl Iterator<Item = (PathBuf, u64)>) -> Command {
    let mut script = "set -e\n".to_owned();
    for (dir, mib) in disks {
        let dir = dir.display();
        script.push_str(&format!(
            "(umask 077; mkdir -p {dir})\nmount -t tmpfs -o size={mib}m,mode=700 none {dir}\n"
        ));
    }
    script.push_str("exec \"$@\"\n");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh"]);
    command
}

/// Gives the disk at `dir`, as process `pid` sees it, another size.
pub(crate) fn resize(pid: u32, dir: &Path, mib: u64) {
    let (pid, size) = (pid.to_string(), format!("remount,size={mib}m"));
    let done = Command::new("nsenter")
        .args(["--mount", "-t", &pid, "mount", "-o", &size])
        .arg(dir)
        .status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "{} cannot be resized to {mib} MiB",
        dir.display()
    );
}
