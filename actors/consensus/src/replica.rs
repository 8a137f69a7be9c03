//! One replica of one group on this node: what its handle, its actor and its peers share.

use std::sync::Arc;
use std::time::Duration;

use nbos_mesh::NodeName;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, SnapshotPolicy, StepDownPolicy};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::calm::Calm;
use crate::campaigns::Campaigns;
use crate::error::Error;
use crate::id::{GroupId, LogIndex, ReplicaId};
use crate::machine::Machine;
use crate::network::Network;
use crate::options::GroupOptions;
use crate::status::{Member, Role, Status};
use crate::transport::Transport;
use crate::types::{Home, Types};
use crate::wal::{Log, record::Owner};

pub(crate) type Raft = openraft::Raft<Types, Machine>;
pub(crate) type Metrics = openraft::RaftMetrics<Types>;

/// Entries in one AppendEntries (notes on openraft §4); the log also stops at what fits one envelope.
const APPEND_ENTRIES: u64 = 64;
/// Entries kept behind a snapshot, so that a follower that is a little behind needs no snapshot (§4).
const KEPT_ENTRIES: u64 = 64;
/// A snapshot is begun after this many entries, or bytes of commands.
const SNAPSHOT_ENTRIES: u64 = 512;
const SNAPSHOT_BYTES: u64 = 4 << 20;
/// A snapshot is sent as one body of up to 64 MiB; openraft's default of 200 ms is meant for chunks.
const SNAPSHOT_SEND: Duration = Duration::from_secs(120);

/// openraft's lease begins a moment after we note that a leader was heard.
const LEASE_MARGIN: Duration = Duration::from_millis(2);

pub(crate) struct Replica {
    pub(crate) owner: Owner,
    pub(crate) options: GroupOptions,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) log: Log,
    pub(crate) machine: Machine,
    /// The running openraft; none while the actor restarts and after it stopped.
    pub(crate) raft: watch::Sender<Option<Raft>>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) calm: Arc<Mutex<Calm>>,
    pub(crate) campaigns: Mutex<Campaigns>,
    /// When a leader was last heard.
    pub(crate) heard: Mutex<Option<Instant>>,
    /// When somebody last wanted something.
    pub(crate) active: Mutex<Instant>,
}

impl Replica {
    pub(crate) fn group(&self) -> &GroupId {
        &self.owner.0
    }

    pub(crate) fn me(&self) -> ReplicaId {
        self.owner.1
    }

    pub(crate) fn raft(&self) -> Result<Raft, Error> {
        self.raft.borrow().clone().ok_or_else(|| self.stopped())
    }

    pub(crate) fn stopped(&self) -> Error {
        Error::Stopped {
            group: self.group().clone(),
            replica: self.me(),
        }
    }

    pub(crate) fn internal(&self, why: impl ToString) -> Error {
        Error::Internal {
            group: self.group().clone(),
            why: why.to_string(),
        }
    }

    /// Resumes from the log and the snapshot, or begins empty.
    pub(crate) async fn start(&self) -> Result<Raft, Error> {
        if self.machine.is_broken() {
            return Err(self.internal("a command made the state machine panic"));
        }
        let config = Arc::new(self.config().validate().map_err(|error| self.internal(error))?);
        let network = Network {
            group: self.group().clone(),
            me: self.me(),
            transport: self.transport.clone(),
            calm: self.calm.clone(),
            election: self.options.election_min,
        };
        let store = self.log.store(&self.owner);
        let raft = Raft::new(self.me().0, config, network, store, self.machine.clone()).await;
        let raft = raft.map_err(|error| self.internal(error))?;
        self.calm.lock().wake();
        self.raft.send_replace(Some(raft.clone()));
        Ok(raft)
    }

    fn config(&self) -> Config {
        let ms = |duration: Duration| duration.as_millis() as u64;
        let GroupOptions {
            heartbeat,
            election_min,
            election_max,
            rest: _,
        } = self.options;
        Config {
            cluster_name: self.group().to_string(),
            heartbeat_interval: ms(heartbeat),
            election_timeout_min: ms(election_min),
            election_timeout_max: ms(election_max),
            enable_pre_vote: Some(true),
            // A leader that lost its quorum but reaches some followers must let their leases end (openraft #2080).
            // openraft wants at least a lease and an election timeout, both `election_max` here.
            quorum_loss_probe_interval: Some(2 * ms(election_max) + ms(heartbeat)),
            // The state machine is in memory and what is saved of `committed` may be behind: a restarted leader has to
            // be elected before it answers.
            enable_leader_restore: Some(false),
            // A leader sends entries while it writes them itself.
            broadcast_submitted_on_append: Some(true),
            snapshot_policy: SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: KEPT_ENTRIES,
            max_payload_entries: APPEND_ENTRIES,
            install_snapshot_timeout: ms(SNAPSHOT_SEND),
            removed_leader_step_down: StepDownPolicy::After(150),
            // Bounds of openraft's queues; the state machine's is its default.
            api_channel_size: Some(4096),
            notification_channel_size: Some(4096),
            // A peer that comes back is tried within half a second.
            backoff: "50ms 100ms 200ms ...500ms".into(),
            ..Config::default()
        }
    }

