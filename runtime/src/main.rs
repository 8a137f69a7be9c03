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
