//! The replica actor: performs what [`crate::core::Core`] decides.

mod actor;
mod handle;
mod log;
mod members;
mod message;
mod perform;

use nbos_consensus::Groups;
use nbos_gpu::Gpus;
use nbos_mesh::{Mesh, NodeName};
use nbos_objects::Objects;

pub use actor::spawn;
pub use handle::ReplicaHandle;

use crate::child::{Guard, WarmPool};
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
    /// Where Python processes come from.
    pub warm: WarmPool,
    /// The `[kernel]` table.
    pub options: Options,
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
