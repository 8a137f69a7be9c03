//! What the tests share: a state machine, a transport inside the process, and a small cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use nbos_mesh::NodeName;
use nbos_supervision::{Options, Supervisor, SupervisorHandle, Tree};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::time::{Instant, timeout_at};

use crate::{
    CallError, Group, GroupId, GroupOptions, Groups, LogOptions, ReplicaId, Rest, StateMachine, Status, Transport,
};

/// Remembers every command; answers how many there were. Clones see the same commands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    commands: Arc<Mutex<Vec<Bytes>>>,
}

impl Journal {
    pub(crate) fn commands(&self) -> Vec<Bytes> {
        self.commands.lock().clone()
    }
}

impl StateMachine for Journal {
    fn apply(&mut self, _index: u64, command: &[u8]) -> Bytes {
        assert_ne!(command, b"panic");
        let mut commands = self.commands.lock();
        commands.push(Bytes::copy_from_slice(command));
        Bytes::from(commands.len().to_string())
    }

    fn snapshot(&self) -> Bytes {
        let mut out = Vec::new();
        for command in self.commands.lock().iter() {
            out.extend_from_slice(&(command.len() as u32).to_le_bytes());
            out.extend_from_slice(command);
        }
        out.into()
    }

    fn restore(&mut self, mut snapshot: &[u8]) -> Result<(), String> {
        let mut commands = Vec::new();
        while let Some((length, rest)) = snapshot.split_first_chunk() {
            let (command, rest) = rest
                .split_at_checked(u32::from_le_bytes(*length) as usize)
                .ok_or("short")?;
            commands.push(Bytes::copy_from_slice(command));
            snapshot = rest;
        }
        *self.commands.lock() = commands;
        Ok(())
    }
}

/// The wires between the nodes of a test.
#[derive(Default)]
pub(crate) struct Net {
    nodes: Mutex<BTreeMap<NodeName, Groups>>,
    silent: Mutex<BTreeSet<NodeName>>,
    pub(crate) calls: AtomicU64,
}

impl Net {
    /// What this node sends and what is sent to it disappears.
    pub(crate) fn silence(&self, node: &NodeName) {
        self.silent.lock().insert(node.clone());
    }

    pub(crate) fn heal(&self) {
        self.silent.lock().clear();
    }
}

struct Port {
    net: Arc<Net>,
    me: NodeName,
}

impl Transport for Port {
    fn call<'a>(&'a self, to: &'a NodeName, body: Bytes, within: Duration) -> BoxFuture<'a, Result<Bytes, CallError>> {
        self.net.calls.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + within;
        let groups = self.net.nodes.lock().get(to).cloned();
        let silent = [&self.me, to].iter().any(|node| self.net.silent.lock().contains(*node));
        let me = self.me.clone();
        Box::pin(async move {
            if silent {
                tokio::time::sleep_until(deadline).await;
                return Err(CallError::Timeout);
            }
            let Some(groups) = groups else {
                return Err(CallError::Unreachable("no such node".into()));
            };
            // A task of its own: the receiver goes on when the sender gives up, as on a real wire.
            let answer = tokio::spawn(async move { groups.deliver(&me, &body).await });
            match timeout_at(deadline, answer).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(CallError::Unreachable("receiver ended".into())),
                Err(_) => Err(CallError::Timeout),
            }
        })
    }
}

pub(crate) struct Node {
    pub(crate) groups: Groups,
    supervisor: SupervisorHandle,
}

/// Nodes `n1`, `n2`, … in this process, each with a directory of its own.
pub(crate) struct Cluster {
    pub(crate) net: Arc<Net>,
    dir: TempDir,
    nodes: BTreeMap<u64, Node>,
}

pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn name(node: u64) -> NodeName {
    NodeName::from(format!("n{node}"))
}

pub(crate) fn options() -> GroupOptions {
    GroupOptions {
        rest: Rest::Never,
        ..GroupOptions::kernel()
    }
}

/// Replica `i` on node `i`, for three nodes.
pub(crate) fn three() -> BTreeMap<ReplicaId, NodeName> {
    (1..=3).map(|i| (ReplicaId(i), name(i))).collect()
}

impl Cluster {
    pub(crate) async fn start(nodes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut cluster = Self {
            net: Arc::default(),
            dir,
            nodes: BTreeMap::new(),
        };
        for node in 1..=nodes {
            cluster.boot(node).await;
        }
        cluster
    }

    pub(crate) async fn boot(&mut self, node: u64) {
        let tree = Tree::new(&format!("n{node}"));
        let supervisor = Supervisor::start(&tree, None, "consensus", Options::one_for_one())
            .await
            .unwrap();
        let port = Arc::new(Port {
            net: self.net.clone(),
            me: name(node),
        });
        let path = self.path(node);
        let groups = Groups::open(&path, port, supervisor.clone(), LogOptions::default())
            .await
            .unwrap();
        self.net.nodes.lock().insert(name(node), groups.clone());
        self.nodes.insert(node, Node { groups, supervisor });
    }

    pub(crate) fn path(&self, node: u64) -> PathBuf {
        self.dir.path().join(format!("n{node}"))
    }

    pub(crate) fn groups(&self, node: u64) -> &Groups {
        &self.nodes[&node].groups
    }

    /// First nobody hears the node any more, then it goes.
    pub(crate) async fn kill(&mut self, node: u64) {
        self.net.nodes.lock().remove(&name(node));
        self.net.silence(&name(node));
        if let Some(gone) = self.nodes.remove(&node) {
            gone.supervisor.stop().await.unwrap();
            drop(gone);
        }
        self.net.heal();
    }

    /// Starts replica `node` of a group on that node.
    pub(crate) async fn run(&self, group: &GroupId, node: u64, options: GroupOptions) -> (Group, Journal) {
        let journal = Journal::default();
        let started = self
            .groups(node)
            .start(group.clone(), ReplicaId(node), Box::new(journal.clone()), options)
            .await;
        (started.unwrap(), journal)
    }

    /// Founds replica `node` of a group of three on that node.
    pub(crate) async fn found(&self, group: &GroupId, node: u64, options: GroupOptions) -> (Group, Journal) {
        let (id, journal) = (ReplicaId(node), Journal::default());
        let founded = self
            .groups(node)
            .found(group.clone(), id, &three(), Box::new(journal.clone()), options)
            .await;
        (founded.unwrap(), journal)
    }

    /// Starts a group of three on the first three nodes.
    pub(crate) async fn group(&self, name: &str, options: GroupOptions) -> Vec<(Group, Journal)> {
        let id = GroupId::new(name).unwrap();
        let mut replicas = Vec::new();
        for node in 1..=3 {
            replicas.push(self.found(&id, node, options).await);
        }
        replicas
    }
}

/// Waits until the status of a replica is as wanted.
pub(crate) async fn until(group: &Group, what: &str, mut check: impl FnMut(&Status) -> bool) -> Status {
    let mut watch = group.watch();
    let found = tokio::time::timeout(LONG, watch.wait_for(|status| check(status))).await;
    match found {
        Ok(status) => status.unwrap().clone(),
        Err(_) => panic!(
            "{} on {} never {what}: {:?}",
            group.id(),
            group.replica(),
            group.status()
        ),
    }
}

/// Waits for a leader among these and returns its place.
pub(crate) async fn leader(replicas: &[(Group, Journal)]) -> usize {
    let status = until(&replicas[0].0, "had a leader", |status| status.leader.is_some()).await;
    let (leader, _) = status.leader.unwrap();
    replicas
        .iter()
        .position(|(group, _)| group.replica() == leader)
        .unwrap()
}
