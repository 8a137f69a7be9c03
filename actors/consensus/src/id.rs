//! Names: of a group, of one incarnation of a replica, of a place in a log.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Names a Raft group on every node: a kernel's UUID, or the constant `control`.
///
/// 1 to 64 characters of `a-z A-Z 0-9 - _`, because a group's snapshot file carries the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupId(Arc<str>);

impl GroupId {
    const MAX_LEN: usize = 64;

    pub fn new(name: impl AsRef<str>) -> Result<Self, Error> {
        let name = name.as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > Self::MAX_LEN || !name.chars().all(plain) {
            return Err(Error::BadGroupId {
                name: name.chars().take(80).collect(),
            });
        }
        Ok(Self(name.into()))
    }

    /// The group of the scheduler's state, one in a cluster.
    pub fn control() -> Self {
        Self("control".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for GroupId {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        Self::new(name)
    }
}

impl From<GroupId> for String {
    fn from(id: GroupId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One incarnation of a replica: fresh for every placement, never given out twice.
///
/// A node that lost its log and came back under its old id could vote twice in one term and split the group
/// (openraft, "Node IDs must not be reused"), so whoever places a replica allocates the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplicaId(pub u64);

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Position of an entry in a group's log, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogIndex(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names_are_checked_because_files_carry_them() {
        for good in ["control", "6f1c0a52-9d1e-4b7e-a7d5-0f8f6f7b2a11", "a_B-9"] {
            assert_eq!(GroupId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "../../etc/passwd", "a b", "ü", &"x".repeat(65)] {
            assert_eq!(GroupId::new(bad).unwrap_err().code(), "NB0311");
        }
    }
}
