//! The replica's Python child: started when needed, brought to the last committed state, discarded when it is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Action, ChildCommand, ChildEvent, Core, Micros};
use crate::core::cell::Phase;
use crate::id::CellSeq;
use crate::message::JupyterMessage;
use crate::protocol::{Channel, ExecutionState, Pinned};
use crate::state::{Applied, Command, Delta};

/// Deltas kept for a child that is behind; beyond this it is rebuilt from the manifest instead.
const RECENT_BYTES: u64 = 64 << 20;

/// A child that cannot be started this often in a row is given up until someone asks for it again.
const MAX_FAILED_STARTS: u32 = 4;

/// Pause before a child that died is started again; multiplied by the failures so far.
const RESTART_PAUSE_US: Micros = 200_000;

/// A child that has not come up by then is started anew: a loaded machine takes a few seconds for eight at once.
const START_DEADLINE_US: Micros = 60_000_000;

/// An apply that takes longer has hung.
const APPLY_DEADLINE_US: Micros = 120_000_000;

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
    /// Serves requests. `holds` is the last cell whose effect it has; a fresh one holds cell 0 of the empty session.
    Live {
        pid: u32,
        holds: CellSeq,
        applying: Option<Applying>,
    },
}

pub(super) struct Applying {
    id: u64,
    upto: CellSeq,
    since: Micros,
}

/// A finished cell's change, kept for a child that has not applied it.
pub(super) struct RecentDelta {
    seq: CellSeq,
    command: Arc<Command>,
}

impl RecentDelta {
    fn delta(&self) -> Option<&Delta> {
        match &*self.command {
            Command::CellFinished(finished) => Some(&finished.delta),
            _ => None,
        }
    }

    fn size(&self) -> u64 {
        self.delta()
            .map_or(0, |delta| delta.groups.iter().map(|group| group.payload.len()).sum())
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
            Self::Live { applying, .. } => applying.is_some(),
        }
    }

    pub(super) fn applied(&self) -> CellSeq {
        match self {
            Self::Live { holds, .. } => *holds,
            Self::Off | Self::Pausing { .. } | Self::Starting { .. } => CellSeq(0),
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Live { pid, .. } => Some(*pid),
            Self::Off | Self::Pausing { .. } | Self::Starting { .. } => None,
        }
    }
}

impl Core {
    pub(super) fn start_child(&mut self) {
        let failures = match &self.child {
            Child::Off => 0,
            Child::Pausing { failures, .. } => *failures,
            Child::Starting { .. } | Child::Live { .. } => return,
        };
        self.children += 1;
        self.child = Child::Starting {
            since: self.now,
            failures,
        };
        self.actions.push(Action::Child(ChildCommand::Start));
    }

    /// Ends the process: what it holds is not the session's state (or the session has none any more).
    pub(super) fn kill_child(&mut self) {
        if matches!(self.child, Child::Starting { .. } | Child::Live { .. }) {
            self.actions.push(Action::Child(ChildCommand::Kill));
        }
        self.child = Child::Off;
    }

    /// The child is up and holds the state of the last cell.
    pub(super) fn child_is_current(&self) -> bool {
        match &self.child {
            Child::Live {
                holds, applying: None, ..
            } => *holds == self.state.cells(),
            Child::Live { .. } | Child::Off | Child::Pausing { .. } | Child::Starting { .. } => false,
        }
    }

    /// Why the child cannot be had, once it has been given up.
    pub(super) fn child_failure(&self) -> Option<&str> {
        match &self.child {
            Child::Pausing { failures, why, .. } if *failures >= MAX_FAILED_STARTS => Some(why),
            Child::Off | Child::Pausing { .. } | Child::Starting { .. } | Child::Live { .. } => None,
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
            ChildEvent::Delta(delta) => self.delta_captured(delta),
            ChildEvent::Applied { id, .. } => self.child_applied_cells(id),
            ChildEvent::ApplyFailed { id } => self.apply_failed(id),
            ChildEvent::Exited { why } => self.child_exited(why),
        }
    }

    /// Brings the child to the last committed state, or a step nearer.
    pub(super) fn sync_child(&mut self) {
        match &self.child {
            Child::Off if self.acting_here() => self.start_child(),
            Child::Pausing { at, failures, .. } if *at <= self.now && *failures < MAX_FAILED_STARTS => {
                self.start_child()
            }
            Child::Live {
                holds, applying: None, ..
            } if *holds < self.state.cells() && !self.child_runs_cell() => {
                let holds = *holds;
                self.apply_after(holds);
            }
            Child::Off | Child::Pausing { .. } | Child::Starting { .. } | Child::Live { .. } => {}
        }
        self.flush_backlog();
    }

