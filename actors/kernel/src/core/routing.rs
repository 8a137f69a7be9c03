//! Cells that touch what is pinned elsewhere go there: the replica at home becomes the executor and runs them. The same question
//! to the Python process says whether a cell can use a GPU at all: one that cannot gets none, unless it asks for some itself.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use super::cell::{Cell, Phase};
use super::needs::{Source, code_of, for_python};
use super::{Action, ChildCommand, Core, GpuUse, Micros};

/// A child answers at any time, even while it runs a cell; one that does not is not waited for.
const TOUCH_DEADLINE_US: Micros = 2_000_000;

/// Above what a hand-over itself may take.
const MOVE_DEADLINE_US: Micros = 35_000_000;

impl Core {
    /// The next cell came to the front: where it must run is asked first, if it can matter.
    pub(super) fn place_cell(&mut self, mut cell: Cell) {
        let gpus_in_doubt = cell.gpus > 0 && cell.source == Source::Kernel;
        if gpus_in_doubt || self.may_belong_elsewhere(&cell) {
            cell.phase = Phase::Asking { asked: None };
            cell.phase_since = self.now;
            self.cell = Some(cell);
        } else {
            self.begin_cell(cell);
        }
    }

    pub(super) fn advance_placing(&mut self) {
        let Some(cell) = &self.cell else {
            return;
        };
        match cell.phase {
            Phase::Asking { asked: None } if self.child_is_current() => {
                self.next_order += 1;
                let id = self.next_order;
                let code = code_of(&for_python(&cell.message)).unwrap_or_default();
                let of = self.state.pinned().iter().map(|pinned| pinned.name.clone()).collect();
                self.set_phase(Phase::Asking { asked: Some(id) });
                self.actions.push(Action::Child(ChildCommand::Touches { id, code, of }));
            }
            Phase::Asking { asked: None } if self.child_failure().is_some() => self.run_here(),
            Phase::Asking { asked: Some(_) } if self.now > cell.phase_since + TOUCH_DEADLINE_US => self.run_here(),
            // Should it have started there, the log does not take a second start.
            Phase::Moving { ref to, .. } if !self.is_up(to) || self.now > cell.phase_since + MOVE_DEADLINE_US => {
                self.run_here();
            }
            Phase::Asking { .. }
            | Phase::Moving { .. }
            | Phase::Leasing
            | Phase::Electing
            | Phase::Starting
            | Phase::Ready { .. }
            | Phase::Running { .. }
            | Phase::Storing { .. }
            | Phase::Committing { .. } => {}
        }
    }

    pub(super) fn touched(&mut self, id: u64, names: &[String], gpu: GpuUse) {
        let asked = self
            .cell
            .as_ref()
            .is_some_and(|cell| matches!(cell.phase, Phase::Asking { asked: Some(asked) } if asked == id));
        if !asked {
            return;
        }
        if let Some(cell) = self.cell.as_mut().filter(|cell| cell.source == Source::Kernel) {
            if gpu.may {
                cell.source = gpu.why.map_or(Source::Kernel, Source::Used);
            } else {
                cell.gpus = 0;
                cell.source = Source::Unused;
            }
        }
        let home = self.may_be_sent_on().then(|| self.home_of(names)).flatten();
        match (home, self.cell.as_ref()) {
            (Some(host), Some(cell)) => {
                let msg_id = cell.msg_id.clone();
                self.set_phase(Phase::Moving {
                    to: host.clone(),
                    lent: false,
                });
                self.actions.push(Action::AskMove {
                    host,
                    msg_id,
                    lent: None,
                });
            }
            _ => self.run_here(),
        }
    }

    /// What the home of what the cell touches says.
    pub(super) fn moved(&mut self, msg_id: &str, done: bool) {
        let moving = self
            .cell
            .as_ref()
            .is_some_and(|cell| cell.msg_id == msg_id && matches!(cell.phase, Phase::Moving { .. }));
        // Done means that the log has another executor, which this replica is about to read; it sends the cell there then.
        if moving && !done {
            self.run_here();
        }
    }

    /// The child that was asked is gone; the next one is not asked about the same cell.
    pub(super) fn placing_lost_child(&mut self) {
        if matches!(
            self.cell.as_ref().map(|cell| &cell.phase),
            Some(Phase::Asking { asked: Some(_) })
        ) {
            self.run_here();
        }
    }

    /// The cell waits here for a new executor, which it is sent to at once rather than when its gateway finds out.
    pub(super) fn forward(&mut self, cell: &Cell) {
        let executor = self.state.executor().map(|executor| executor.replica);
        if let Some(host) = executor.and_then(|replica| self.host_of(replica)).cloned() {
            if cell.interrupt_at_start {
                self.actions.push(Action::ForwardInterrupt { host: host.clone() });
            }
            for origin in &cell.origins {
                self.actions.push(Action::Forward {
                    host: host.clone(),
                    origin: origin.clone(),
                    message: cell.message.clone(),
                });
            }
        }
    }

    /// No home, none that lives, or none that takes it: it runs here, and a placeholder that it touches says what to do.
    fn run_here(&mut self) {
        if self.cell.as_ref().is_some_and(|cell| cell.interrupt_at_start) {
            return self.refuse_cell("KeyboardInterrupt", "interrupted before the code ran");
        }
        if let Some(cell) = self.cell.take() {
            self.begin_cell(cell);
        }
    }

    fn set_phase(&mut self, phase: Phase) {
        let now = self.now;
        if let Some(cell) = self.cell.as_mut() {
            cell.phase = phase;
            cell.phase_since = now;
        }
    }

    /// A cell is sent on once: the executor that was made for it keeps it, whatever its child says.
    fn may_be_sent_on(&self) -> bool {
        let cell = self.cell.as_ref().map(|cell| cell.msg_id.as_str());
        self.is_executor() && self.state.routed() != cell
    }

    fn may_belong_elsewhere(&self, cell: &Cell) -> bool {
        self.is_executor()
            && self.state.routed() != Some(cell.msg_id.as_str())
            && self
                .state
                .pinned()
                .iter()
                .any(|pinned| self.live_home(&pinned.home).is_some())
    }

    /// The host where most of these names live; none when one of them lives here, or where nobody does.
    fn home_of(&self, names: &[String]) -> Option<NodeName> {
        let mut homes: BTreeMap<&NodeName, usize> = BTreeMap::new();
        for pinned in self.state.pinned().iter().filter(|pinned| names.contains(&pinned.name)) {
            if pinned.home == self.host.as_str() {
                return None;
            }
            if let Some(host) = self.live_home(&pinned.home) {
                *homes.entry(host).or_default() += 1;
            }
        }
        // Ties by name: the first in order.
        let most = homes.values().max().copied()?;
        homes
            .into_iter()
            .find(|(_, names)| *names == most)
            .map(|(host, _)| host.clone())
    }

    fn live_home(&self, home: &str) -> Option<&NodeName> {
        let members = self.membership.members.iter();
        members
            .filter(|member| member.replica != self.me.replica && self.is_up(&member.host))
            .filter(|member| !self.leaves(member.replica))
            .map(|member| &member.host)
            .find(|host| host.as_str() == home)
    }
}
