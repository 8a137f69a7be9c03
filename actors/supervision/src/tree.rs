//! The record of everything supervised on one node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use ractor::{ActorCell, ActorRef};

use crate::handle::ask;
use crate::supervisor::Message;
use crate::{Error, Status, TreeNode};

/// The supervision tree of one node. A cheap clone; not a process global, so tests can have many.
///
/// Paths are `/`-separated and relative to the node (`mesh/router`); a leading node name is accepted. The empty
/// path is the node itself.
#[derive(Debug, Clone)]
pub struct Tree {
    node: Arc<str>,
    records: Arc<Mutex<BTreeMap<Key, Record>>>,
}

/// Path segments: ordered so that everything below a path follows it directly.
type Key = Vec<String>;

#[derive(Debug)]
struct Record {
    kind: String,
    status: Status,
    restarts: u32,
    started_at: u64,
    last_error: Option<String>,
    cell: Option<ActorCell>,
    /// Set where a supervisor runs at this path.
    supervisor: Option<ActorRef<Message>>,
}

impl Record {
    fn new(kind: &str, status: Status) -> Self {
        Self {
            kind: kind.to_owned(),
            status,
            restarts: 0,
            started_at: unix_millis(),
            last_error: None,
            cell: None,
            supervisor: None,
        }
    }

    fn turn(&mut self, status: Status) {
        if status == Status::Running && self.status != Status::Running {
            self.started_at = unix_millis();
            if self.status == Status::Restarting {
                self.restarts = self.restarts.saturating_add(1);
            }
        }
        self.status = status;
    }
}

impl Tree {
    /// The tree of the node with this name.
    pub fn new(node: &str) -> Self {
        let root = BTreeMap::from([(Key::new(), Record::new("node", Status::Running))]);
        Self {
            node: node.into(),
            records: Arc::new(Mutex::new(root)),
        }
    }

    /// Name of the node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Records something that is not an actor, such as a child process. Going from `Restarting` to `Running`
    /// counts a restart; an error is kept until the next one replaces it.
    pub fn note(&self, path: &str, kind: &str, status: Status, error: Option<&str>) {
        let mut records = self.records.lock();
        let record = records
            .entry(self.key(path))
            .or_insert_with(|| Record::new(kind, status));
        kind.clone_into(&mut record.kind);
        record.turn(status);
        if let Some(error) = error {
            record.last_error = Some(error.to_owned());
        }
    }

    /// Removes what was noted at the path, and everything below it.
    pub fn forget(&self, path: &str) {
        let key = self.key(path);
        if !key.is_empty() {
            self.records.lock().retain(|other, _| !other.starts_with(&key));
        }
    }

    /// Stops the child at the path and starts it again, as its supervisor's strategy says; returns when it runs.
    ///
    /// # Errors
    /// [`Error::NoSuchChild`] when no supervisor has it, [`Error::Start`] when it did not come up (it will be tried
    /// again), [`Error::Gone`] when its supervisor does not answer.
    pub async fn restart(&self, path: &str) -> Result<(), Error> {
        let mut key = self.key(path);
        let name = key.pop().ok_or_else(|| Error::NoSuchChild(path.to_owned()))?;
        let supervisor = self
            .supervisor_at(&key)
            .ok_or_else(|| Error::NoSuchChild(path.to_owned()))?;
        ask(&supervisor, path, |reply| Message::Restart { name, reply }).await
    }

    /// A consistent copy of the whole tree. Paths that only group others appear as kind `group`.
    pub fn snapshot(&self) -> TreeNode {
        let records = self.records.lock();
        let mut root = self.tree_node(&[], records.get(&Key::new()));
        for (key, record) in records.iter().filter(|(key, _)| !key.is_empty()) {
            let mut place = &mut root;
            for depth in 1..=key.len() {
                let path = self.full_path(&key[..depth]);
                // Keys are sorted by segment, so a parent made earlier is the last child.
                if place.children.last().is_none_or(|last| last.path != path) {
                    let known = (depth == key.len()).then_some(record);
                    let child = self.tree_node(&key[..depth], known);
                    place.children.push(child);
                }
                place = place.children.last_mut().expect("invariant: pushed above when missing");
            }
        }
        root
    }

    /// The running actor at the path.
    pub(crate) fn cell(&self, path: &str) -> Option<ActorCell> {
        self.records
            .lock()
            .get(&self.key(path))
            .and_then(|record| record.cell.clone())
    }

