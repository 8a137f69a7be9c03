//! `nbos guard`: started by a node, never by people.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

/// End a node's Python processes when the node cannot
#[derive(Debug, clap::Args)]
pub(super) struct Guard {
    /// Directory of the node's sockets, removed when the node is gone
    sockets: PathBuf,
}

impl Guard {
    /// Blocks until the node's end of standard input is closed.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // Not `Stdin` itself: it reads ahead, and the guard waits for the descriptor to become readable.
        let orders = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        nbos_kernel::run_guard(orders, &self.sockets)?;
        Ok(ExitCode::SUCCESS)
    }
}
