//! Asks hosts and nodes anywhere in the cluster.

use std::time::Duration;

use nbos_kernel::protocol::ReplicaInfo;
use nbos_mesh::{Mesh, NodeName, codec};
use nbos_supervision::TreeNode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::protocol::{GpuFault, HOST_PATH, HostInfo, HostReply, HostRequest, NODE_PATH, NodeReply, NodeRequest};
use nbos_kernel::protocol::to_bytes;

/// What every replica on a host knows.
pub async fn infos(mesh: &Mesh, host: &NodeName, within: Duration) -> Result<Vec<ReplicaInfo>, Error> {
    match ask(mesh, host, HOST_PATH, &HostRequest::Infos, within).await? {
        HostReply::Infos(infos) => Ok(infos),
        HostReply::Refused { code, message } => Err(Error::Refused { code, message }),
        HostReply::Host(_) | HostReply::Done => Err(Error::Unexpected),
    }
}

/// A host's devices and replicas.
pub async fn host(mesh: &Mesh, host: &NodeName, within: Duration) -> Result<HostInfo, Error> {
    match ask(mesh, host, HOST_PATH, &HostRequest::Host, within).await? {
        HostReply::Host(info) => Ok(*info),
        HostReply::Refused { code, message } => Err(Error::Refused { code, message }),
        HostReply::Infos(_) | HostReply::Done => Err(Error::Unexpected),
    }
}

/// Has something go wrong with a simulated GPU of a host, or ends it.
pub async fn fault(mesh: &Mesh, host: &NodeName, gpu: u32, fault: GpuFault, within: Duration) -> Result<(), Error> {
    match ask(mesh, host, HOST_PATH, &HostRequest::Fault { gpu, fault }, within).await? {
        HostReply::Done => Ok(()),
        HostReply::Refused { code, message } => Err(Error::Refused { code, message }),
        HostReply::Infos(_) | HostReply::Host(_) => Err(Error::Unexpected),
    }
}

/// A node's supervision tree.
pub async fn tree(mesh: &Mesh, node: &NodeName, within: Duration) -> Result<TreeNode, Error> {
    match ask(mesh, node, NODE_PATH, &NodeRequest::Tree, within).await? {
        NodeReply::Tree(tree) => Ok(*tree),
        NodeReply::Refused { code, message } => Err(Error::Refused { code, message }),
        NodeReply::Done => Err(Error::Unexpected),
    }
}

/// Stops the actor at a path of that node's tree and starts it again.
pub async fn restart(mesh: &Mesh, node: &NodeName, path: String, within: Duration) -> Result<(), Error> {
    match ask(mesh, node, NODE_PATH, &NodeRequest::Restart { path }, within).await? {
        NodeReply::Done => Ok(()),
        NodeReply::Refused { code, message } => Err(Error::Refused { code, message }),
        NodeReply::Tree(_) => Err(Error::Unexpected),
    }
}

async fn ask<Q: Serialize, A: DeserializeOwned>(
    mesh: &Mesh,
    node: &NodeName,
    path: &str,
    question: &Q,
    within: Duration,
) -> Result<A, Error> {
    let answer = mesh.call(node, path, to_bytes(question), within).await?;
    Ok(codec::decode(&answer)?)
}
