//! The tables of `cluster.toml`, one struct each. Unknown keys are errors at every level.

use std::net::SocketAddr;
use std::path::PathBuf;

use nbos_gpu::GpuOptions;
use serde::{Deserialize, Deserializer};

use super::error::{BAD_ADDRESS, UNKNOWN_ROLE};

/// The whole file. A subsystem's table is one more field here, with `#[serde(default)]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    #[serde(default)]
    pub cluster: ClusterTable,
    /// `[[node]]`, in the order of the file.
    #[serde(default, rename = "node")]
    pub nodes: Vec<NodeTable>,
    #[serde(default)]
    pub python: PythonTable,
    #[serde(default)]
    pub kernel: nbos_kernel::Options,
    #[serde(default)]
    pub gpu: nbos_gpu::Options,
    #[serde(default)]
    pub objects: nbos_objects::Options,
    #[serde(default)]
    pub scheduler: nbos_scheduler::Options,
    #[serde(default)]
    pub mesh: nbos_mesh::Options,
    #[serde(default)]
    pub gateway: nbos_gateway::Options,
}

impl ClusterConfig {
    pub fn node(&self, name: &str) -> Option<&NodeTable> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// A host that scaling ordered.
    pub fn add_host(&mut self, name: &str, mesh: SocketAddr) {
        self.nodes.push(NodeTable {
            name: name.to_owned(),
            roles: vec![Role::Host],
            mesh,
            gateway: None,
            gpus: Some(self.scheduler.hosts.gpus),
        });
    }

    /// Nodes that have a role, in the order of the file.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &NodeTable> {
        self.nodes.iter().filter(move |node| node.has(role))
    }
}

/// `[cluster]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterTable {
    /// Part of what nodes prove to each other: those of another cluster are refused even with the same secret.
    pub name: String,
    /// Replicas of a kernel, each on another host. Three survive the loss of any one host, which is the paper's choice too.
    pub replicas: usize,
}

impl Default for ClusterTable {
    fn default() -> Self {
        Self {
            name: "nbos".into(),
            replicas: 3,
        }
    }
}

/// One `[[node]]`: a process of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeTable {
    pub name: String,
    pub roles: Vec<Role>,
    /// Where the other nodes reach this one.
    #[serde(deserialize_with = "address")]
    pub mesh: SocketAddr,
    /// Where Jupyter clients reach it; needed by the role `gateway` alone.
    #[serde(default, deserialize_with = "optional_address")]
    pub gateway: Option<SocketAddr>,
    /// A host without this key has no GPU.
    #[serde(default)]
    pub gpus: Option<GpuOptions>,
}

impl NodeTable {
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Role {
    /// Votes in the scheduler's Raft group.
    Control,
    /// Has GPUs and kernel replicas.
    Host,
    /// Serves Jupyter clients.
    Gateway,
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "control" => Ok(Self::Control),
            "host" => Ok(Self::Host),
            "gateway" => Ok(Self::Gateway),
            other => Err(format!(
                "{UNKNOWN_ROLE}: unknown role `{other}`, expected `control`, `host` or `gateway`"
            )),
        }
    }
}

/// `[python]`: the environment that notebooks run in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PythonTable {
    /// The user's own interpreter. Without it a private environment is made.
    pub interpreter: Option<PathBuf>,
    /// Requirements, in pip's notation, that the private environment holds besides the kernel's own.
    pub packages: Vec<String>,
}

impl Default for PythonTable {
    fn default() -> Self {
        // Pinned so that every machine gets the same environment. numpy 2.2.6 is the last release for Python 3.10, 2.3.5
        // has wheels for 3.11 to 3.14.
        let packages = [
            "numpy==2.2.6; python_version < '3.11'",
            "numpy==2.3.5; python_version >= '3.11'",
            "scikit-learn==1.7.2",
            "matplotlib==3.10.7",
        ];
        Self {
            interpreter: None,
            packages: packages.map(String::from).to_vec(),
        }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refuse = |why: &str| {
        let message = format!("{BAD_ADDRESS}: `{text}` is not an address: {why}, for example `127.0.0.1:7601`");
        serde::de::Error::custom(message)
    };
    let parsed: SocketAddr = text.parse().map_err(|_| refuse("expected an IP and a port"))?;
    if parsed.port() == 0 {
        return Err(refuse("other nodes need a port that is not 0"));
    }
    Ok(parsed)
}

fn optional_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}
