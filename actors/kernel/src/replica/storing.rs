//! Moves a cell's large payloads to the object stores of a quorum before the cell is committed.

use std::time::Duration;

use nbos_mesh::NodeName;
use nbos_objects::Objects;

use crate::core::RawGroup;
use crate::state::{Group, Payload};

/// As the core: what is larger never goes into the log.
const INLINE_BYTES: usize = 64 << 10;

/// Gigabytes over a loaded link; after this the cell's change is given up with an error.
const REPLICATE_WITHIN: Duration = Duration::from_secs(600);

/// Stores what is large here and on enough peers that a majority of `peers` and this host has it.
pub(super) async fn store_groups(
    raw: Vec<RawGroup>,
    objects: &Objects,
    peers: &[NodeName],
) -> Result<Vec<Group>, nbos_objects::Error> {
    // Of n replicas a majority is n / 2 + 1, this host included: n / 2 others, where n = peers + 1.
    let need = peers.len().div_ceil(2);
    let mut groups = Vec::with_capacity(raw.len());
    let inline_total: usize = raw
        .iter()
        .map(|group| group.payload.len())
        .filter(|len| *len <= INLINE_BYTES)
        .sum();
    let limit = if inline_total > 8 * INLINE_BYTES {
        4 << 10
    } else {
        INLINE_BYTES
    };
    for RawGroup {
        key,
        names,
        rank,
        payload,
    } in raw
    {
        let payload = if payload.len() <= limit {
            Payload::Inline(payload)
        } else {
            let len = payload.len() as u64;
            let id = objects.put(payload).await?;
            objects.replicate(&id, peers, need, REPLICATE_WITHIN).await?;
            Payload::Stored { id, len }
        };
        groups.push(Group {
            key,
            names,
            rank,
            payload,
        });
    }
    Ok(groups)
}
