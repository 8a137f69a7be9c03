//! A host that can take a replica of a lost host.

use nbos_mesh::NodeName;

/// A host that may take a replica now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) host: NodeName,
    pub(crate) gpus: u32,
}