    pub(super) fn remember_delta(&mut self, command: &Arc<Command>, applied: Applied) {
        let (Applied::Finished { seq } | Applied::Aborted { seq }) = applied else {
            return;
        };
        let recent = RecentDelta {
            seq,
            command: Arc::clone(command),
        };
        self.recent_bytes += recent.size();
        self.recent.push_back(recent);
        while self.recent_bytes > RECENT_BYTES
            || self.recent.front().is_some_and(|oldest| self.everyone_has(oldest.seq))
        {
            match self.recent.pop_front() {
                Some(dropped) => self.recent_bytes -= dropped.size(),
                None => break,
            }
        }
    }

    /// The child ran the cell itself: it holds the effect without applying anything.
    pub(super) fn child_ran(&mut self, seq: CellSeq) {
        if let Child::Live { holds, .. } = &mut self.child {
            *holds = seq;
        }
    }

    pub(super) fn session_restarted(&mut self) {
        self.recent.clear();
        self.recent_bytes = 0;
        self.restart_requested = false;
        self.backlog.clear();
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
            Child::Live {
                applying: Some(applying),
                ..
            } => (self.now > applying.since + APPLY_DEADLINE_US).then_some("it did not apply a change in time"),
            Child::Live { .. } | Child::Off | Child::Pausing { .. } => None,
        };
        if let Some(why) = hung {
            self.actions.push(Action::Child(ChildCommand::Kill));
            self.child_exited(why.to_owned());
        }
        self.check_cell_deadline();
    }

    fn everyone_has(&self, seq: CellSeq) -> bool {
        match &self.child {
            Child::Live {
                holds, applying: None, ..
            } => seq <= *holds,
            // A fresh child starts from the manifest, which has it.
            Child::Off | Child::Pausing { .. } => true,
            Child::Starting { .. } | Child::Live { .. } => false,
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
            self.child = Child::Live {
                pid,
                holds: CellSeq(0),
                applying: None,
            };
        }
    }

    fn apply_after(&mut self, holds: CellSeq) {
        let wanted = holds.next();
        let mut upto = self.state.cells();
        let delta = if holds == CellSeq(0) {
            let groups = self.state.manifest().in_order().into_iter().cloned().collect();
            Delta {
                groups,
                deleted: Vec::new(),
                pinned: self.state.pinned().to_vec(),
                execution_count: self.state.execution_count(),
            }
        } else if let Some(next) = self.recent.iter().find(|recent| recent.seq == wanted) {
            upto = wanted;
            match next.delta() {
                Some(delta) => delta.clone(),
                None => {
                    // A cell without effect.
                    self.child_ran(wanted);
                    return self.sync_child();
                }
            }
        } else {
            // Too far behind for the kept deltas.
            self.kill_child();
            return self.start_child();
        };
        self.next_apply += 1;
        let (id, since) = (self.next_apply, self.now);
        if let Child::Live { applying, .. } = &mut self.child {
            *applying = Some(Applying { id, upto, since });
        }
        self.actions.push(Action::Child(ChildCommand::Apply {
            id,
            groups: delta.groups,
            deleted: delta.deleted,
            pinned: delta.pinned,
            execution_count: delta.execution_count,
        }));
    }

    fn child_applied_cells(&mut self, id: u64) {
        if let Child::Live { holds, applying, .. } = &mut self.child
            && let Some(done) = applying.take_if(|applying| applying.id == id)
        {
            *holds = done.upto;
        }
    }

    fn apply_failed(&mut self, id: u64) {
        if matches!(&self.child, Child::Live { applying: Some(applying), .. } if applying.id == id) {
            self.actions.push(Action::Child(ChildCommand::Kill));
            self.child = Child::Pausing {
                at: self.now + RESTART_PAUSE_US,
                failures: 0,
                why: "a part of the state could not be fetched".to_owned(),
            };
        }
    }

    fn child_exited(&mut self, why: String) {
        let failures = match &self.child {
            Child::Starting { failures, .. } => failures + 1,
            Child::Live { .. } => 0,
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
