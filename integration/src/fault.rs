//! A node as a machine that fails.

use std::net::TcpListener;

use nbos::connection::NodeEntry;
use nix::sys::signal::Signal;

use crate::cluster::Cluster;
use crate::process::{is_alive, kill_9, signal};
use crate::wait::{SHORT, eventually, holds};

/// A node of a cluster, by its name: its process may change.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    cluster: &'a Cluster,
    name: String,
}

/// A process that is stopped (SIGSTOP) until this is woken or dropped.
#[derive(Debug)]
pub struct Frozen {
    pid: u32,
}

/// A node that is down and cannot start: somebody else has its port. Until this is dropped.
#[derive(Debug)]
pub struct Gone<'a> {
    node: Node<'a>,
    old: u32,
    port: TcpListener,
}

impl<'a> Node<'a> {
    pub(crate) fn new(cluster: &'a Cluster, name: &str) -> Self {
        Self {
            cluster,
            name: name.to_owned(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process now.
    pub fn pid(&self) -> u32 {
        self.entry().pid
    }

    pub fn gateway(&self) -> String {
        self.entry().gateway.expect("every node of a test has a gateway")
    }

    /// `HOST:PORT`
    pub fn gateway_address(&self) -> String {
        self.gateway().trim_start_matches("http://").to_owned()
    }

    pub fn mesh_address(&self) -> String {
        self.entry().mesh
    }

    /// `kill -9`; gives the process that was killed. `nbos up` starts another one.
    pub fn kill_9(&self) -> u32 {
        let pid = self.pid();
        assert!(is_alive(pid), "node {} is down already", self.name);
        kill_9(pid);
        pid
    }

    /// `kill -9`, and nobody can start it again.
    pub async fn kill_for_good(&self) -> Gone<'a> {
        let address = self.mesh_address();
        eventually(&format!("node {} is gone for good", self.name), SHORT, async || {
            let old = self.pid();
            kill_9(old);
            // Another one may have been faster.
            let port = TcpListener::bind(&address).ok()?;
            let node = self.clone();
            Some(Gone { node, old, port })
        })
        .await
    }

    /// Stops the process without a word, as a machine that hangs; returns when all its threads stand still.
    pub async fn freeze(&self) -> Frozen {
        let pid = self.pid();
        signal(pid, Signal::SIGSTOP);
        let frozen = Frozen { pid };
        holds("the process stands still", SHORT, async || {
            threads(pid).iter().all(|state| *state == 'T')
        })
        .await;
        frozen
    }

    /// Returns when another process than `old` runs; gives it.
    pub async fn restarted(&self, old: u32) -> u32 {
        eventually(&format!("node {} is restarted", self.name), SHORT, async || {
            let pid = self.pid();
            (pid != old && is_alive(pid)).then_some(pid)
        })
        .await
    }

    /// Returns when its log has a line with this text; gives the line.
    pub async fn logs(&self, text: &str) -> String {
        eventually(&format!("node {} logs `{text}`", self.name), SHORT, async || {
            self.cluster
                .log(&self.name)
                .lines()
                .rfind(|line| line.contains(text))
                .map(str::to_owned)
        })
        .await
    }

    fn entry(&self) -> NodeEntry {
        let found = self
            .cluster
            .connection()
            .nodes
            .into_iter()
            .find(|node| node.name == self.name);
        found.unwrap_or_else(|| panic!("connection.json has no node {}", self.name))
    }
}

impl Frozen {
    /// SIGCONT; returns when it runs.
    pub async fn wake(self) {
        let pid = self.pid;
        drop(self);
        holds("the frozen process runs again", SHORT, async || {
            !threads(pid).contains(&'T')
        })
        .await;
    }
}

impl Gone<'_> {
    /// Gives the port back; returns when the node runs.
    pub async fn back(self) -> u32 {
        let Gone { node, old, port } = self;
        drop(port);
        node.restarted(old).await
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.pid, Signal::SIGCONT);
    }
}

/// State of each thread of a process, as in `ps`.
fn threads(pid: u32) -> Vec<char> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    stats
        .filter_map(|stat| stat.rsplit_once(") ")?.1.chars().next())
        .collect()
}
