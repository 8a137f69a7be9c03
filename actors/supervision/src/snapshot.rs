//! The supervision tree as data: what `nbos tree` and `GET /api/cluster/tree` show.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a supervised thing is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being started for the first time.
    Starting,
    /// Up.
    Running,
    /// Down, to be started again.
    Restarting,
    /// Ended normally and will not be started again by itself.
    Stopped,
    /// Ended with an error and will not be started again by itself.
    Failed,
    /// On a node that does not answer.
    Unreachable,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        })
    }
}

/// One node of the tree with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeNode {
    /// Full path, beginning with the node's name: `n1/mesh/router`. `nbos restart` takes it.
    pub path: String,
    /// What it is.
    pub kind: String,
    /// The node it runs on.
    pub node: String,
    /// Where it is in its life.
    pub status: Status,
    /// Restarts since the node started.
    pub restarts: u32,
    /// When it last came up, in Unix milliseconds.
    pub started_at: u64,
    /// What its last failure said.
    pub last_error: Option<String>,
    /// What runs below it, by name.
    pub children: Vec<TreeNode>,
}

impl TreeNode {
    /// Stands for a node that did not answer when the cluster's tree was put together.
    pub fn unreachable(node: &str, last_error: String) -> Self {
        Self {
            path: node.to_owned(),
            kind: "node".to_owned(),
            node: node.to_owned(),
            status: Status::Unreachable,
            restarts: 0,
            started_at: 0,
            last_error: Some(last_error),
            children: Vec::new(),
        }
    }
}
