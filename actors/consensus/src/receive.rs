//! Answering other replicas.

use std::time::Duration;

use bytes::Bytes;
use nbos_mesh::{NodeName, codec};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::RaftError;
use tokio::time::Instant;

use crate::error::Error;
use crate::id::ReplicaId;
use crate::replica::{Raft, Replica};
use crate::types::{Home, Snapshot, Types};
use crate::wire::{Ask, Outcome, Reply};

impl Replica {
    /// Answers one letter that was meant for this replica.
    pub(crate) async fn receive(&self, node: &NodeName, from: ReplicaId, ask: Ask) -> Result<Bytes, Error> {
        let raft = self.raft()?;
        self.check_sender(&raft, node, from)?;
        let reply = self.reply(&raft, ask).await?;
        codec::encode(&reply).map_err(|error| self.internal(error))
    }

    /// A replica speaks only from the node its group knows it on. One that is not known yet may speak: a new member
    /// learns who the members are from what it is sent.
    fn check_sender(&self, raft: &Raft, node: &NodeName, from: ReplicaId) -> Result<(), Error> {
        let metrics = raft.metrics();
        let known = metrics.borrow_watched().membership_config.get_node(&from.0).cloned();
        match known {
            Some(home) if home != Home(node.to_string()) => Err(Error::NotMember {
                group: self.group().clone(),
                replica: from,
            }),
            _ => Ok(()),
        }
    }

    async fn reply(&self, raft: &Raft, ask: Ask) -> Result<Reply, Error> {
        let failed = |error: RaftError<Types>| self.internal(error);
        Ok(match ask {
            Ask::Append { round, request } => {
                let vote = request.vote;
                *self.heard.lock() = Some(Instant::now());
                if !request.entries.is_empty() {
                    *self.active.lock() = Instant::now();
                }
                let response = raft.append_entries(request).await.map_err(failed)?;
                // Only now: with its lease renewed, a clock that starts does not campaign at once.
                if self.change_calm(raft, |calm| calm.hear(&vote, round)) {
                    self.publish_parked();
                }
                Reply::Append(response)
            }
            Ask::Vote(request) => {
                let response = raft.vote(request).await.map_err(failed)?;
                self.wake(raft).await;
                Reply::Vote(response)
            }
            Ask::PreVote(request) => {
                let response = raft.pre_vote(request).await.map_err(failed)?;
                self.wake(raft).await;
                Reply::Vote(response)
            }
            Ask::Transfer(request) => {
                let response = raft
                    .handle_transfer_leader(request)
                    .await
                    .map_err(|error| self.internal(error))?;
                self.wake(raft).await;
                Reply::Transfer(response)
            }
            Ask::Snapshot { vote, meta, state } => {
                *self.heard.lock() = Some(Instant::now());
                let snapshot = Snapshot { meta, snapshot: state };
                let response = raft
                    .install_full_snapshot(vote, snapshot)
                    .await
                    .map_err(|error| self.internal(error))?;
                self.wake(raft).await;
                Reply::Snapshot(response)
            }
            Ask::Work { work, within_ms } => {
                let deadline = Instant::now() + Duration::from_millis(within_ms);
                Reply::Work(if raft.is_leader() {
                    self.perform(raft, &work, deadline).await
                } else {
                    Outcome::NotLeader(self.status.borrow().leader.clone())
                })
            }
            Ask::Here => {
                self.meet(raft).await?;
                Reply::Noted
            }
            Ask::Park { vote, last, round } => Reply::Parked(self.agree_to_rest(raft, vote, last, round)),
        })
    }
}
