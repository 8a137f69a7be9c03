//! `nbos node`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::start::{environment, log_to_stderr, python};
use crate::config::{Ports, Source, load};
use crate::node::{self, NodePaths};
use crate::python::PythonEnv;
use crate::secrets::Secrets;
use crate::state_dir::StateDir;
use crate::stop::Stop;

/// Ours in full; libraries only when something is wrong. ractor_cluster writes whole messages at debug level.
const NODE_LOG: &str = "info,openraft=error,ractor=warn,ractor_cluster=warn,actix_server=warn,fjall=warn,lsm_tree=warn";
/// A process that was killed lets go of its lock at once; one that is ending may need some seconds.
const LOCK_WITHIN: Duration = Duration::from_secs(10);
/// A node that is asked to end gets this long; `nbos up` kills it after 10 s.
const ENDS_WITHIN: Duration = Duration::from_secs(9);

/// Run one node of cluster.toml, for a cluster of several machines
#[derive(Debug, clap::Args)]
pub(super) struct Node {
    /// Which [[node]] this is
    name: String,
    /// Configuration, the same on every machine; ./cluster.toml if it exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where all state is kept; its `secrets` must be the same on every machine
    #[arg(long, value_name = "DIR", default_value = StateDir::DEFAULT)]
    state_dir: PathBuf,
    /// Address of a host that is not in the configuration: one that scaling ordered, with the GPUs that [scheduler] hosts says
    #[arg(long, value_name = "IP:PORT")]
    mesh: Option<SocketAddr>,
    /// Your own interpreter instead of a private environment
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Started by `nbos up`: end with standard input, and take the Python that it prepared
    #[arg(long, hide = true)]
    supervised: bool,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the configuration has no [[node]] called `{name}`; it has {known}")]
    UnknownNode { name: String, known: String },
}

impl Error {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::UnknownNode { .. } => "NB0124",
        }
    }
}

impl Node {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        log_to_stderr(NODE_LOG);
        let (handle, stop) = Stop::on_signals()?;
        if self.supervised {
            handle.fire_at_stdin_eof();
        }
        let mut config = load(&Source::find(self.config.as_deref()), &environment(), Ports::AsWritten)?.config;
        if let Some(mesh) = self.mesh.filter(|_| config.node(&self.name).is_none()) {
            config.add_host(&self.name, mesh);
        }
        if config.node(&self.name).is_none() {
            let known: Vec<_> = config.nodes.iter().map(|node| node.name.as_str()).collect();
            return Err(Error::UnknownNode {
                name: self.name,
                known: known.join(", "),
            }
            .into());
        }
        let state = StateDir::open(&self.state_dir)?;
        let _lock = state.lock_node(&self.name, LOCK_WITHIN)?;
        let prepared = if self.supervised {
            PythonEnv::read(&state.python_file())
        } else {
            None
        };
        let python = match prepared {
            Some(python) => python,
            None => python(&state, self.python.as_deref(), &config.python)?,
        };
        let secrets = Secrets::open(&state, None)?;
        let paths = NodePaths {
            dir: state.node_dir(&self.name)?,
            python,
            stop: stop.clone(),
        };

        let running = node::run(Arc::new(config), &self.name, paths, secrets);
        let overdue = async {
            stop.wait().await;
            tokio::time::sleep(ENDS_WITHIN).await;
        };
        tokio::select! {
            ended = running => ended?,
            () = overdue => tracing::warn!(node = self.name, "node did not end in time, leaving"),
        }
        Ok(ExitCode::SUCCESS)
    }
}
