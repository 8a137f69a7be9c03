//! The replica's Python child: started when needed, brought to the last committed state, discarded when it is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::action::Apply;
use super::deferred::{Deferred, FIRST_DEFERRABLE_RANK};
use super::{Action, ChildCommand, ChildEvent, Core, Micros};
use crate::core::cell::Phase;
use crate::id::{CellSeq, Version};
use crate::message::JupyterMessage;
use crate::protocol::{Channel, ExecutionState, Pinned};
use crate::state::{Command, Delta, Group};

/// Deltas kept for a child that is behind; beyond this it is rebuilt from the manifest instead.
const RECENT_BYTES: u64 = 64 << 20;

/// A child that cannot be started this often in a row is given up until someone asks for it again.
const MAX_FAILED_STARTS: u32 = 4;

/// Pause before a child that died is started again; multiplied by the failures so far.
const RESTART_PAUSE_US: Micros = 200_000;

/// A child that has not come up by then is started anew: a loaded machine takes a few seconds for eight at once.
const START_DEADLINE_US: Micros = 60_000_000;

/// An apply that takes longer has hung; more is given for what is large.
const APPLY_DEADLINE_US: Micros = 120_000_000;

/// A slow disk's reading speed: 30 MB/s.
const APPLY_BYTES_PER_US: u64 = 30;

/// A standby waits this long for chunks of a change, which the executor sends to it anyway; then it goes on without them.
const CHUNK_PATIENCE_US: Micros = 5_000_000;

pub(super) enum Child {
    Off,
    /// Died or failed to start; the next start is due at `at`.
    Pausing {
        at: Micros,
        failures: u32,
        why: String,
    },
    Starting {
        since: Micros,
        failures: u32,
    },
    Live(Live),
}

/// A process that serves requests.
pub(super) struct Live {
    pid: u32,
    pub(super) holds: Held,
    applying: Option<Applying>,
    pub(super) deferred: Deferred,
}

/// Which state a child has; a fresh one has version 0, that of the empty session.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) version: Version,
    /// Last cell whose effect that includes.
    cells: CellSeq,
}

struct Applying {
    id: u64,
    upto: Held,
    since: Micros,
    /// Bytes that go to the child.
    bytes: u64,
    /// Groups left for later, with the change that brought them.
    left: Vec<(Group, Version)>,
}

impl Applying {
    fn deadline(&self) -> Micros {
        self.since + APPLY_DEADLINE_US + self.bytes / APPLY_BYTES_PER_US
    }
}

/// A change, kept for a child that has not applied it.
pub(super) struct RecentDelta {
    upto: Held,
    command: Arc<Command>,
}

impl RecentDelta {
    fn delta(&self) -> Option<&Delta> {
        match &*self.command {
            Command::CellFinished(finished) => Some(&finished.delta),
            Command::StateScrubbed(scrubbed) => Some(&scrubbed.delta),
            Command::CellStarted(_) | Command::CellAborted(_) | Command::ExecutorChanged(_) | Command::Restarted(_) => {
                None
            }
        }
    }

    fn size(&self) -> u64 {
        self.delta().map_or(0, |delta| {
            delta.groups.iter().map(|group| group.inline.len() as u64).sum()
        })
    }
}

impl Child {
    pub(super) fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }

    /// It waits for time to pass or for an answer.
    pub(super) fn is_changing(&self) -> bool {
        match self {
            Self::Off => false,
            Self::Pausing { .. } | Self::Starting { .. } => true,
            Self::Live(live) => live.applying.is_some(),
        }
    }

    /// It holds the empty session, from which every state can be reached.
    pub(super) fn is_fresh(&self) -> bool {
        match self {
            Self::Off | Self::Pausing { .. } | Self::Starting { .. } => true,
            Self::Live(live) => live.applying.is_none() && live.holds == Held::default(),
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Live(live) => Some(live.pid),
            Self::Off | Self::Pausing { .. } | Self::Starting { .. } => None,
        }
    }
}

