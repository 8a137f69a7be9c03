//! The one call that Rust cannot check.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Waits for a process by its descriptor, which becomes readable when the process ends.
pub(super) fn watched(process: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is a valid descriptor that nobody else closes, and it stays inside the `AsyncFd` until that goes.
    Ok(unsafe { AsyncFd::register(process) }?)
}
