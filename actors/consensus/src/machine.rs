//! The application's state machine as openraft wants it: state in memory, snapshots on disk.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use parking_lot::Mutex;

use crate::snapshot::SnapshotFile;
use crate::state_machine::StateMachine;
use crate::types::{Answer, LogId, Payload, Snapshot, SnapshotMeta, StoredMembership, Types};

/// A cheap handle; all of them mean the same state machine, which outlives a restart of its group's actor.
#[derive(Clone)]
pub(crate) struct Machine {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    file: SnapshotFile,
    /// Held while the snapshot file is replaced.
    writing: tokio::sync::Mutex<()>,
    entries: AtomicU64,
    bytes: AtomicU64,
}

struct State {
    application: Box<dyn StateMachine>,
    last: Option<LogId>,
    membership: StoredMembership,
    /// A command panicked half-way: what is in memory is not any state of the group.
    broken: bool,
}

/// What was applied since the last snapshot was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Machine {
    pub(crate) fn new(application: Box<dyn StateMachine>, file: SnapshotFile) -> Self {
        let state = State {
            application,
            last: None,
            membership: StoredMembership::default(),
            broken: false,
        };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                file,
                writing: tokio::sync::Mutex::default(),
                entries: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
            }),
        }
    }

    pub(crate) fn growth(&self) -> Growth {
        Growth {
            entries: self.inner.entries.load(Ordering::Relaxed),
            bytes: self.inner.bytes.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.inner.state.lock().broken
    }

    /// Replaces the file unless it already is as new.
    async fn store(&self, meta: SnapshotMeta, data: Bytes) -> io::Result<()> {
        let _writing = self.inner.writing.lock().await;
        let file = self.inner.file.clone();
        let stored = tokio::task::spawn_blocking(move || {
            let newest = file.read()?.and_then(|(found, _)| found.last_log_id);
            if newest.is_some() && newest >= meta.last_log_id {
                Ok(())
            } else {
                file.write(&meta, &data)
            }
        });
        stored.await.map_err(io::Error::other)?
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Bytes;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let state = self.inner.state.lock();
        Ok((state.last, state.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let answer = self
                .inner
                .state
                .lock()
                .apply(entry.log_id, entry.payload, &self.inner)?;
            if let Some(responder) = responder {
                responder.send(Answer(answer));
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<Builder> {
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let state = self.inner.state.lock();
        self.inner.entries.store(0, Ordering::Relaxed);
        self.inner.bytes.store(0, Ordering::Relaxed);
        let meta = SnapshotMeta {
            last_log_id: state.last,
            last_membership: state.membership.clone(),
        };
        Builder {
            machine: self.clone(),
            meta,
            data: state.application.snapshot(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, data: Bytes) -> io::Result<()> {
        self.store(meta.clone(), data.clone()).await?;
        let mut state = self.inner.state.lock();
        state.broken = true;
        state.application.restore(&data).map_err(io::Error::other)?;
        state.broken = false;
        state.last = meta.last_log_id;
        state.membership = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let file = self.inner.file.clone();
        let read = tokio::task::spawn_blocking(move || file.read())
            .await
            .map_err(io::Error::other)?;
        Ok(read?.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

impl State {
    fn apply(&mut self, id: LogId, payload: Payload, to: &Inner) -> io::Result<Bytes> {
        let answer = match payload {
            EntryPayload::Blank => Bytes::new(),
            EntryPayload::Normal(command) => {
                to.bytes.fetch_add(command.0.len() as u64, Ordering::Relaxed);
                self.broken = true;
                let apply = AssertUnwindSafe(|| self.application.apply(id.index, &command.0));
                let answer =
                    catch_unwind(apply).map_err(|_| io::Error::other("a command made the state machine panic"))?;
                self.broken = false;
                answer
            }
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(id), membership);
                Bytes::new()
            }
        };
        to.entries.fetch_add(1, Ordering::Relaxed);
        self.last = Some(id);
        Ok(answer)
    }
}

/// A state taken out of the state machine, on its way to the snapshot file.
pub(crate) struct Builder {
    machine: Machine,
    meta: SnapshotMeta,
    data: Bytes,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        self.machine.store(self.meta.clone(), self.data.clone()).await?;
        Ok(Snapshot {
            meta: self.meta.clone(),
            snapshot: self.data.clone(),
        })
    }
}
