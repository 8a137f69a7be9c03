//! Disk faults that a test switches on.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) full: AtomicBool,
    pub(crate) sync_fails: AtomicBool,
}

impl Faults {
    pub(super) fn before_write(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    pub(super) fn before_sync(&self) -> io::Result<()> {
        if self.sync_fails.load(Ordering::SeqCst) {
            Err(io::Error::other("injected"))
        } else {
            Ok(())
        }
    }
}
