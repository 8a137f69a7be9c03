//! The replica actor: performs what [`crate::core::Core`] decides.

mod actor;
mod handle;
mod log;
mod members;
mod message;
mod perform;

use std::sync::Arc;

use nbos_consensus::Groups;
use nbos_gpu::Gpus;
use nbos_mesh::{Mesh, NodeName};
use nbos_objects::Objects;
use tokio::sync::Semaphore;

pub use actor::spawn;
pub use handle::ReplicaHandle;

use crate::child::{Guard, PythonOptions};
use crate::core::{Member, Membership};
use crate::id::KernelId;
use crate::options::Options;
use crate::protocol::KernelSpec;
use crate::state::ReplicaNumber;

/// What every replica of a host shares.
#[derive(Clone)]
pub struct Surroundings {
    pub mesh: Mesh,
    pub groups: Groups,
    pub objects: Objects,
    pub gpus: Gpus,
    /// Nodes that can have a replica moved to another host.
    pub control: Vec<NodeName>,
    pub guard: Guard,
    pub python: PythonOptions,
    /// The `[kernel]` table.
    pub options: Options,
    /// Limits how many Python processes start at once.
    pub starts: Arc<Semaphore>,
}

/// Which replica this is.
#[derive(Clone, Debug)]
pub struct Identity {
    pub kernel: KernelId,
    pub replica: ReplicaNumber,
    pub spec: KernelSpec,
    pub membership: Membership,
    /// Members of the group at its birth; a replica among them may form it.
    pub founders: Vec<Member>,
}