impl Core {
    pub(super) fn start_child(&mut self) {
        let failures = match &self.child {
            Child::Off => 0,
            Child::Pausing { failures, .. } => *failures,
            Child::Starting { .. } | Child::Live(_) => return,
        };
        self.children += 1;
        self.child = Child::Starting {
            since: self.now,
            failures,
        };
        self.open_order = None;
        self.ahead = None;
        self.actions.push(Action::Child(ChildCommand::Start));
    }

    /// Ends the process: what it holds is not the session's state (or the session has none any more).
    pub(super) fn kill_child(&mut self) {
        if matches!(self.child, Child::Starting { .. } | Child::Live(_)) {
            self.actions.push(Action::Child(ChildCommand::Kill));
        }
        self.child = Child::Off;
    }

    /// The child is up and holds the state of the last cell.
    pub(super) fn child_is_current(&self) -> bool {
        match &self.child {
            Child::Live(live) => live.applying.is_none() && live.holds.version == self.state.version(),
            Child::Off | Child::Pausing { .. } | Child::Starting { .. } => false,
        }
    }

    /// Why the child cannot be had, once it has been given up.
    pub(super) fn child_failure(&self) -> Option<&str> {
        match &self.child {
            Child::Pausing { failures, why, .. } if *failures >= MAX_FAILED_STARTS => Some(why),
            Child::Off | Child::Pausing { .. } | Child::Starting { .. } | Child::Live(_) => None,
        }
    }

    /// Last cell whose effect the child holds.
    pub(super) fn child_applied(&self) -> CellSeq {
        match &self.child {
            Child::Live(live) if live.holds.version == self.state.version() => self.state.cells(),
            Child::Live(live) => live.holds.cells,
            Child::Off | Child::Pausing { .. } | Child::Starting { .. } => CellSeq(0),
        }
    }

    /// Someone asks for a child that was given up: try again.
    pub(super) fn forgive_child(&mut self) {
        if self.child_failure().is_some() {
            self.child = Child::Off;
        }
    }

    pub(super) fn child_event(&mut self, event: ChildEvent) {
        match event {
            ChildEvent::Ready { pid } => self.child_ready(pid),
            ChildEvent::Message { channel, message } => self.child_message(channel, message),
            ChildEvent::Delta(delta) => self.captured(delta),
            ChildEvent::Chunk(chunk) => self.chunk_taken(chunk),
            ChildEvent::ChunkWaits(failure) => self.chunk_waits(&failure),
            ChildEvent::ChunkLost(failure) => self.chunk_lost(failure),
            ChildEvent::Applying { id, left } => self.apply_leaves(id, &left),
            ChildEvent::Applied { id, .. } => self.child_applied_changes(id),
            ChildEvent::Need { id, keys } => self.needed(id, keys),
            ChildEvent::Touched { id, names, gpu } => self.touched(id, &names, gpu),
            ChildEvent::Released(released) => self.released(&released),
            ChildEvent::Exited { why } => self.child_exited(why),
        }
    }

    /// Brings the child to the last committed state, or a step nearer.
    pub(super) fn sync_child(&mut self) {
        match &self.child {
            Child::Off if self.acting_here() || self.is_joining() => self.start_child(),
            Child::Pausing { at, failures, .. } if *at <= self.now && *failures < MAX_FAILED_STARTS => {
                self.start_child()
            }
            Child::Live(live)
                if live.applying.is_none()
                    && live.holds.version < self.state.version()
                    && !self.child_runs_cell()
                    && self.scrubs.is_empty() =>
            {
                let holds = live.holds;
                self.apply_after(holds);
            }
            Child::Off | Child::Pausing { .. } | Child::Starting { .. } | Child::Live(_) => {}
        }
        self.flush_backlog();
    }

    /// The session's state changed by this command.
    pub(super) fn remember_delta(&mut self, command: &Arc<Command>) {
        let recent = RecentDelta {
            upto: self.newest(),
            command: Arc::clone(command),
        };
        if let Some(delta) = recent.delta().filter(|_| !self.is_executor()) {
            let chunks: Vec<_> = delta.groups.iter().flat_map(Group::chunks).copied().collect();
            if !chunks.is_empty() {
                self.actions.push(Action::Pull(chunks));
            }
        }
        self.recent_bytes += recent.size();
        self.recent.push_back(recent);
        while self.recent_bytes > RECENT_BYTES
            || self
                .recent
                .front()
                .is_some_and(|oldest| self.everyone_has(oldest.upto.version))
        {
            match self.recent.pop_front() {
                Some(dropped) => self.recent_bytes -= dropped.size(),
                None => break,
            }
        }
    }

