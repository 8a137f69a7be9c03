//! What a replica knows about its group.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use crate::id::{LogIndex, ReplicaId};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Who leads, as far as this replica knows. A parked group keeps its leader.
    pub leader: Option<(ReplicaId, NodeName)>,
    pub term: u64,
    pub last_log: Option<LogIndex>,
    pub applied: Option<LogIndex>,
    pub members: BTreeMap<ReplicaId, Member>,
    /// A change of members is under way, or was cut off; `reshape` finishes it.
    pub members_changing: bool,
    /// No clock runs and nothing is sent until somebody asks for something.
    pub parked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub node: NodeName,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Voter,
    /// Gets the log, does not vote.
    Learner,
}
