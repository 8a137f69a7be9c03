//! `nbos kernel`.

use std::process::ExitCode;

use super::kernel_id;
use super::target::Target;
use crate::show::{self, Output};

/// Show one kernel: its replicas and the variables that live on one of them only
#[derive(Debug, clap::Args)]
pub(super) struct Kernel {
    /// Its id, or the beginning of it
    id: String,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl Kernel {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.target.client()?;
        let id = kernel_id::resolve(&client, &self.id).await?;
        let answer = client.admin(&format!("kernels/{id}")).await?;
        self.output.print(answer, show::kernel)
    }
}
