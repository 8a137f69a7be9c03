//! The admin API: what the cluster looks like from inside.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Error;
use super::http::{ANSWER_WITHIN, Client, MOVE_WITHIN, START_WITHIN};

/// A supervised actor or process, with those below it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TreeNode {
    pub path: String,
    pub kind: String,
    pub node: String,
    /// `starting`, `running`, `restarting`, `stopped` or `failed`; `unreachable` for a node that does not answer.
    pub status: String,
    #[serde(default)]
    pub restarts: u64,
    /// Unix time in milliseconds.
    #[serde(default)]
    pub started_at: Option<u64>,
    #[serde(default)]
    pub last_error: Option<String>,
    #[serde(default)]
    pub children: Vec<TreeNode>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Host {
    pub name: String,
    #[serde(default)]
    pub incarnation: Value,
    /// `up`, `draining`, `suspected` or `down`.
    pub status: String,
    #[serde(default)]
    pub gpus: Vec<Gpu>,
    /// The host's replicas: their number or their list.
    #[serde(default)]
    pub replicas: Value,
    /// Kernels started ahead that wait for somebody to start one.
    #[serde(default)]
    pub warm: Option<u32>,
    /// GPUs that its replicas may ask for, in relation to those it has.
    #[serde(default)]
    pub subscription_ratio: Option<f64>,
    /// The ratio at which no host takes more replicas now.
    #[serde(default)]
    pub subscription_limit: Option<f64>,
    /// Cells in line for its GPUs.
    #[serde(default)]
    pub waiting: Option<u32>,
    #[serde(default)]
    pub memory: Option<Memory>,
    /// Whether scaling added it.
    #[serde(default)]
    pub added: bool,
}

/// Bytes of main memory of a host's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Memory {
    pub total: u64,
    pub available: u64,
}

/// The hosts that scaling ordered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Scaling {
    /// Of the control state; an answer with a lower one is older.
    pub version: u64,
    /// `none`, `process` or `command`.
    pub provider: String,
    pub min: u32,
    pub max: u32,
    pub subscription_limit: f64,
    pub hosts: Vec<ScaledHost>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ScaledHost {
    pub name: String,
    /// Where other nodes reach it.
    pub mesh: String,
    /// `ordered`, `started` or `retiring`.
    pub phase: String,
    /// Whether it has joined.
    pub registered: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Gpu {
    pub index: u32,
    #[serde(default)]
    pub uuid: String,
    #[serde(default)]
    pub name: String,
    /// `free`, `leased`, `clearing`, `quarantined` or `failed`.
    #[serde(default)]
    pub state: String,
    /// Who holds it; null when it is free.
    #[serde(default)]
    pub lease: Value,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Kernel {
    pub id: String,
    pub state: String,
    /// Host of the replica that ran the last cell; `None` before the first one.
    #[serde(default)]
    pub executor: Option<String>,
    #[serde(default)]
    pub epoch: u64,
    /// Cells that have ended.
    #[serde(default)]
    pub cells: u64,
    #[serde(default)]
    pub replicas: Vec<Replica>,
    #[serde(default)]
    pub pinned: Vec<PinnedVariable>,
    /// How far the state of the cell that ends now has come; `None` when nothing large is on its way.
    #[serde(default)]
    pub replicating: Option<Replicating>,
    /// Replicas on their way to another host.
    #[serde(default)]
    pub moves: Vec<Move>,
    #[serde(default)]
    pub resources: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Move {
    pub from: String,
    pub to: String,
    /// `joining`, `leaving` or `undoing`.
    pub phase: String,
    /// `asked`, `drain`, `repair`, `room` or `foresight`.
    pub why: String,
}

/// How far a host has been emptied.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Drained {
    pub name: String,
    /// `draining`, or `up` after it was undone.
    pub status: String,
    pub left: Vec<Left>,
}

/// A kernel with a replica on a host that is being drained.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Left {
    pub kernel: String,
    /// `waits`, `stays`, or the phase of its move.
    pub state: String,
    /// Why it stays.
    #[serde(default)]
    pub why: Option<String>,
}

impl Left {
    pub fn stays(&self) -> bool {
        self.state == "stays"
    }
}

/// Bytes on their way to a majority of the kernel's hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Replicating {
    pub done: u64,
    pub total: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Replica {
    pub host: String,
    #[serde(default)]
    pub replica_id: Value,
    /// `executor`, `standby` or `joining`.
    pub role: String,
    /// Its Python process; `None` when it is unloaded.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Log entries it has applied.
    #[serde(default)]
    pub applied: Option<u64>,
    /// Objects of the session that are yet to come to its host.
    #[serde(default)]
    pub lacks: Option<u64>,
}

/// A variable that lives on one replica only.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PinnedVariable {
    pub name: String,
    #[serde(default, rename = "type")]
    pub type_name: String,
    #[serde(default)]
    pub why: String,
    #[serde(default)]
    pub home: Option<String>,
    /// Execution count of the cell to run again when its home is gone.
    #[serde(default)]
    pub cell: Option<u64>,
}

