//! How a group begins.
//!
//! Every founder writes the same first entry, the members, before its openraft starts, so each of them knows the group whichever others
//! come to be. (openraft's own `initialize` makes everybody who calls it a candidate at once; three of them take several rounds to agree.)
//! The founder with the lowest id campaigns, and again whenever another one tells that it is there.

use std::collections::{BTreeMap, BTreeSet};

use nbos_mesh::{NodeName, codec};
use openraft::EntryPayload;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderId;

use crate::campaigns::Campaigns;
use crate::error::Error;
use crate::group::Group;
use crate::id::ReplicaId;
use crate::replica::{Raft, Replica};
use crate::types::{Entry, Home, LogId, Membership, Types};
use crate::wal::Store;
use crate::wire::{Ask, Letter};

/// Who writes the first entry, in term 0: no replica has this id, so that all founders write the same.
const NOBODY: u64 = 0;

/// Whether a log began with this life of its replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Newborn,
    Grown,
}

/// Writes the members to a log in which there is nothing yet, and waits until that is durable.
pub(crate) async fn begin(mut store: Store, founders: &BTreeMap<ReplicaId, NodeName>) -> Result<Age, String> {
    let failed = |error: std::io::Error| error.to_string();
    let state = store.get_log_state().await.map_err(failed)?;
    if state.last_log_id.is_some() {
        return Ok(Age::Grown);
    }
    let voters: BTreeSet<u64> = founders.keys().map(|id| id.0).collect();
    let nodes = founders.iter().map(|(id, node)| (id.0, Home(node.to_string())));
    let members =
        Membership::new(vec![voters], nodes.collect::<BTreeMap<_, _>>()).map_err(|error| error.to_string())?;
    let leader = openraft::alias::LeaderIdOf::<Types>::new(0, NOBODY);
    let entry = Entry {
        log_id: LogId::new(leader.to_committed(), 0),
        payload: EntryPayload::Membership(members),
    };
    let (flushed, done) = Types::oneshot();
    store
        .append([entry], IOFlushed::signal(flushed))
        .await
        .map_err(failed)?;
    match done.await {
        Ok(outcome) => outcome.map(|()| Age::Newborn).map_err(failed),
        Err(_) => Err("the log ended".to_owned()),
    }
}

/// Beside the caller: a newborn group gets a leader without waiting for an election timeout.
pub(crate) fn assemble(group: Group, founders: &BTreeMap<ReplicaId, NodeName>) {
    let Some((first, node)) = founders.first_key_value().map(|(id, node)| (*id, node.clone())) else {
        return;
    };
    tokio::spawn(async move {
        if first != group.replica() {
            return group.replica.introduce(first, &node).await;
        }
        if let Err(error) = group.elect().await {
            tracing::info!(%error, group = %group.id(), "a new group has yet to elect a leader");
        }
    });
}

impl Replica {
    /// Tells the founder that campaigns that this one is there. If that fails, it finds out by its next round.
    async fn introduce(&self, founder: ReplicaId, node: &NodeName) {
        let letter = Letter {
            group: self.group().clone(),
            to: founder,
            from: self.me(),
            ask: Ask::Here,
        };
        if let Ok(body) = codec::encode(&letter)
            && let Err(error) = self.transport.call(node, body, self.options.election_min).await
        {
            tracing::debug!(group = %self.group(), %founder, %error, "the founder was not there yet");
        }
    }

    /// Another founder is there now: asks it for its vote at once, unless there has been a vote already.
    pub(crate) async fn meet(&self, raft: &Raft) -> Result<(), Error> {
        let new = raft.metrics().borrow_watched().current_term == 0;
        if new {
            *self.campaigns.lock() = Campaigns::default();
            self.campaign(raft).await?;
        }
        Ok(())
    }
}