    /// The child made the newest change itself: it holds it without applying anything.
    pub(super) fn child_has_newest(&mut self) {
        let newest = self.newest();
        if let Child::Live(live) = &mut self.child {
            live.holds = newest;
        }
    }

    fn newest(&self) -> Held {
        Held {
            version: self.state.version(),
            cells: self.state.cells(),
        }
    }

    pub(super) fn session_restarted(&mut self) {
        self.recent.clear();
        self.recent_bytes = 0;
        self.restart_requested = false;
        self.backlog.clear();
        self.scrubs.clear();
        self.leave_lines(None);
        self.withdraw_offer();
        if let Some(cell) = self.cell.take() {
            self.void_cell(&cell);
        }
        self.abort_queue();
        self.kill_child();
    }

    pub(super) fn check_deadlines(&mut self) {
        let hung = match &self.child {
            Child::Starting { since, .. } => {
                (self.now > since + START_DEADLINE_US).then_some("it did not come up in time")
            }
            Child::Live(live) => live
                .applying
                .as_ref()
                .is_some_and(|applying| self.now > applying.deadline())
                .then_some("it did not apply a change in time"),
            Child::Off | Child::Pausing { .. } => None,
        };
        if let Some(why) = hung {
            self.actions.push(Action::Child(ChildCommand::Kill));
            self.child_exited(why.to_owned());
        }
        self.check_cell_deadline();
    }

    fn everyone_has(&self, version: Version) -> bool {
        match &self.child {
            Child::Live(live) => live.applying.is_none() && version <= live.holds.version,
            // A fresh child starts from the manifest, which has it.
            Child::Off | Child::Pausing { .. } => true,
            Child::Starting { .. } => false,
        }
    }

