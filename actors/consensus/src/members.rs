//! Changing who is in a group. Every step can be repeated: a change that was cut off is finished by asking again.

use std::collections::{BTreeMap, BTreeSet};

use nbos_mesh::NodeName;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{ChangeMembers, Precondition};
use tokio::time::Instant;

use crate::id::ReplicaId;
use crate::replica::{Metrics, Raft, Replica};
use crate::types::{Home, StoredMembership};
use crate::wire::{Newcomers, Outcome, Shape};
use crate::work::{Elsewhere, write_failed};

/// A learner this close to the leader is made a voter (notes on openraft, migration step 3).
const CLOSE: u64 = 16;

async fn add_learner(raft: &Raft, id: ReplicaId, node: &NodeName) -> Result<Outcome, Elsewhere> {
    match current(raft).membership().get_node(&id.0) {
        Some(home) if *home == Home(node.to_string()) => return Ok(Outcome::Done),
        // The same id on another node would be a second replica with an empty log.
        Some(home) => return Ok(Outcome::Refused(format!("replica {id} is on {} already", home.0))),
        None => {}
    }
    match raft.add_learner(id.0, Home(node.to_string()), false).await {
        Ok(_) => Ok(Outcome::Done),
        Err(error) => write_failed(error),
    }
}

/// Makes the group consist of exactly these voters and learners.
///
/// Whoever is new learns the log before anybody goes, so the group never has fewer voters than before. The leader hands over first
/// when it is one to go.
pub(crate) async fn reshape(
    replica: &Replica,
    raft: &Raft,
    shape: &Shape,
    deadline: Instant,
) -> Result<Outcome, Elsewhere> {
    if current(raft).get_joint_config().len() > 1 {
        // A change without a change: openraft flattens the joint config that an earlier one left behind.
        let flatten = ChangeMembers::AddVoterIds(BTreeSet::new());
        if let Err(error) = raft
            .change_membership_if(flatten, false, unchanged(&current(raft)))
            .await
        {
            return write_failed(error);
        }
    }
    let before: BTreeSet<u64> = current(raft).voter_ids().collect();
    for (id, node) in shape.voters.iter().chain(&shape.learners) {
        match add_learner(raft, *id, node).await? {
            Outcome::Done => {}
            other => return Ok(other),
        }
    }
    if shape.newcomers == Newcomers::CaughtUp {
        let new = shape.voters.keys().chain(shape.learners.keys());
        let new: Vec<u64> = new.map(|id| id.0).filter(|id| !before.contains(id)).collect();
        let caught_up = |metrics: &Metrics| {
            let last = metrics.last_log_index.unwrap_or(0);
            let matched = |id: &u64| {
                let matched = metrics
                    .replication
                    .as_ref()
                    .and_then(|all| all.get(id).cloned().flatten());
                matched.map_or(0, |id| id.index + CLOSE)
            };
            !metrics.state.is_leader() || new.iter().all(|id| matched(id) >= last)
        };
        if replica.wait_for(raft, deadline, caught_up).await.is_err() {
            return Ok(Outcome::Unknown);
        }
    }
    let voters: BTreeSet<u64> = shape.voters.keys().map(|id| id.0).collect();
    if !voters.contains(&replica.me().0) {
        // One that is alive has more of the log than one that is not; ties by id.
        let matched = replication(raft);
        let stays = before.intersection(&voters);
        match stays.max_by_key(|id| (matched.get(id), std::cmp::Reverse(**id))) {
            // Whoever leads then is asked again by the one who asked.
            Some(stays) => {
                return transfer(replica, raft, ReplicaId(*stays), deadline)
                    .await
                    .map(|_| not_leader(raft));
            }
            None => tracing::debug!(group = %replica.group(), "no voter stays, the leader steps down by itself"),
        }
    }
    if before != voters {
        let change = ChangeMembers::ReplaceAllVoters(voters);
        if let Err(error) = raft
            .change_membership_if(change, false, unchanged(&current(raft)))
            .await
        {
            return write_failed(error);
        }
    }
    let members = current(raft);
    let wanted = |id: &u64| shape.voters.contains_key(&ReplicaId(*id)) || shape.learners.contains_key(&ReplicaId(*id));
    let gone: BTreeSet<u64> = members.nodes().map(|(id, _)| *id).filter(|id| !wanted(id)).collect();
    if gone.is_empty() {
        return Ok(Outcome::Done);
    }
    let change = ChangeMembers::RemoveNodes(gone);
    match raft.change_membership_if(change, false, unchanged(&members)).await {
        Ok(_) => Ok(Outcome::Done),
        Err(error) => write_failed(error),
    }
}

/// Hands leadership to a voter and waits until it is not here any more.
pub(crate) async fn transfer(
    replica: &Replica,
    raft: &Raft,
    to: ReplicaId,
    deadline: Instant,
) -> Result<Outcome, Elsewhere> {
    if to == replica.me() {
        return if raft.is_leader() {
            Ok(Outcome::Done)
        } else {
            Err(Elsewhere::empty())
        };
    }
    if !current(raft).voter_ids().any(|id| id == to.0) {
        return Ok(Outcome::Refused(format!("replica {to} is not a voter")));
    }
    if raft.trigger().transfer_leader(to.0).await.is_err() {
        return Ok(Outcome::Unknown);
    }
    let gone = |metrics: &Metrics| metrics.current_leader.is_some_and(|leader| leader != replica.me().0);
    match replica.wait_for(raft, deadline, gone).await {
        Ok(()) => Ok(Outcome::Done),
        Err(_) => Ok(Outcome::Unknown),
    }
}

fn current(raft: &Raft) -> StoredMembership {
    raft.metrics().borrow_watched().membership_config.as_ref().clone()
}

/// How much of the log the others have, by replica.
fn replication(raft: &Raft) -> BTreeMap<u64, Option<u64>> {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let known = metrics.replication.iter().flatten();
    known.map(|(id, matched)| (*id, matched.map(|id| id.index))).collect()
}

fn not_leader(raft: &Raft) -> Outcome {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let leader = metrics.current_leader.and_then(|id| {
        let home = metrics.membership_config.membership().get_node(&id)?;
        Some((ReplicaId(id), NodeName::from(home.0.as_str())))
    });
    Outcome::NotLeader(leader)
}

/// The change is made only if nobody else changed the members meanwhile.
fn unchanged(members: &StoredMembership) -> [Precondition<crate::types::Types>; 1] {
    [Precondition::LastMembershipLogId {
        last_membership_log_id: *members.log_id(),
    }]
}
