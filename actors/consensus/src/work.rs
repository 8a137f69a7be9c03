//! What only the leader can do, and finding it.

use std::time::Duration;

use nbos_mesh::{NodeName, codec};
use openraft::ReadPolicy;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{
    ChangeMembershipError, ClientWriteError, ForwardReason, ForwardToLeader, LinearizableReadError, RaftError,
};
use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::id::ReplicaId;
use crate::members;
use crate::replica::{Raft, Replica};
use crate::transport::CallError;
use crate::types::{Command, Types};
use crate::wire::{Ask, Letter, Outcome, Reply, Work};

/// A leader is looked for again when nothing has changed for this long: a vote refused because of a lease is then
/// asked for anew. Half a heartbeat, so that little is lost when the lease ends.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Hints followed in a row: two replicas that have just lost their leader may each name the other.
const HOPS: u32 = 2;

impl Replica {
    /// Has the leader do some work, wherever it is, looking for it until `deadline`.
    pub(crate) async fn on_leader(&self, work: Work, deadline: Instant) -> Result<Outcome, Error> {
        // Something may have reached a leader that did not say so.
        let mut unknown = false;
        let mut hint = None;
        let mut hops = 0;
        loop {
            let mut changes = self.status.subscribe();
            let raft = self.raft();
            let target = hint.take().or_else(|| changes.borrow_and_update().leader.clone());
            let mut next = None;
            let outcome = match (&raft, target) {
                (Ok(raft), Some((id, _))) if id == self.me() => self.perform(raft, &work, deadline).await,
                (Ok(raft), None) if raft.is_leader() => self.perform(raft, &work, deadline).await,
                (_, Some((id, node))) => self.forward(id, &node, &work, deadline).await,
                (_, None) => Outcome::NotLeader(None),
            };
            match outcome {
                Outcome::Answer(_) | Outcome::Index(_) | Outcome::Done => return Ok(outcome),
                Outcome::Refused(why) => {
                    return Err(Error::MembersChanged {
                        group: self.group().clone(),
                        why,
                    });
                }
                Outcome::NotLeader(other) => next = other.filter(|(id, _)| *id != self.me()),
                Outcome::Unknown => unknown = true,
            }
            if Instant::now() >= deadline {
                let group = self.group().clone();
                return Err(if unknown {
                    Error::Timeout { group }
                } else {
                    Error::NoLeader { group }
                });
            }
            // Follow a hint that is news at once, but not in circles; else wait until something changes here.
            if hops < HOPS && next.is_some() && next != changes.borrow().leader {
                hops += 1;
                hint = next;
            } else {
                hops = 0;
                let again = (Instant::now() + LOOK_AGAIN).min(deadline);
                if timeout_at(again, changes.changed()).await.is_err()
                    && let Ok(raft) = &raft
                {
                    self.campaign(raft).await?;
                }
            }
        }
    }

