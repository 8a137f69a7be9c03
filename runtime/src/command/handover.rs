//! `nbos handover`.

use std::process::ExitCode;

use super::kernel_id;
use super::target::Target;
use crate::show;

/// Make another replica of a kernel the one that runs its cells
///
/// Returns when it can run a cell.
#[derive(Debug, clap::Args)]
pub(super) struct Handover {
    /// The kernel's id, or the beginning of it
    id: String,
    /// Host of the replica; the cluster chooses otherwise
    #[arg(long, value_name = "HOST")]
    to: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: show::Output,
}

impl Handover {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.target.client()?;
        let id = kernel_id::resolve(&client, &self.id).await?;
        let answer = client.handover(&id, self.to.as_deref()).await?;
        let kernel = client.cluster_kernel(&id).await?;
        self.output.print(answer, |_: &serde_json::Value| {
            let executor = kernel.executor.as_deref().unwrap_or("no host yet");
            format!("kernel {id} runs its cells on {executor}\n")
        })
    }
}