impl Host {
    pub fn is_up(&self) -> bool {
        matches!(self.status.as_str(), "up" | "draining")
    }
}

impl Client {
    /// All nodes' actors and processes; the top is the cluster.
    pub async fn tree(&self) -> Result<TreeNode, Error> {
        self.request(Method::GET, "/api/cluster/tree", None, ANSWER_WITHIN)
            .await?
            .json()
    }

    pub async fn hosts(&self, within: Duration) -> Result<Vec<Host>, Error> {
        self.request(Method::GET, "/api/cluster/hosts", None, within)
            .await?
            .json()
    }

    /// The hosts that scaling ordered, and its bounds.
    pub async fn scaling(&self) -> Result<Scaling, Error> {
        self.request(Method::GET, "/api/cluster/scaling", None, ANSWER_WITHIN)
            .await?
            .json()
    }

    pub async fn cluster_kernels(&self) -> Result<Vec<Kernel>, Error> {
        self.request(Method::GET, "/api/cluster/kernels", None, ANSWER_WITHIN)
            .await?
            .json()
    }

    pub async fn cluster_kernel(&self, id: &str) -> Result<Kernel, Error> {
        self.request(Method::GET, &format!("/api/cluster/kernels/{id}"), None, ANSWER_WITHIN)
            .await?
            .json()
    }

    /// What `GET /api/cluster/…` answers, as it is.
    pub async fn admin(&self, what: &str) -> Result<Value, Error> {
        self.get(&format!("/api/cluster/{what}"), ANSWER_WITHIN).await
    }

    /// Restarts an actor or process by its path in the tree, whose first segment is the node; returns when it runs again.
    pub async fn restart_path(&self, path: &str) -> Result<(), Error> {
        self.post("/api/cluster/restart", &json!({"path": path}), START_WITHIN)
            .await
            .map(drop)
    }

    /// Moves a replica of a kernel, that on `from` to `to` where they are given; returns when it is there.
    pub async fn migrate(&self, id: &str, from: Option<&str>, to: Option<&str>) -> Result<Value, Error> {
        let body = json!({"from": from, "to": to});
        self.post(&format!("/api/cluster/kernels/{id}/migrate"), &body, MOVE_WITHIN)
            .await
    }

    /// Has a host emptied, and tells what is still there; asked again it tells how that goes on.
    pub async fn drain(&self, host: &str) -> Result<Value, Error> {
        self.post(&format!("/api/cluster/hosts/{host}/drain"), &json!({}), ANSWER_WITHIN)
            .await
    }

    /// Lets a drained host serve again.
    pub async fn undo_drain(&self, host: &str) -> Result<Value, Error> {
        let body = json!({"undo": true});
        self.post(&format!("/api/cluster/hosts/{host}/drain"), &body, ANSWER_WITHIN)
            .await
    }

    /// Makes another replica the executor, that of `to` if given; returns when it can run a cell.
    pub async fn handover(&self, id: &str, to: Option<&str>) -> Result<Value, Error> {
        let body = to.map_or_else(|| json!({}), |host| json!({"to": host}));
        self.post(&format!("/api/cluster/kernels/{id}/handover"), &body, START_WITHIN)
            .await
    }
}
