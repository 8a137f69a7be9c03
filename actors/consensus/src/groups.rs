//! All groups of a node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nbos_mesh::{NodeName, codec};
use nbos_supervision::{ChildSpec, Restart, SupervisorHandle};
use parking_lot::Mutex;
use ractor::Actor;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::actor::RaftGroup;
use crate::error::Error;
use crate::founding::{self, Age};
use crate::group::Group;
use crate::id::{GroupId, ReplicaId};
use crate::machine::Machine;
use crate::options::GroupOptions;
use crate::replica::Replica;
use crate::snapshot::SnapshotFile;
use crate::state_machine::StateMachine;
use crate::status::Status;
use crate::transport::{CallError, Transport};
use crate::wal::{Health, Log, LogOptions};
use crate::wire::Letter;

/// Letters answered at once; above it a sender is told to try again.
const AT_ONCE: usize = 4096;
/// Elections begun in a second when a node is lost (notes on openraft §5), so that they do not starve each other.
const ELECTIONS_A_SECOND: u32 = 200;

/// The groups of a node: one log, and an actor for each group under one supervisor. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    inner: Arc<Inner>,
}

struct Inner {
    log: Log,
    snapshots: PathBuf,
    transport: Arc<dyn Transport>,
    supervisor: SupervisorHandle,
    running: Mutex<BTreeMap<GroupId, Arc<Replica>>>,
    letters: Semaphore,
}

impl Groups {
    /// Opens the log in `dir`. Groups are supervised by `supervisor`, which must be theirs alone.
    pub async fn open(
        dir: &Path,
        transport: Arc<dyn Transport>,
        supervisor: SupervisorHandle,
        options: LogOptions,
    ) -> Result<Self, Error> {
        let (log_dir, snapshots) = (dir.join("log"), dir.join("snapshots"));
        let unavailable = |why: String| Error::LogUnavailable {
            dir: dir.to_owned(),
            why,
        };
        let opening = tokio::task::spawn_blocking(move || Log::open(&log_dir, &options));
        let log = opening.await.map_err(|error| unavailable(error.to_string()))??;
        let running = Mutex::new(BTreeMap::new());
        let letters = Semaphore::new(AT_ONCE);
        Ok(Self {
            inner: Arc::new(Inner {
                log,
                snapshots,
                transport,
                supervisor,
                running,
                letters,
            }),
        })
    }

    /// Runs a replica of a group that begins with these members, of which it is one: resumed from the log when that knows it. Each of
    /// them is founded with the same members, on its node.
    ///
    /// # Errors
    /// [`Error::NotMember`] when it is none of them, [`Error::LogFailed`], and those of [`Self::start`].
    pub async fn found(
        &self,
        group: GroupId,
        replica: ReplicaId,
        founders: &BTreeMap<ReplicaId, NodeName>,
        machine: Box<dyn StateMachine>,
        options: GroupOptions,
    ) -> Result<Group, Error> {
        if !founders.contains_key(&replica) {
            return Err(Error::NotMember { group, replica });
        }
        if self.get(&group).is_some() {
            return Err(Error::AlreadyRunning { group });
        }
        let store = self.inner.log.store(&(group.clone(), replica));
        let begun = founding::begin(store, founders).await;
        let age = begun.map_err(|why| Error::LogFailed { why })?;
        let group = self.start(group, replica, machine, options).await?;
        if age == Age::Newborn {
            founding::assemble(group.clone(), founders);
        }
        Ok(group)
    }

