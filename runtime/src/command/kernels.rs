//! `nbos kernels`.

use std::process::ExitCode;

use super::target::Target;
use crate::client::Kernel;
use crate::show::{self, Output};

/// List kernels and where their replicas are
#[derive(Debug, clap::Args)]
pub(super) struct Kernels {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl Kernels {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let answer = self.target.client()?.admin("kernels").await?;
        self.output.print(answer, |list: &Vec<Kernel>| show::kernels(list))
    }
}
