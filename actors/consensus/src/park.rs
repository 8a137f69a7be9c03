//! Putting a group to rest, and the leader's side of it.

use std::time::Duration;

use futures_util::future::join_all;
use nbos_mesh::{NodeName, codec};
use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::Instant;

use crate::calm::Calm;
use crate::id::ReplicaId;
use crate::options::Rest;
use crate::replica::{Metrics, Raft, Replica};
use crate::types::{LogId, Vote};
use crate::wire::{Ask, Letter, Reply};

/// Longest wait for a member to agree. One that does not answer keeps the group awake.
const AGREE: Duration = Duration::from_millis(500);
/// Longest wait for the snapshot before a rest.
const SNAPSHOT: Duration = Duration::from_secs(10);
/// Before a rest a snapshot is made when more than this was applied since the last: a group with less is replayed
/// from its log as fast as from a snapshot.
const WORTH_ENTRIES: u64 = 64;
const WORTH_BYTES: u64 = 256 << 10;

impl Replica {
    /// When the group may be parked; none while this replica has no say in it.
    pub(crate) fn rest_at(&self, metrics: &Metrics) -> Option<Instant> {
        let Rest::After(idle) = self.options.rest else {
            return None;
        };
        let leads_awake = metrics.state.is_leader() && self.calm.lock().is_awake();
        leads_awake.then(|| *self.active.lock() + idle)
    }

    /// Parks the group, if this replica leads it and all members agree. True when it is parked.
    pub(crate) async fn park(&self, raft: &Raft) -> bool {
        if self.calm.lock().is_parked() {
            return true;
        }
        let growth = self.machine.growth();
        if growth.entries > WORTH_ENTRIES || growth.bytes > WORTH_BYTES {
            let applied = raft.metrics().borrow_watched().last_applied;
            let built = |metrics: &Metrics| metrics.snapshot >= applied;
            if raft.trigger().snapshot().await.is_err()
                || self.wait_for(raft, Instant::now() + SNAPSHOT, built).await.is_err()
            {
                return false;
            }
        }
        let metrics = raft.metrics().borrow_watched().clone();
        let Some(last) = at_rest(&metrics) else { return false };
        let Some(round) = self.change_calm(raft, Calm::begin) else {
            return false;
        };
        let members = metrics.membership_config.nodes().filter(|(id, _)| **id != self.me().0);
        let agreed = members.map(|(id, home)| {
            self.ask_to_rest(
                ReplicaId(*id),
                NodeName::from(home.0.as_str()),
                metrics.vote,
                last,
                round,
            )
        });
        let agreed = join_all(agreed).await.into_iter().all(|agreed| agreed);
        let still = raft.metrics().borrow_watched().last_log_index == Some(last.index);
        if agreed && still && self.calm.lock().settle(round) {
            tracing::debug!(group = %self.group(), "group parked");
            self.publish_parked();
            return true;
        }
        self.wake(raft).await;
        false
    }

    async fn ask_to_rest(&self, to: ReplicaId, node: NodeName, vote: Vote, last: LogId, round: u64) -> bool {
        let ask = Ask::Park { vote, last, round };
        let letter = Letter {
            group: self.group().clone(),
            to,
            from: self.me(),
            ask,
        };
        let Ok(body) = codec::encode(&letter) else { return false };
        let answer = self.transport.call(&node, body, AGREE).await;
        matches!(
            answer.map(|body| codec::decode::<Reply>(&body)),
            Ok(Ok(Reply::Parked(true)))
        )
    }

    /// The member's side: rests if it has applied all its leader has.
    pub(crate) fn agree_to_rest(&self, raft: &Raft, vote: Vote, last: LogId, round: u64) -> bool {
        let metrics = raft.metrics().borrow_watched().clone();
        let agrees = metrics.vote == vote
            && !metrics.state.is_leader()
            && metrics.last_log_index == Some(last.index)
            && metrics.last_applied == Some(last);
        if agrees {
            self.change_calm(raft, |calm| calm.follow(vote, round));
            self.publish_parked();
        }
        agrees
    }
}

/// The last log id of a leader whose group has nothing left to do.
fn at_rest(metrics: &Metrics) -> Option<LogId> {
    let members = &metrics.membership_config;
    let last = metrics.last_applied?;
    let replication = metrics.replication.as_ref()?;
    let matched = |id: &u64| *id == metrics.id || replication.get(id) == Some(&Some(last));
    let at_rest = metrics.state.is_leader()
        && metrics.last_log_index == Some(last.index)
        && members == &metrics.committed_membership_config
        && members.get_joint_config().len() == 1
        && members.nodes().all(|(id, _)| matched(id));
    at_rest.then_some(last)
}