    /// The supervisor that runs at the path now.
    pub(crate) fn supervisor(&self, path: &str) -> Option<ActorRef<Message>> {
        self.supervisor_at(&self.key(path))
    }

    /// A supervisor came up at the path: whatever an earlier one left below it is gone.
    pub(crate) fn supervisor_up(&self, path: &str, supervisor: ActorRef<Message>) {
        let key = self.key(path);
        let mut records = self.records.lock();
        records.retain(|other, _| other.len() <= key.len() || !other.starts_with(&key));
        let record = records
            .entry(key)
            .or_insert_with(|| Record::new("supervisor", Status::Starting));
        record.cell = Some(supervisor.get_cell());
        record.supervisor = Some(supervisor);
        record.turn(Status::Running);
    }

    /// A child is about to be started for the first time.
    pub(crate) fn child_added(&self, path: &str, kind: &str) {
        self.records
            .lock()
            .insert(self.key(path), Record::new(kind, Status::Starting));
    }

    /// A child runs.
    pub(crate) fn child_up(&self, path: &str, cell: ActorCell) {
        if let Some(record) = self.records.lock().get_mut(&self.key(path)) {
            record.cell = Some(cell);
            record.turn(Status::Running);
        }
    }

    /// A child, or a supervisor itself, is down.
    pub(crate) fn down(&self, path: &str, status: Status, error: Option<String>) {
        if let Some(record) = self.records.lock().get_mut(&self.key(path)) {
            record.cell = None;
            record.supervisor = None;
            record.turn(status);
            if error.is_some() {
                record.last_error = error;
            }
        }
    }

    /// What the path's last failure said.
    pub(crate) fn last_error(&self, path: &str) -> Option<String> {
        self.records
            .lock()
            .get(&self.key(path))
            .and_then(|record| record.last_error.clone())
    }

    fn supervisor_at(&self, key: &[String]) -> Option<ActorRef<Message>> {
        self.records
            .lock()
            .get(key)
            .and_then(|record| record.supervisor.clone())
    }

    fn key(&self, path: &str) -> Key {
        let mut key: Key = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        if key.first().is_some_and(|first| **first == *self.node) {
            key.remove(0);
        }
        key
    }

    fn full_path(&self, key: &[String]) -> String {
        let mut path = self.node.to_string();
        for part in key {
            path.push('/');
            path.push_str(part);
        }
        path
    }

    fn tree_node(&self, key: &[String], record: Option<&Record>) -> TreeNode {
        TreeNode {
            path: self.full_path(key),
            kind: record.map_or_else(|| "group".to_owned(), |record| record.kind.clone()),
            node: self.node.to_string(),
            status: record.map_or(Status::Running, |record| record.status),
            restarts: record.map_or(0, |record| record.restarts),
            started_at: record.map_or(0, |record| record.started_at),
            last_error: record.and_then(|record| record.last_error.clone()),
            children: Vec::new(),
        }
    }
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_nests_and_fills_gaps() {
        let tree = Tree::new("n1");
        tree.note("host/replica/7", "replica", Status::Running, None);
        tree.note("host/replica/7/python", "python", Status::Starting, None);
        tree.note("host-pool", "pool", Status::Running, None);
        tree.note("n1/host/gpu", "gpu", Status::Failed, Some("xid 79"));
        let root = tree.snapshot();
        assert_eq!((root.path.as_str(), root.kind.as_str()), ("n1", "node"));
        let top: Vec<&str> = root.children.iter().map(|child| child.path.as_str()).collect();
        assert_eq!(top, ["n1/host", "n1/host-pool"]);
        let host = &root.children[0];
        assert_eq!(host.kind, "group");
        assert_eq!(host.children[0].last_error.as_deref(), Some("xid 79"));
        assert_eq!(
            host.children[1].children[0].children[0].path,
            "n1/host/replica/7/python"
        );
    }

    #[test]
    fn a_noted_restart_is_counted() {
        let tree = Tree::new("n1");
        for status in [Status::Starting, Status::Running, Status::Restarting, Status::Running] {
            tree.note("python", "python", status, None);
        }
        assert_eq!(tree.snapshot().children[0].restarts, 1);
        tree.forget("python");
        assert!(tree.snapshot().children.is_empty());
    }
}