    /// Runs a replica: resumed from the log when that knows it, else empty and waiting to be added.
    ///
    /// # Errors
    /// [`Error::AlreadyRunning`] when the group runs here. [`Error::SnapshotDamaged`], [`Error::Internal`].
    pub async fn start(
        &self,
        group: GroupId,
        replica: ReplicaId,
        machine: Box<dyn StateMachine>,
        options: GroupOptions,
    ) -> Result<Group, Error> {
        let owner = (group.clone(), replica);
        let file = SnapshotFile::new(&self.inner.snapshots, &owner);
        // Read once more by openraft, but there the error would lose its name.
        let check = file.clone();
        let checked = tokio::task::spawn_blocking(move || check.read().map(|_| ())).await;
        checked.map_err(|error| Error::Internal {
            group: group.clone(),
            why: error.to_string(),
        })??;
        let replica = Arc::new(Replica {
            owner,
            options,
            transport: self.inner.transport.clone(),
            log: self.inner.log.clone(),
            machine: Machine::new(machine, file),
            raft: watch::Sender::new(None),
            status: watch::Sender::new(Status::default()),
            calm: Arc::default(),
            campaigns: Mutex::default(),
            heard: Mutex::new(None),
            active: Mutex::new(Instant::now()),
        });
        {
            let mut running = self.inner.running.lock();
            if running.contains_key(&group) {
                return Err(Error::AlreadyRunning { group });
            }
            running.insert(group.clone(), replica.clone());
        }
        let child = replica.clone();
        let spec = ChildSpec::new(group.as_str(), "raft group", Restart::Transient, move |supervisor| {
            let child = child.clone();
            async move {
                Ok(Actor::spawn_linked(None, RaftGroup, child, supervisor)
                    .await?
                    .0
                    .get_cell())
            }
        });
        if let Err(error) = self.inner.supervisor.add(spec).await {
            self.inner.running.lock().remove(&group);
            return Err(Error::Internal {
                group,
                why: error.to_string(),
            });
        }
        Ok(Group { replica })
    }

    /// The replica of a group that runs here.
    pub fn get(&self, group: &GroupId) -> Option<Group> {
        let replica = self.inner.running.lock().get(group).cloned()?;
        Some(Group { replica })
    }

    /// Replicas in the log, running or not.
    pub fn known(&self) -> Vec<(GroupId, ReplicaId)> {
        self.inner.log.known()
    }

    /// Stops a replica. Its log stays.
    pub async fn stop(&self, group: &GroupId) -> Result<(), Error> {
        if self.inner.running.lock().remove(group).is_some() {
            let removed = self.inner.supervisor.remove(group.as_str()).await;
            removed.map_err(|error| Error::Internal {
                group: group.clone(),
                why: error.to_string(),
            })?;
        }
        Ok(())
    }

    /// Stops a replica if it runs and forgets all about it. Its id must not be used again.
    pub async fn destroy(&self, group: &GroupId, replica: ReplicaId) -> Result<(), Error> {
        if self.get(group).is_some_and(|running| running.replica() == replica) {
            self.stop(group).await?;
        }
        let owner = (group.clone(), replica);
        self.inner.log.forget(&owner).await?;
        let file = SnapshotFile::new(&self.inner.snapshots, &owner);
        file.remove().map_err(|error| Error::Internal {
            group: group.clone(),
            why: error.to_string(),
        })
    }

    /// Whether the log accepts writes. When it failed, the process has to end and start again.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.inner.log.health()
    }

    /// Answers a body that another node's transport sent.
    ///
    /// # Errors
    /// `NB0307` when the replica that is meant does not run here.
    pub async fn deliver(&self, node: &NodeName, body: &[u8]) -> Result<Bytes, CallError> {
        let refused = |code: &str, message: String| CallError::Refused {
            code: code.into(),
            message,
        };
        let Ok(_permit) = self.inner.letters.try_acquire() else {
            return Err(refused("NB0315", "too many letters at once".into()));
        };
        let letter: Letter = codec::decode(body).map_err(|error| refused(error.code(), error.to_string()))?;
        let replica = self.inner.running.lock().get(&letter.group).cloned();
        let Some(replica) = replica.filter(|replica| replica.me() == letter.to) else {
            let error = Error::NotMember {
                group: letter.group,
                replica: letter.to,
            };
            return Err(refused(error.code(), error.to_string()));
        };
        let answer = replica.receive(node, letter.from, letter.ask).await;
        answer.map_err(|error| refused(error.code(), error.to_string()))
    }

    /// A node is lost: every group that it led and that has a replica here elects a new leader.
    pub fn node_lost(&self, node: &NodeName) {
        let led = |replica: &&Arc<Replica>| {
            replica
                .status
                .borrow()
                .leader
                .as_ref()
                .is_some_and(|(_, on)| on == node)
        };
        let affected: Vec<_> = self.inner.running.lock().values().filter(led).cloned().collect();
        let between = Duration::from_secs(1) / ELECTIONS_A_SECOND;
        for (position, replica) in (0..).zip(affected) {
            tokio::spawn(async move {
                tokio::time::sleep(between * position).await;
                let group = Group { replica };
                if let Err(error) = group.elect().await {
                    tracing::info!(group = %group.id(), %error, "no new leader yet");
                }
            });
        }
    }
}
