//! The command line, one command a file.

mod drain;
mod guard;
mod handover;
mod hosts;
mod kernel;
mod kernel_id;
mod kernels;
mod migrate;
mod node;
mod restart;
mod run;
mod start;
mod target;
mod tree;
mod up;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{client, config, notebook, python, state_dir, up as cluster};

/// Notebook kernels that survive their hosts.
#[derive(Debug, Parser)]
#[command(name = "nbos", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Node(node::Node),
    Run(run::Run),
    Tree(tree::Tree),
    Hosts(hosts::Hosts),
    Kernels(kernels::Kernels),
    Kernel(kernel::Kernel),
    Handover(handover::Handover),
    Migrate(migrate::Migrate),
    Drain(drain::Drain),
    Restart(restart::Restart),
    #[command(hide = true)]
    Guard(guard::Guard),
}

impl Cli {
    /// Carries out the command.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // A guard has to work while everything else on the machine does not: one thread and nothing else.
        if let Command::Guard(guard) = self.command {
            return guard.run();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        let outcome = runtime.block_on(self.command.run());
        // A blocked thread (standard input, a name look-up) must not hold up the end.
        runtime.shutdown_background();
        outcome
    }
}

impl Command {
    async fn run(self) -> anyhow::Result<ExitCode> {
        // Boxed: the commands' futures differ much in size.
        match self {
            Self::Up(up) => Box::pin(up.run()).await,
            Self::Node(node) => Box::pin(node.run()).await,
            Self::Run(run) => Box::pin(run.run()).await,
            Self::Tree(tree) => Box::pin(tree.run()).await,
            Self::Hosts(hosts) => Box::pin(hosts.run()).await,
            Self::Kernels(kernels) => Box::pin(kernels.run()).await,
            Self::Kernel(kernel) => Box::pin(kernel.run()).await,
            Self::Handover(handover) => Box::pin(handover.run()).await,
            Self::Migrate(migrate) => Box::pin(migrate.run()).await,
            Self::Drain(drain) => Box::pin(drain.run()).await,
            Self::Restart(restart) => Box::pin(restart.run()).await,
            Self::Guard(guard) => guard.run(),
        }
    }
}

/// An error as it is shown: its code, what happened, and why as far as it is known.
pub fn describe(error: &anyhow::Error) -> String {
    match code(error) {
        Some(code) => format!("error {code}: {error:#}"),
        None => format!("error: {error:#}"),
    }
}

fn code(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        None.or_else(|| cause.downcast_ref::<config::Error>().map(config::Error::code))
            .or_else(|| cause.downcast_ref::<client::Error>().map(client::Error::code))
            .or_else(|| cause.downcast_ref::<cluster::Error>().map(cluster::Error::code))
            .or_else(|| cause.downcast_ref::<notebook::Error>().map(notebook::Error::code))
            .or_else(|| cause.downcast_ref::<python::Error>().map(python::Error::code))
            .or_else(|| cause.downcast_ref::<state_dir::Error>().map(state_dir::Error::code))
            .or_else(|| cause.downcast_ref::<kernel_id::Error>().map(kernel_id::Error::code))
            .or_else(|| cause.downcast_ref::<target::Error>().map(target::Error::code))
            .or_else(|| cause.downcast_ref::<node::Error>().map(node::Error::code))
    })
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
