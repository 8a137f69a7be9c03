//! A running cluster of child processes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nbos_scheduler::Provider;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tracing::error;

use super::child::{NodeProcess, keep_running};
use super::error::Error;
use super::{ports, ready, scaled};
use crate::client::Client;
use crate::config::Loaded;
use crate::connection::{Connection, NodeEntry};
use crate::python::PythonEnv;
use crate::secrets::Secrets;
use crate::state_dir::{Lock, StateDir, write_private};
use crate::stop::{Stop, StopHandle};

/// A node whose `nbos up` was killed needs this long at most to notice and to end in order.
const LAST_RUN_ENDS: Duration = Duration::from_secs(12);

/// Everything a cluster needs to start.
#[derive(Debug)]
pub struct Plan {
    pub state: StateDir,
    /// Of `state`, from [`StateDir::lock_up`]: held while the cluster runs.
    pub lock: Lock,
    pub loaded: Loaded,
    pub secrets: Secrets,
    pub python: PythonEnv,
    /// The `nbos` program, whose command `node` runs one node.
    pub program: PathBuf,
}

/// Nodes that are being kept running. [`Cluster::stop`] ends them; dropping it kills them.
#[derive(Debug)]
pub struct Cluster {
    state: StateDir,
    connection: Connection,
    replicas: usize,
    tasks: JoinSet<()>,
    stop: StopHandle,
    _lock: Lock,
}

impl Cluster {
    /// Checks the ports, starts every node and writes `connection.json`. Must run inside a tokio runtime.
    pub fn start(plan: Plan) -> Result<Self, Error> {
        let Plan {
            state,
            lock,
            loaded,
            secrets,
            python,
            program,
        } = plan;
        // The nodes of a run that was killed may still be ending; their ports are theirs until then.
        for node in &loaded.config.nodes {
            drop(state.lock_node(&node.name, LAST_RUN_ENDS)?);
        }
        ports::check(&loaded.config)?;
        // One that a killed run left would name processes that are gone.
        Connection::remove(&state);
        write_private(&state.running_config(), loaded.effective.as_bytes())?;
        python.write(&state.python_file())?;

        let connection = Connection::of(&loaded.config, &secrets);
        let pids = Arc::new(Pids {
            state: state.clone(),
            connection: Mutex::new(connection.clone()),
        });
        let (handle, stop) = Stop::manual();
        let mut tasks = JoinSet::new();
        for node in &loaded.config.nodes {
            let process = NodeProcess {
                name: node.name.clone(),
                program: program.clone(),
                arguments: arguments(&node.name, &state),
                log: state.node_dir(&node.name)?.join("node.log"),
            };
            let pids = pids.clone();
            tasks.spawn(keep_running(
                process,
                move |name, pid| pids.set(name, pid),
                stop.clone(),
            ));
        }
        if loaded.config.scheduler.hosts.provider == Provider::Process {
            let template = scaled::Template {
                state: state.clone(),
                client: client(&connection),
                pids,
                program,
            };
            tasks.spawn(scaled::keep(template, stop));
        }
        let replicas = loaded.config.cluster.replicas;
        Ok(Self {
            state,
            connection,
            replicas,
            tasks,
            stop: handle,
            _lock: lock,
        })
    }

    /// Gateways and token; its process ids are those of [`StateDir::connection_file`].
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A client of its gateways.
    pub fn client(&self) -> Client {
        client(&self.connection)
    }

    /// Returns when a kernel can start: as many hosts are up as it has replicas.
    pub async fn ready(&self) -> Result<(), Error> {
        let logs: BTreeMap<_, _> = self
            .connection
            .nodes
            .iter()
            .map(|node| (node.name.as_str(), self.log(&node.name)))
            .collect();
        ready::wait(&self.client(), self.replicas, &logs).await
    }

    /// SIGTERM to every node, SIGKILL to those that need more than 10 s, and no `connection.json` any more.
    pub async fn stop(mut self) {
        self.stop.fire();
        while self.tasks.join_next().await.is_some() {}
        Connection::remove(&self.state);
    }

    fn log(&self, name: &str) -> PathBuf {
        self.state.root().join("nodes").join(name).join("node.log")
    }
}

/// The process ids in `connection.json`.
#[derive(Debug)]
pub(super) struct Pids {
    state: StateDir,
    connection: Mutex<Connection>,
}

impl Pids {
    /// Writes the file once every node has started, then at each restart.
    fn set(&self, name: &str, pid: u32) {
        let mut connection = self.connection.lock();
        if let Some(node) = connection.nodes.iter_mut().find(|node| node.name == name) {
            node.pid = pid;
        }
        self.write(&connection);
    }

    /// A node beyond those of the configuration was started.
    pub(super) fn put(&self, entry: NodeEntry) {
        let mut connection = self.connection.lock();
        connection.nodes.retain(|node| node.name != entry.name);
        connection.nodes.push(entry);
        self.write(&connection);
    }

    /// It has ended for good.
    pub(super) fn remove(&self, name: &str) {
        let mut connection = self.connection.lock();
        connection.nodes.retain(|node| node.name != name);
        self.write(&connection);
    }

    /// Under the lock: two restarts at once must not swap their files.
    fn write(&self, connection: &Connection) {
        if connection.nodes.iter().any(|node| node.pid == 0) {
            return;
        }
        if let Err(error) = connection.write(&self.state) {
            error!(%error, "cannot write connection.json");
        }
    }
}

fn client(connection: &Connection) -> Client {
    let urls = connection.urls.iter().map(String::as_str);
    Client::new(urls, &connection.token).expect("invariant: the addresses come from parsed ones")
}

pub(super) fn arguments(node: &str, state: &StateDir) -> Vec<OsString> {
    let running = state.running_config();
    let words = ["node", node, "--supervised", "--config"].map(OsString::from);
    let paths = [
        running.into_os_string(),
        "--state-dir".into(),
        state.root().as_os_str().to_owned(),
    ];
    words.into_iter().chain(paths).collect()
}
