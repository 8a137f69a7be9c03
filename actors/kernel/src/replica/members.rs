//! Brings the group's membership to what the control state wants.

use std::collections::BTreeMap;
use std::time::Duration;

use nbos_consensus::{Group, ReplicaId};
use nbos_mesh::NodeName;

use crate::core::Member;

/// One attempt: the new replica starts on its host and gets the log.
const REPLACE_WITHIN: Duration = Duration::from_secs(5);

/// Pause between attempts: the new replica's host may not have started it yet.
const RETRY: Duration = Duration::from_millis(300);

/// Attempts before the next change of the control state is waited for: five minutes.
const ATTEMPTS: u32 = 60;

/// Replaces members that are not wanted by wanted ones that are not there, until there are none. Any replica may do this, several
/// at once do no harm: each change of members is a compare-and-set.
pub(super) async fn change_members(group: Group, wanted: Vec<Member>) {
    let wanted: BTreeMap<ReplicaId, NodeName> = wanted
        .into_iter()
        .map(|Member { replica, host }| (ReplicaId(replica), host))
        .collect();
    for _ in 0..ATTEMPTS {
        let status = group.status();
        if status.members.is_empty() {
            // Not read from the log yet, or not taken in by the others yet.
            tokio::time::sleep(RETRY).await;
            continue;
        }
        let old = status
            .members
            .keys()
            .find(|member| !wanted.contains_key(member))
            .copied();
        let new = wanted.iter().find(|(replica, _)| !status.members.contains_key(replica));
        let learner = wanted.iter().find(|(replica, _)| {
            status
                .members
                .get(replica)
                .is_some_and(|member| member.role == nbos_consensus::Role::Learner)
        });
        let (Some(old), Some((new, host))) = (old, new.or(learner)) else {
            return;
        };
        if let Err(error) = group.replace(old, (*new, host.clone()), REPLACE_WITHIN).await {
            tracing::info!(%error, group = %group.id(), %old, %new, "replica not replaced yet");
        }
        tokio::time::sleep(RETRY).await;
    }
}