    fn child_runs_cell(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| {
            matches!(
                cell.phase,
                Phase::Running { .. } | Phase::Storing { .. } | Phase::Committing { .. }
            )
        })
    }

    fn child_ready(&mut self, pid: u32) {
        if matches!(self.child, Child::Starting { .. }) {
            self.child = Child::Live(Live {
                pid,
                holds: Held::default(),
                applying: None,
                deferred: Deferred::default(),
            });
        }
    }

    fn apply_after(&mut self, holds: Held) {
        let wanted = holds.version.next();
        let (upto, delta, patience) = if holds.version == Version(0) {
            let groups = self.state.manifest().in_order().into_iter().cloned().collect();
            let all = Delta {
                groups,
                deleted: Vec::new(),
                pinned: self.state.pinned().to_vec(),
                execution_count: self.state.execution_count(),
            };
            // What is here at once; the rest follows.
            (self.newest(), all, 0)
        } else if let Some((upto, delta)) = self
            .recent
            .iter()
            .find(|recent| recent.upto.version == wanted)
            .and_then(|recent| Some((recent.upto, recent.delta()?.clone())))
        {
            (upto, delta, CHUNK_PATIENCE_US)
        } else {
            // Too far behind for the kept deltas.
            self.kill_child();
            return self.start_child();
        };
        let (groups, deferred): (Vec<Group>, Vec<Group>) = delta
            .groups
            .into_iter()
            .partition(|group| group.rank < FIRST_DEFERRABLE_RANK || group.stored_bytes() <= self.settings.defer_above);
        let changed = |group: &Group| {
            self.state
                .manifest()
                .get(&group.key)
                .map_or(wanted, |entry| entry.changed)
        };
        let left = deferred.iter().map(|group| (group.clone(), changed(group))).collect();
        let bytes = groups.iter().map(Group::bytes).sum();
        let since = self.now;
        let id = self.send_apply(Apply {
            groups,
            deferred,
            deleted: delta.deleted,
            pinned: delta.pinned,
            execution_count: delta.execution_count,
            patience,
            ..Apply::default()
        });
        if let Child::Live(live) = &mut self.child {
            live.applying = Some(Applying {
                id,
                upto,
                since,
                bytes,
                left,
            });
        }
    }

    /// An apply that leaves the state's version as it is.
    pub(super) fn apply_is_under_way(&mut self, id: u64) {
        let since = self.now;
        let bytes = self.state.manifest().bytes();
        if let Child::Live(live) = &mut self.child {
            live.applying = Some(Applying {
                id,
                upto: live.holds,
                since,
                bytes,
                left: Vec::new(),
            });
        }
    }

    /// Bytes of these groups are not on this host.
    fn apply_leaves(&mut self, id: u64, keys: &[String]) {
        let Child::Live(live) = &mut self.child else {
            return;
        };
        for key in keys {
            live.deferred.left(id, key, self.now);
        }
        let Some(applying) = live.applying.as_mut().filter(|applying| applying.id == id) else {
            return;
        };
        applying.since = self.now;
        if applying.upto == live.holds {
            return;
        }
        for entry in keys.iter().filter_map(|key| self.state.manifest().get(key)) {
            applying.left.push((entry.group.clone(), entry.changed));
        }
    }

    fn child_applied_changes(&mut self, id: u64) {
        let Child::Live(live) = &mut self.child else {
            return;
        };
        live.deferred.applied(id);
        if let Some(done) = live.applying.take_if(|applying| applying.id == id) {
            live.holds = done.upto;
            for (group, changed) in &done.left {
                live.deferred.insert(group, *changed);
            }
        }
    }

    fn child_exited(&mut self, why: String) {
        let failures = match &self.child {
            Child::Starting { failures, .. } => failures + 1,
            Child::Live(_) => 0,
            // Its end was asked for, or is old news.
            Child::Off | Child::Pausing { .. } => return,
        };
        let pause = RESTART_PAUSE_US * Micros::from(failures);
        self.child = Child::Pausing {
            at: self.now + pause,
            failures,
            why,
        };
        self.backlog.clear();
        self.scrub_lost_child();
        self.placing_lost_child();
        self.cell_lost_child();
        if self.acting_here() {
            let state = if failures >= MAX_FAILED_STARTS {
                ExecutionState::Dead
            } else {
                ExecutionState::Restarting
            };
            self.publish_status(state);
        }
    }

    fn flush_backlog(&mut self) {
        if !self.child_is_current() && !self.child_runs_cell() {
            return;
        }
        while let Some((channel, message)) = self.backlog.pop_front() {
            // A widget's callback is user code, too.
            self.ahead = None;
            self.actions
                .push(Action::Child(ChildCommand::Send { channel, message }));
        }
    }

    fn child_message(&mut self, channel: Channel, message: JupyterMessage) {
        if !self.acting_here() {
            return;
        }
        match channel {
            Channel::Iopub => self.iopub_from_child(message),
            Channel::Shell | Channel::Control | Channel::Stdin => self.reply_from_child(channel, message),
        }
    }
}

/// Completes the child's report of what is pinned: the replica knows its host, the state knows what was pinned before.
pub(super) fn complete_pinned(
    raw: Vec<super::RawPinned>,
    before: &[Pinned],
    host: &str,
    execution_count: u64,
) -> Vec<Pinned> {
    let known: BTreeMap<&str, &Pinned> = before.iter().map(|pinned| (pinned.name.as_str(), pinned)).collect();
    raw.into_iter()
        .map(
            |pinned| match (pinned.home, pinned.cell, known.get(pinned.name.as_str())) {
                (Some(home), Some(cell), _) => Pinned {
                    name: pinned.name,
                    type_name: pinned.type_name,
                    why: pinned.why,
                    home,
                    cell,
                },
                // Pinned here before and still here.
                (_, _, Some(same)) if same.home == host && same.type_name == pinned.type_name => (*same).clone(),
                _ => Pinned {
                    name: pinned.name,
                    type_name: pinned.type_name,
                    why: pinned.why,
                    home: host.to_owned(),
                    // The child reports the number that the next cell gets.
                    cell: execution_count.saturating_sub(1),
                },
            },
        )
        .collect()
}