    async fn forward(&self, to: ReplicaId, node: &NodeName, work: &Work, deadline: Instant) -> Outcome {
        let within = deadline.saturating_duration_since(Instant::now());
        let ask = Ask::Work {
            work: work.clone(),
            within_ms: within.as_millis() as u64,
        };
        let letter = Letter {
            group: self.group().clone(),
            to,
            from: self.me(),
            ask,
        };
        let body = match codec::encode(&letter) {
            Ok(body) => body,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        // A leader that fell silent is not waited for once another one is known.
        let mut changes = self.status.subscribe();
        let succeeded = changes.wait_for(|status| status.leader.as_ref().is_some_and(|(id, _)| *id != to));
        let answer = tokio::select! {
            answer = self.transport.call(node, body, within) => answer,
            _ = succeeded => Err(CallError::Timeout),
        };
        match answer {
            Ok(body) => match codec::decode::<Reply>(&body) {
                Ok(Reply::Work(outcome)) => outcome,
                _ => Outcome::Unknown,
            },
            Err(CallError::Refused { .. }) => Outcome::NotLeader(None),
            Err(CallError::Unreachable(_) | CallError::Timeout) => Outcome::Unknown,
        }
    }

    /// Does some work here, if this replica leads.
    pub(crate) async fn perform(&self, raft: &Raft, work: &Work, deadline: Instant) -> Outcome {
        self.touch(raft).await;
        loop {
            let attempt = async {
                match work {
                    Work::Propose(command) => propose(raft, command).await,
                    Work::Barrier => barrier(raft).await,
                    Work::Wake if raft.is_leader() => Ok(Outcome::Done),
                    Work::Wake => Err(ForwardToLeader::empty()),
                    Work::Reshape(shape) => members::reshape(self, raft, shape, deadline).await,
                    Work::Transfer { to } => members::transfer(self, raft, *to, deadline).await,
                }
            };
            match timeout_at(deadline, attempt).await {
                Err(_) => return Outcome::Unknown,
                Ok(Ok(outcome)) => return outcome,
                Ok(Err(elsewhere)) if elsewhere.reason == ForwardReason::LeaseExpired => {
                    if !self.renew_lease(raft, deadline).await {
                        return Outcome::NotLeader(None);
                    }
                }
                Ok(Err(elsewhere)) => return Outcome::NotLeader(leader_of(elsewhere)),
            }
        }
    }

    /// After a rest a leader has to hear from a quorum before it may write. False when it did not.
    async fn renew_lease(&self, raft: &Raft, deadline: Instant) -> bool {
        let mut metrics = raft.metrics();
        let before = metrics.borrow_watched().last_quorum_acked;
        if raft.trigger().heartbeat().await.is_err() {
            return false;
        }
        let deadline = (Instant::now() + self.options.election_max).min(deadline);
        loop {
            match timeout_at(deadline, metrics.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return false,
            }
            let now = metrics.borrow_watched();
            if now.last_quorum_acked > before {
                return true;
            }
            if !now.state.is_leader() {
                return false;
            }
        }
    }
}

/// What an attempt ends in when somebody else should do it.
pub(crate) type Elsewhere = ForwardToLeader<Types>;

async fn propose(raft: &Raft, command: &bytes::Bytes) -> Result<Outcome, Elsewhere> {
    match raft.client_write(Command(command.clone())).await {
        Ok(response) => Ok(Outcome::Answer(response.data.0)),
        Err(error) => write_failed(error),
    }
}

/// What a failed write means.
pub(crate) fn write_failed(error: RaftError<Types, ClientWriteError<Types>>) -> Result<Outcome, Elsewhere> {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(elsewhere)) => Err(elsewhere),
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) | RaftError::Fatal(_) => Ok(Outcome::Unknown),
        // A new leader has yet to commit what the one before it began; then it goes on.
        RaftError::APIError(ClientWriteError::ChangeMembershipError(
            ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_),
        )) => Ok(Outcome::Unknown),
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => Ok(Outcome::Refused(error.to_string())),
        RaftError::APIError(ClientWriteError::PreconditionFailed(error)) => Ok(Outcome::Refused(error.to_string())),
    }
}

async fn barrier(raft: &Raft) -> Result<Outcome, Elsewhere> {
    match raft.get_read_linearizer(ReadPolicy::ReadIndex).await {
        Ok(linearizer) => Ok(Outcome::Index(linearizer.read_log_id().index())),
        Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(elsewhere))) => Err(elsewhere),
        // No quorum answered: the same as a lease that ended.
        Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => {
            Err(ForwardToLeader::empty().with_reason(ForwardReason::LeaseExpired))
        }
        Err(RaftError::Fatal(_)) => Ok(Outcome::Unknown),
    }
}

fn leader_of(elsewhere: Elsewhere) -> Option<(ReplicaId, NodeName)> {
    Some((
        ReplicaId(elsewhere.leader_id?),
        NodeName::from(elsewhere.leader_node?.0.as_str()),
    ))
}
