//! `nbos restart`.

use std::process::ExitCode;

use super::target::Target;

/// Restart an actor or process by its path in `nbos tree`
#[derive(Debug, clap::Args)]
pub(super) struct Restart {
    /// Path as `nbos tree` shows it, for example h2/host/kernel
    path: String,
    #[command(flatten)]
    target: Target,
}

impl Restart {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        self.target.client()?.restart_path(&self.path).await?;
        println!("restarted {}", self.path);
        Ok(ExitCode::SUCCESS)
    }
}
