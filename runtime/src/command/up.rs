//! `nbos up`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::start::{Wanted, log_to_stderr, token};
use crate::config::{Ports, Source};
use crate::state_dir::StateDir;
use crate::stop::Stop;
use crate::up::Cluster;

/// Start every node of cluster.toml on this machine and keep them running
///
/// Prints `ready URL` when a kernel can start. Ctrl-C or SIGTERM stops everything. The same state directory again continues
/// where the last run ended.
#[derive(Debug, clap::Args)]
pub(super) struct Up {
    /// Configuration; ./cluster.toml if it exists, else three nodes on this machine
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where all state is kept
    #[arg(long, value_name = "DIR", default_value = StateDir::DEFAULT)]
    state_dir: PathBuf,
    /// Port of the first gateway; the next ones get those that follow
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// What clients must present; generated and kept otherwise (also NBOS_TOKEN)
    #[arg(long, value_name = "T")]
    token: Option<String>,
    /// Your own interpreter instead of a private environment
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
}

impl Up {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        log_to_stderr("warn,nbos=info");
        let state = StateDir::open(&self.state_dir)?;
        let lock = state.lock_up()?;
        let token = token(self.token.as_ref());
        let wanted = Wanted {
            source: Source::find(self.config.as_deref()),
            ports: self.port.map_or(Ports::AsWritten, Ports::GatewaysFrom),
            token: token.as_deref(),
            python: self.python.as_deref(),
        };
        let plan = wanted.prepare(state.clone(), lock)?;
        let (_handle, stop) = Stop::on_signals()?;
        let cluster = Cluster::start(plan)?;
        let ready = tokio::select! {
            ready = cluster.ready() => ready,
            () = stop.wait() => {
                cluster.stop().await;
                return Ok(ExitCode::SUCCESS);
            }
        };
        if let Err(error) = ready {
            cluster.stop().await;
            return Err(error.into());
        }
        announce(&cluster, &state)?;
        stop.wait().await;
        cluster.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Standard output carries the one line that scripts wait for; people read the rest.
fn announce(cluster: &Cluster, state: &StateDir) -> anyhow::Result<()> {
    let url = cluster.connection().urls.first().map_or("", String::as_str);
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready {url}")?;
    stdout.flush()?;
    let file = state.connection_file();
    eprintln!("JupyterLab: jupyter lab --gateway-url {url} --GatewayClient.auth_token TOKEN");
    eprintln!(
        "The token and the other gateways are in {}. Ctrl-C stops the cluster.",
        file.display()
    );
    Ok(())
}
