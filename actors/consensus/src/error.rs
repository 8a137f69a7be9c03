//! What can go wrong, each with the code of its page in `docs/errors`.

use std::io;
use std::path::PathBuf;

use crate::id::{GroupId, ReplicaId};

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A record of the log does not check out and it is not the torn end of the last segment.
    #[error("log segment {segment} is damaged at byte {offset}: {why}")]
    LogDamaged { segment: PathBuf, offset: u64, why: String },

    #[error("log directory {dir} cannot be opened: {why}")]
    LogUnavailable { dir: PathBuf, why: String },

    /// A write or an fsync failed. Nothing is acknowledged any more; the process has to start again.
    #[error("the log failed and accepts nothing until the process restarts: {why}")]
    LogFailed { why: String },

    #[error("no leader of group {group} answered in time")]
    NoLeader { group: GroupId },

    /// The command may or may not take effect later.
    #[error("no answer from group {group} in time, the outcome is unknown")]
    Timeout { group: GroupId },

    #[error("replica {replica} of group {group} is not a member that could do this")]
    NotMember { group: GroupId, replica: ReplicaId },

    #[error("replica {replica} of group {group} is stopped")]
    Stopped { group: GroupId, replica: ReplicaId },

    #[error("snapshot {path} is damaged: {why}")]
    SnapshotDamaged { path: PathBuf, why: String },

    /// The members are not those the caller expected, or another change is under way.
    #[error("members of group {group} were not changed: {why}")]
    MembersChanged { group: GroupId, why: String },

    #[error("`{name}` is not a group name: 1 to 64 characters of a-z, A-Z, 0-9, - and _")]
    BadGroupId { name: String },

    #[error("a command of {size} bytes is above the limit of {limit}")]
    TooLarge { size: usize, limit: usize },

    #[error("a replica of group {group} already runs on this node under another id")]
    AlreadyRunning { group: GroupId },

    /// openraft or the supervisor refused something that should not happen.
    #[error("group {group} could not go on: {why}")]
    Internal { group: GroupId, why: String },
}

impl Error {
    /// The stable code; its page is `docs/errors/CODE.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::LogDamaged { .. } => "NB0301",
            Error::LogUnavailable { .. } => "NB0302",
            Error::LogFailed { .. } => "NB0303",
            Error::NoLeader { .. } => "NB0305",
            Error::Timeout { .. } => "NB0306",
            Error::NotMember { .. } => "NB0307",
            Error::Stopped { .. } => "NB0308",
            Error::SnapshotDamaged { .. } => "NB0309",
            Error::MembersChanged { .. } => "NB0310",
            Error::BadGroupId { .. } => "NB0311",
            Error::TooLarge { .. } => "NB0312",
            Error::AlreadyRunning { .. } => "NB0313",
            Error::Internal { .. } => "NB0314",
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}
