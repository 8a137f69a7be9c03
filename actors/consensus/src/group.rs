//! The handle of a group.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nbos_mesh::NodeName;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::error::Error;
use crate::id::{GroupId, ReplicaId};
use crate::replica::Replica;
use crate::status::Status;
use crate::wire::{Outcome, Shape, Work};

/// Largest command. It has to fit one message of the mesh (64 MiB) with room to spare.
pub const MAX_COMMAND: usize = 32 << 20;

/// A replica that runs on this node, and through it its group. Cheap to clone; stays valid when the actor behind it is
/// restarted.
#[derive(Clone)]
pub struct Group {
    pub(crate) replica: Arc<Replica>,
}

impl Group {
    pub fn id(&self) -> &GroupId {
        self.replica.group()
    }

    pub fn replica(&self) -> ReplicaId {
        self.replica.me()
    }

    /// Has the group apply a command and returns what its state machine answered.
    ///
    /// Works on every replica: one that does not lead asks the leader, and looks for a new one when that is lost. The
    /// command may then be applied twice, so the state machine must recognise one it has seen.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the outcome is unknown, [`Error::NoLeader`] when the command reached no leader.
    pub async fn propose(&self, command: Bytes, within: Duration) -> Result<Bytes, Error> {
        if command.len() > MAX_COMMAND {
            return Err(Error::TooLarge {
                size: command.len(),
                limit: MAX_COMMAND,
            });
        }
        match self
            .replica
            .on_leader(Work::Propose(command), Instant::now() + within)
            .await?
        {
            Outcome::Answer(answer) => Ok(answer),
            other => Err(self.replica.internal(format!("{other:?} in answer to a command"))),
        }
    }

    /// Returns when the state machine here has applied all that was committed before the call.
    pub async fn linearize(&self, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        match self.replica.on_leader(Work::Barrier, deadline).await? {
            Outcome::Index(index) => {
                let raft = self.replica.raft()?;
                let applied = |metrics: &crate::replica::Metrics| {
                    metrics.last_applied.is_some_and(|applied| applied.index >= index)
                };
                self.replica.wait_for(&raft, deadline, applied).await
            }
            other => Err(self.replica.internal(format!("{other:?} in answer to a read"))),
        }
    }

    /// Who leads, as far as is known here.
    pub fn leader(&self) -> Option<(ReplicaId, NodeName)> {
        self.replica.status.borrow().leader.clone()
    }

    pub fn status(&self) -> Status {
        self.replica.status.borrow().clone()
    }

    /// Tells of every change of the status.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.replica.status.subscribe()
    }

    /// Wakes this replica and campaigns until there is a leader: call it when the leader's node is known to be lost.
    ///
    /// Does no harm when the leader lives: it renews its lease and the election is refused before it begins. A lost
    /// leader's lease has to end first (`election_max` after its last message); the campaign is repeated until then.
    pub async fn elect(&self) -> Result<(), Error> {
        let replica = &self.replica;
        let raft = replica.raft()?;
        let started = Instant::now();
        let lease = replica.options.election_max;
        let deadline = started + 4 * lease;
        let term = raft.metrics().borrow_watched().current_term;
        let mut metrics = raft.metrics();
        loop {
            let decided = {
                let now = metrics.borrow_and_update();
                now.state.is_leader() || (now.current_term > term && now.current_leader.is_some())
            };
            let heard = *replica.heard.lock();
            if decided || heard.is_some_and(|heard| heard > started) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Error::NoLeader {
                    group: self.id().clone(),
                });
            }
            let again = replica.campaign(&raft).await?;
            if let Ok(Err(_)) = timeout_at(again.min(deadline), metrics.changed()).await {
                return Err(replica.stopped());
            }
        }
    }

    /// Hands leadership to another voter.
    pub async fn transfer_to(&self, to: ReplicaId, within: Duration) -> Result<(), Error> {
        self.change(Work::Transfer { to }, within).await
    }

    /// Makes the group consist of exactly these voters and learners; those that are new must be running with an empty log.
    /// Returns when the change is committed. Asking again after an error goes on where it was cut off.
    ///
    /// # Errors
    /// [`Error::MembersChanged`] when somebody else changed the members meanwhile.
    pub async fn reshape(&self, shape: Shape, within: Duration) -> Result<(), Error> {
        self.change(Work::Reshape(shape), within).await
    }

    /// Parks the group now, if this replica leads it and every member has all it has. True when it is parked.
    pub async fn park(&self) -> Result<bool, Error> {
        let raft = self.replica.raft()?;
        Ok(self.replica.park(&raft).await)
    }

    /// Wakes the group, as any command does.
    pub async fn wake(&self, within: Duration) -> Result<(), Error> {
        self.change(Work::Wake, within).await
    }

    async fn change(&self, work: Work, within: Duration) -> Result<(), Error> {
        self.replica.on_leader(work, Instant::now() + within).await.map(|_| ())
    }
}
