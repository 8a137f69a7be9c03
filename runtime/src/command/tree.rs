//! `nbos tree`.

use std::process::ExitCode;

use super::target::Target;
use crate::show::{self, Output};

/// Show every actor and process of the cluster, with its status and restarts
#[derive(Debug, clap::Args)]
pub(super) struct Tree {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl Tree {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let answer = self.target.client()?.admin("tree").await?;
        self.output.print(answer, show::tree)
    }
}
