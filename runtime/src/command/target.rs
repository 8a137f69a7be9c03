//! The running cluster that a command talks to.

use std::path::PathBuf;

use super::start::token;
use crate::client::Client;
use crate::connection::Connection;
use crate::state_dir::StateDir;

/// Where to find the cluster.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// State directory of a cluster that runs on this machine
    #[arg(long, value_name = "DIR", default_value = StateDir::DEFAULT)]
    pub(super) state_dir: PathBuf,
    /// Gateway of a cluster elsewhere; may be given several times
    #[arg(long, value_name = "URL")]
    pub(super) url: Vec<String>,
    /// Its token (also NBOS_TOKEN)
    #[arg(long, value_name = "T")]
    pub(super) token: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "no cluster runs on the state directory {dir}; start one with `nbos up`, or name one with --state-dir or --url"
    )]
    NoCluster { dir: String },
}

impl Error {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoCluster { .. } => "NB0130",
        }
    }
}

impl Target {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        if !self.url.is_empty() {
            let token = token(self.token.as_ref()).unwrap_or_default();
            return Ok(Client::new(self.url.iter().map(String::as_str), &token)?);
        }
        let no_cluster = || Error::NoCluster {
            dir: self.state_dir.display().to_string(),
        };
        // A look-up must not create the directory.
        if !self.state_dir.is_dir() {
            return Err(no_cluster().into());
        }
        let connection = Connection::read(&StateDir::open(&self.state_dir)?)?.ok_or_else(no_cluster)?;
        let token = self.token.as_ref().unwrap_or(&connection.token);
        Ok(Client::new(connection.urls.iter().map(String::as_str), token)?)
    }
}
