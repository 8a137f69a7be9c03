//! Hosts that scaling ordered, as processes on this machine (`[scheduler] hosts = { provider = "process" }`).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

use super::child::{NodeProcess, keep_running};
use super::cluster::{Pids, arguments};
use crate::client::{Client, Scaling};
use crate::connection::NodeEntry;
use crate::state_dir::{self, StateDir};
use crate::stop::{Stop, StopHandle};

/// How often the cluster is asked which hosts it wants: a host starts in about a second, and nothing waits for its end.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What an ordered host's process is made of.
pub(super) struct Template {
    pub(super) state: StateDir,
    pub(super) client: Client,
    pub(super) pids: Arc<Pids>,
    /// `nbos` itself.
    pub(super) program: PathBuf,
}

/// Starts what the cluster ordered and ends what it retires, until `stop` fires. What runs then ends too; it is still ordered, and the
/// next `nbos up` starts it again.
pub(super) async fn keep(template: Template, stop: Stop) {
    let mut processes = Processes {
        template,
        running: BTreeMap::new(),
        tasks: JoinSet::new(),
        version: 0,
    };
    loop {
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = stop.wait() => break,
        }
        match processes.template.client.scaling().await {
            Ok(scaling) => processes.follow(&scaling),
            // The cluster is starting, or a gateway is.
            Err(error) => tracing::debug!(%error, "ordered hosts not known now"),
        }
        processes.reap();
    }
    processes.running.values().for_each(|running| running.stop.fire());
    while processes.tasks.join_next().await.is_some() {}
}

impl Template {
    fn process(&self, name: &str, mesh: &str) -> Result<NodeProcess, state_dir::Error> {
        let mut arguments = arguments(name, &self.state);
        arguments.extend(["--mesh", mesh].map(OsString::from));
        Ok(NodeProcess {
            name: name.to_owned(),
            program: self.program.clone(),
            arguments,
            log: self.state.node_dir(name)?.join("node.log"),
        })
    }
}

struct Processes {
    template: Template,
    running: BTreeMap<String, Running>,
    /// Each gives its host's name.
    tasks: JoinSet<String>,
    /// Of the newest answer: a gateway that has just started may know less than another has told before.
    version: u64,
}

struct Running {
    stop: StopHandle,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Wanted,
    Retired,
}

impl Processes {
    fn follow(&mut self, scaling: &Scaling) {
        if scaling.version < self.version {
            return;
        }
        self.version = scaling.version;
        let wanted = scaling.hosts.iter().filter(|host| host.phase != "retiring");
        let wanted: BTreeMap<&str, &str> = wanted.map(|host| (host.name.as_str(), host.mesh.as_str())).collect();
        for (name, mesh) in &wanted {
            if !self.running.contains_key(*name) {
                self.start(name, mesh);
            }
        }
        let kept: BTreeSet<&str> = wanted.into_keys().collect();
        for (name, running) in self
            .running
            .iter_mut()
            .filter(|(name, _)| !kept.contains(name.as_str()))
        {
            if running.standing == Standing::Wanted {
                info!(host = name, "host is retired, stopping it");
                running.standing = Standing::Retired;
                running.stop.fire();
            }
        }
    }

    fn start(&mut self, name: &str, mesh: &str) {
        let process = match self.template.process(name, mesh) {
            Ok(process) => process,
            Err(error) => return warn!(host = name, %error, "no directory for an ordered host"),
        };
        info!(host = name, mesh, "host is ordered, starting it");
        let (handle, stop) = Stop::manual();
        let pids = Arc::clone(&self.template.pids);
        let (name, mesh) = (name.to_owned(), mesh.to_owned());
        let running = Running {
            stop: handle,
            standing: Standing::Wanted,
        };
        self.running.insert(name.clone(), running);
        self.tasks.spawn(async move {
            let started = |name: &str, pid: u32| {
                pids.put(NodeEntry {
                    name: name.to_owned(),
                    pid,
                    gateway: None,
                    mesh: mesh.clone(),
                });
            };
            keep_running(process, started, stop).await;
            name
        });
    }

    /// Hosts whose process has ended. Nobody needs what retired ones kept, their name is never used again; others are started anew.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            let Ok(name) = ended else { continue };
            let running = self.running.remove(&name);
            if running.is_none_or(|running| running.standing == Standing::Wanted) {
                continue;
            }
            self.template.pids.remove(&name);
            let removed = self.template.state.node_dir(&name).map(fs::remove_dir_all);
            match removed {
                Ok(Ok(())) => info!(host = name, "host removed"),
                Ok(Err(error)) => warn!(host = name, %error, "directory of a retired host not removed"),
                Err(error) => warn!(host = name, %error, "directory of a retired host not found"),
            }
        }
    }
}
