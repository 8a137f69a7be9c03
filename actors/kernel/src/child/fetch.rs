//! Brings the payloads of groups together before the child applies them.

use bytes::Bytes;
use nbos_mesh::NodeName;
use nbos_objects::Objects;

use crate::state::{Group, Payload};

/// A large object travels over the same links as everything else; give it time.
const FETCH_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// The bytes of each group, from the log or from this host's store or a peer's.
pub(crate) async fn resolve_groups(
    groups: &[Group],
    objects: &Objects,
    peers: &[NodeName],
) -> Result<Vec<Bytes>, nbos_objects::Error> {
    let mut payloads = Vec::with_capacity(groups.len());
    for group in groups {
        payloads.push(match &group.payload {
            Payload::Inline(bytes) => bytes.clone(),
            Payload::Stored { id, .. } => objects.get(id, peers, FETCH_WITHIN).await?,
        });
    }
    Ok(payloads)
}
