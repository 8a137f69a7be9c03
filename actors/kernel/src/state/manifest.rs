//! The namespace manifest: which bytes rebuild the session's Python state.
//!
//! A *group* is a co-variable (names whose objects share mutable state) or a piece of ambient state (key `@…`). A group in
//! a delta is always complete, so it replaces every group it overlaps.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use nbos_objects::BlobId;
use serde::{Deserialize, Serialize};

use super::Delta;
use crate::id::CellSeq;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub key: String,
    /// Variables it holds; none for ambient state.
    pub names: Vec<String>,
    /// Order of application: ambient state, imports, classes and functions, variables, history.
    pub rank: u8,
    pub payload: Payload,
}

/// A group's opaque bytes: the Python child made them and only a Python child reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload {
    Inline(Bytes),
    /// Too large for the log; in the object store of a quorum of the replicas' hosts.
    Stored {
        id: BlobId,
        len: u64,
    },
}

impl Payload {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Stored { len, .. } => *len,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    groups: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    changed: CellSeq,
    /// Position among the groups of that cell; ties in `changed` are broken by it.
    position: u64,
    group: Group,
}

impl Manifest {
    /// Takes over a cell's delta. `newly_pinned` names lose the group they had: what it holds is of the past.
    pub(crate) fn merge(&mut self, seq: CellSeq, delta: &Delta, newly_pinned: &[String]) {
        let gone: BTreeSet<&str> = delta
            .deleted
            .iter()
            .chain(delta.groups.iter().flat_map(|group| &group.names))
            .chain(newly_pinned)
            .map(String::as_str)
            .collect();
        self.groups.retain(|key, entry| {
            !gone.contains(key.as_str()) && !entry.group.names.iter().any(|name| gone.contains(name.as_str()))
        });
        for (position, group) in delta.groups.iter().enumerate() {
            let entry = Entry {
                changed: seq,
                position: position as u64,
                group: group.clone(),
            };
            self.groups.insert(group.key.clone(), entry);
        }
    }

    /// All groups in the order in which a fresh process applies them.
    pub(crate) fn in_order(&self) -> Vec<&Group> {
        let mut entries: Vec<&Entry> = self.groups.values().collect();
        entries.sort_by_key(|entry| (entry.group.rank, entry.changed, entry.position));
        entries.into_iter().map(|entry| &entry.group).collect()
    }

    /// Blobs that must be kept.
    pub(crate) fn blobs(&self) -> BTreeSet<BlobId> {
        self.groups
            .values()
            .filter_map(|entry| match &entry.group.payload {
                Payload::Stored { id, .. } => Some(*id),
                Payload::Inline(_) => None,
            })
            .collect()
    }
}
