//! `nbos hosts`.

use std::process::ExitCode;

use super::target::Target;
use crate::client::Host;
use crate::show::{self, Output};

/// List hosts, their GPUs and who holds them
#[derive(Debug, clap::Args)]
pub(super) struct Hosts {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl Hosts {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let answer = self.target.client()?.admin("hosts").await?;
        self.output.print(answer, |list: &Vec<Host>| show::hosts(list))
    }
}
