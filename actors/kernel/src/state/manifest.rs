//! The namespace manifest: which bytes rebuild the session's Python state.
//!
//! A *group* is a co-variable (names whose objects share mutable state) or a piece of ambient state (key `@…`). A group in
//! a delta is always complete, so it replaces every group it overlaps.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use nbos_objects::BlobId;
use serde::{Deserialize, Serialize};

use super::Delta;
use crate::id::Version;

/// Bytes of every chunk of a buffer but its last.
pub(crate) const CHUNK_BYTES: u64 = 4 << 20;

/// The Python child made its bytes and only a Python child reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub key: String,
    /// Variables it holds; none for ambient state.
    pub names: Vec<String>,
    /// Order of application: ambient state, imports, classes and functions, variables, history.
    pub rank: u8,
    /// Small enough for the log.
    pub inline: Bytes,
    pub buffers: Vec<Buffer>,
}

/// Raw memory of a group's objects, in the object stores of a quorum of the replicas' hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Buffer {
    pub size: u64,
    /// In order; each of [`CHUNK_BYTES`], the last one shorter.
    pub chunks: Vec<BlobId>,
}

impl Group {
    /// Bytes that are not in the log.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.buffers.iter().map(|buffer| buffer.size).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.inline.len() as u64 + self.stored_bytes()
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = &BlobId> {
        self.buffers.iter().flat_map(|buffer| &buffer.chunks)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    groups: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The change that brought it.
    pub changed: Version,
    /// Position among the groups of that change; ties in `changed` are broken by it.
    position: u64,
    pub group: Group,
}

impl Manifest {
    /// Takes over a delta. `newly_pinned` names lose the group they had: what it holds is of the past.
    pub(super) fn merge(&mut self, changed: Version, delta: &Delta, newly_pinned: &[String]) {
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
                changed,
                position: position as u64,
                group: group.clone(),
            };
            self.groups.insert(group.key.clone(), entry);
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.groups.get(key)
    }

    /// All groups in the order in which a fresh process applies them.
    pub(crate) fn in_order(&self) -> Vec<&Group> {
        let mut entries: Vec<&Entry> = self.groups.values().collect();
        entries.sort_by_key(|entry| (entry.group.rank, entry.changed, entry.position));
        entries.into_iter().map(|entry| &entry.group).collect()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.groups.values().map(|entry| entry.group.bytes()).sum()
    }

    /// Blobs that must be kept.
    pub(crate) fn blobs(&self) -> BTreeSet<BlobId> {
        self.groups
            .values()
            .flat_map(|entry| entry.group.chunks())
            .copied()
            .collect()
    }
}
