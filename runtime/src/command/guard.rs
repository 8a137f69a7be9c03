//! `nbos guard`: started by a node, never by people.

use std::os::fd::AsFd;
use std::process::ExitCode;

/// End a node's Python processes when the node cannot
#[derive(Debug, clap::Args)]
pub(super) struct Guard;

impl Guard {
    /// Blocks until the node's end of standard input is closed.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // Not `Stdin` itself: it reads ahead, and the guard waits for the descriptor to become readable.
        let orders = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        nbos_kernel::run_guard(orders)?;
        Ok(ExitCode::SUCCESS)
    }
}