    /// Tells watchers what openraft says.
    pub(crate) fn publish(&self, metrics: &Metrics) {
        let membership = metrics.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let node = |home: &Home| NodeName::from(home.0.as_str());
        let member = |(id, home): (&u64, &Home)| {
            let role = if voters.contains(id) {
                Role::Voter
            } else {
                Role::Learner
            };
            (ReplicaId(*id), Member { node: node(home), role })
        };
        let leader = metrics.current_leader.and_then(|id| {
            let home = membership.get_node(&id)?;
            Some((ReplicaId(id), node(home)))
        });
        let mut status = Status {
            leader,
            term: metrics.current_term,
            last_log: metrics.last_log_index.map(LogIndex),
            applied: metrics.last_applied.map(|id| LogIndex(id.index)),
            members: membership.nodes().map(member).collect(),
            members_changing: membership.get_joint_config().len() > 1,
            parked: false,
        };
        self.status.send_if_modified(|old| {
            // Looked at only here: a value read earlier could undo what `publish_parked` has said meanwhile.
            status.parked = self.calm.lock().is_parked();
            let changed = *old != status;
            *old = status;
            changed
        });
    }

    pub(crate) fn publish_parked(&self) {
        self.status.send_if_modified(|old| {
            let parked = self.calm.lock().is_parked();
            std::mem::replace(&mut old.parked, parked) != parked
        });
    }

    /// Is it time for a snapshot?
    pub(crate) fn wants_snapshot(&self) -> bool {
        let growth = self.machine.growth();
        growth.entries > SNAPSHOT_ENTRIES || growth.bytes > SNAPSHOT_BYTES
    }

    /// Somebody wants something: puts off parking, and wakes a replica at rest.
    pub(crate) async fn touch(&self, raft: &Raft) {
        *self.active.lock() = Instant::now();
        self.wake(raft).await;
    }

    /// Changes between rest and work, and lets the clock run or not, in one: of two who change at once, the later says
    /// what both are.
    pub(crate) fn change_calm<T>(&self, raft: &Raft, change: impl FnOnce(&mut Calm) -> T) -> T {
        let mut calm = self.calm.lock();
        let told = change(&mut calm);
        raft.runtime_config().tick(calm.is_awake());
        told
    }

    /// Starts the clock. A leader at once renews its lease, which also wakes the others.
    pub(crate) async fn wake(&self, raft: &Raft) {
        if !self.change_calm(raft, Calm::wake) {
            return;
        }
        tracing::debug!(group = %self.group(), replica = %self.me(), "replica woken");
        if raft.is_leader()
            && let Err(error) = raft.trigger().heartbeat().await
        {
            tracing::debug!(group = %self.group(), %error, "no heartbeat");
        }
        self.publish_parked();
    }

    /// Campaigns, when that has a chance; returns when to try again.
    ///
    /// While a leader's lease lasts nobody votes. A new round throws away the answers to the one before, so rounds
    /// get further apart until a leader is heard.
    pub(crate) async fn campaign(&self, raft: &Raft) -> Result<Instant, Error> {
        self.wake(raft).await;
        let now = Instant::now();
        let heard = *self.heard.lock();
        let free = heard.map_or(now, |heard| heard + self.options.election_max + LEASE_MARGIN);
        if free > now {
            return Ok(free);
        }
        let (due, again) = self
            .campaigns
            .lock()
            .next(now, heard, self.me(), self.options.election_min);
        if due {
            raft.trigger().elect(true).await.map_err(|_| self.stopped())?;
        }
        Ok(again)
    }

    /// Waits until `check` says so of openraft's metrics.
    pub(crate) async fn wait_for(
        &self,
        raft: &Raft,
        deadline: Instant,
        mut check: impl FnMut(&Metrics) -> bool,
    ) -> Result<(), Error> {
        let mut metrics = raft.metrics();
        loop {
            if check(&metrics.borrow_watched()) {
                return Ok(());
            }
            match tokio::time::timeout_at(deadline, metrics.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.stopped()),
                Err(_) => {
                    return Err(Error::Timeout {
                        group: self.group().clone(),
                    });
                }
            }
        }
    }
}
