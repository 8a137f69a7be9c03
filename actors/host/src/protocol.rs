//! What a host and a node tell others over the mesh.

use nbos_gpu::GpuInfo;
use nbos_kernel::protocol::ReplicaInfo;
use nbos_mesh::NodeName;
use nbos_supervision::TreeNode;
use serde::{Deserialize, Serialize};

/// Mesh path of the host actor, on nodes with the host role.
pub(crate) const HOST_PATH: &str = "host";

/// Mesh path of the node actor, on every node.
pub(crate) const NODE_PATH: &str = "node";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum HostRequest {
    /// What every replica here knows.
    Infos,
    /// The host itself.
    Host,
    /// Something is to go wrong with a simulated GPU, or to end.
    Fault { gpu: u32, fault: GpuFault },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum HostReply {
    Infos(Vec<ReplicaInfo>),
    Host(Box<HostInfo>),
    Done,
    Refused { code: String, message: String },
}

/// What happens to a simulated GPU, by the names of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuFault {
    /// It does not answer any more.
    FallOff,
    /// Memory stays on it after the next cell.
    Leak,
    /// Memory stays on it for a second after each cell.
    SlowClear,
    /// All of this ends.
    Repair,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum NodeRequest {
    Tree,
    Restart { path: String },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum NodeReply {
    Tree(Box<TreeNode>),
    Done,
    Refused { code: String, message: String },
}

/// A host as the admin API shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostInfo {
    pub name: NodeName,
    /// Boot id of its process.
    pub incarnation: u64,
    pub gpus: Vec<GpuInfo>,
    /// Replicas placed here.
    pub replicas: u32,
    /// Kernels started ahead that wait for somebody to start one.
    pub warm: u32,
    /// GPUs that the replicas placed here would use if all ran a cell at once, over the host's own, over the replicas of a kernel, in
    /// thousandths: `placed / installed / R` (the original system's formula).
    pub subscription_millis: u64,
}
