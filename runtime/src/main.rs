//! `nbos`.

use std::process::ExitCode;

use clap::Parser;
use nbos::command::{Cli, describe};

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("{}", describe(&error));
        ExitCode::FAILURE
    })
}

/// The process that ends a node's Python processes when the node cannot; see `nbos_kernel::run_guard`.
fn guard() -> ExitCode {
    match nbos_kernel::run_guard(std::io::stdin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: guard: {error}");
            ExitCode::FAILURE
        }
    }
}
