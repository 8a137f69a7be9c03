//! What replicas say to each other. Encoded by the mesh's codec.

use std::collections::BTreeMap;

use bytes::Bytes;
use nbos_mesh::NodeName;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

use crate::id::{GroupId, ReplicaId};
use crate::types::{LogId, SnapshotMeta, Types, Vote};

/// One request, with who is meant and who asks. A node where `to` does not run refuses it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) group: GroupId,
    pub(crate) to: ReplicaId,
    pub(crate) from: ReplicaId,
    pub(crate) ask: Ask,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// `round` is the leader's, see `calm`.
    Append {
        round: u64,
        request: AppendEntriesRequest<Types>,
    },
    Vote(VoteRequest<Types>),
    PreVote(VoteRequest<Types>),
    Transfer(TransferLeaderRequest<Types>),
    Snapshot {
        vote: Vote,
        meta: SnapshotMeta,
        state: Bytes,
    },
    /// For the leader.
    Work {
        work: Work,
        within_ms: u64,
    },
    /// Rest with me, if your log is applied up to `last`.
    Park {
        vote: Vote,
        last: LogId,
        round: u64,
    },
    /// A new group's replica has come to be and can vote.
    Here,
}

/// What only a leader can do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    Propose(Bytes),
    /// Up to which index must a state machine have applied to show all that is committed now?
    Barrier,
    /// Be awake.
    Wake,
    Reshape(Shape),
    Transfer {
        to: ReplicaId,
    },
}

/// Who is to be in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub voters: BTreeMap<ReplicaId, NodeName>,
    /// They get the log and do not vote.
    pub learners: BTreeMap<ReplicaId, NodeName>,
    pub newcomers: Newcomers,
}

/// What is asked of those that do not vote yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Newcomers {
    /// They have all but the last few entries of the log.
    CaughtUp,
    /// Nothing: they have voted before and know the log as far as they are there at all.
    Known,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Append(AppendEntriesResponse<Types>),
    Vote(VoteResponse<Types>),
    Transfer(TransferLeaderResponse<Types>),
    Snapshot(SnapshotResponse<Types>),
    Work(Outcome),
    Parked(bool),
    Noted,
}

/// How an attempt at some work ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Answer(Bytes),
    Index(u64),
    Done,
    /// Nothing happened; this one may lead.
    NotLeader(Option<(ReplicaId, NodeName)>),
    /// It may have happened, or happen yet.
    Unknown,
    /// Nothing happened, and asking again will not help.
    Refused(String),
}
