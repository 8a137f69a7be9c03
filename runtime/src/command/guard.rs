//! `nbos guard`: started by a node, never by people.

use std::process::ExitCode;

/// End a node's Python processes when the node cannot
#[derive(Debug, clap::Args)]
pub(super) struct Guard;

impl Guard {
    /// Blocks until the node's end of standard input is closed.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        nbos_kernel::run_guard(std::io::stdin().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}
