//! What full passes between cells find: stored and committed in the order in which the child reported it and its cells; and the
//! barrier before a planned hand-over, which is a pass that was asked for.

use super::cell::Phase;
use super::child::complete_pinned;
use super::event::{Arrival, Captured, Failure};
use super::{Action, ChildCommand, Core, Micros, RawDelta, Ticket};
use crate::core::child::Child;
use crate::protocol::{EventBody, ReplicaReply};
use crate::state::{Applied, Command, Delta, Group, StateScrubbed};

/// A barrier takes this long at most when the session is small.
const BARRIER_US: Micros = 2_000_000;

/// How much of the session a pass reads, stores and sends in a microsecond: 256 MiB/s, half of what a loaded machine does.
const BARRIER_BYTES_PER_US: u64 = 268;

/// After a barrier no cell starts for this long, so that the hand-over finds the way clear.
const YIELD_US: Micros = 1_000_000;

/// A pass that was made while a cell stood in line, before anyone asked for it: what stands in line for minutes should not then
/// keep its GPUs waiting for one.
pub(super) struct Ahead {
    order: u64,
    at: Micros,
    answered: Option<Arrival>,
}

/// A pass ahead is made again when it is older than this many times what it may take. Threads of the session go on meanwhile.
const AHEAD_LASTS: Micros = 5;

/// A pass's find on its way to the log.
pub(super) struct Scrub {
    pub(super) arrival: Arrival,
    delta: RawDelta,
    phase: ScrubPhase,
    /// Which process made the change: a later one does not hold it.
    found_in: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScrubPhase {
    Waiting,
    Storing,
    /// On a quorum.
    Stored,
    Committing,
}

/// Somebody waits for a pass that was asked for.
pub(super) struct Barrier {
    ticket: Ticket,
    order: u64,
    deadline: Micros,
    /// The answer, once it came: all up to here must be committed.
    answered: Option<Arrival>,
}

impl Core {
    /// The child reports a change of state.
    pub(super) fn captured(&mut self, delta: RawDelta) {
        self.arrivals.0 += 1;
        let arrival = self.arrivals;
        match &delta.of {
            Captured::Cell { .. } => self.delta_captured(arrival, delta),
            Captured::Scrub { order } => {
                let order = *order;
                if !self.is_executor() {
                    self.found_on_standby(&delta);
                } else {
                    self.scrubs.push_back(Scrub {
                        arrival,
                        delta,
                        phase: ScrubPhase::Waiting,
                        found_in: self.children,
                    });
                }
                self.open_order.take_if(|open| Some(*open) == order);
                if let Some(ahead) = self.ahead.as_mut().filter(|ahead| Some(ahead.order) == order) {
                    ahead.answered = Some(arrival);
                }
                for barrier in self.barriers.iter_mut().filter(|barrier| Some(barrier.order) == order) {
                    barrier.answered = Some(arrival);
                }
            }
        }
    }

    /// Left from when it was the executor, or the doing of a thread that a cell started: it is not the session's, and the process
    /// will not report it again.
    fn found_on_standby(&mut self, delta: &RawDelta) {
        if !delta.groups.is_empty() || !delta.deleted.is_empty() {
            self.kill_child();
            self.start_child();
        }
    }

    /// A change that must be committed before the one with this arrival.
    pub(super) fn scrub_before(&self, arrival: Arrival) -> bool {
        self.scrubs.front().is_some_and(|scrub| scrub.arrival < arrival)
    }

    pub(super) fn advance_scrubs(&mut self) {
        let Some(scrub) = self.scrubs.front() else {
            return;
        };
        let arrival = scrub.arrival;
        let cell_first = self
            .cell
            .as_ref()
            .and_then(|cell| cell.arrival)
            .is_some_and(|cell| cell < arrival);
        if cell_first || !self.is_executor() {
            return;
        }
        match scrub.phase {
            ScrubPhase::Waiting if self.is_empty_find(&scrub.delta) => {
                self.scrubs.pop_front();
                self.advance_scrubs();
            }
            ScrubPhase::Waiting => {
                let groups = &scrub.delta.groups;
                let chunks: Vec<_> = groups.iter().flat_map(Group::chunks).copied().collect();
                let bytes = groups.iter().map(Group::stored_bytes).sum();
                if chunks.is_empty() {
                    return self.propose_scrub();
                }
                self.set_scrub_phase(ScrubPhase::Storing);
                self.actions.push(Action::Store {
                    change: arrival,
                    chunks,
                    bytes,
                });
            }
            ScrubPhase::Stored => self.propose_scrub(),
            ScrubPhase::Storing | ScrubPhase::Committing => {}
        }
    }

    pub(super) fn scrub_stored(&mut self, change: Arrival, result: Result<(), Failure>) {
        let storing = |scrub: &Scrub| scrub.arrival == change && scrub.phase == ScrubPhase::Storing;
        if !self.scrubs.front().is_some_and(storing) {
            return;
        }
        match result {
            Ok(()) => self.set_scrub_phase(ScrubPhase::Stored),
            Err(failure) => self.scrub_lost(&failure),
        }
    }

    /// A command was applied that may be a scrub's.
    pub(super) fn scrub_applied(&mut self, ours: bool, applied: Applied) {
        if !ours
            || !self
                .scrubs
                .front()
                .is_some_and(|scrub| scrub.phase == ScrubPhase::Committing)
        {
            return;
        }
        let Some(scrub) = self.scrubs.pop_front() else {
            return;
        };
        let held = scrub.found_in == self.children;
        match applied {
            Applied::Scrubbed { .. } if held => self.child_has_newest(),
            // Something overtook it: what the child holds is not the session's.
            Applied::Stale if held => {
                self.scrubs.clear();
                self.kill_child();
            }
            _ => {}
        }
    }

    /// Finds that are not committed are void with the executor's role; a child that holds one must not go on.
    pub(super) fn drop_scrubs(&mut self) {
        let held = self.scrubs.iter().any(|scrub| scrub.found_in == self.children);
        if self.scrubs.iter().any(|scrub| scrub.phase == ScrubPhase::Storing) {
            self.actions.push(Action::StopStoring);
        }
        self.scrubs.clear();
        if held {
            self.kill_child();
        }
    }

    /// Its process is gone: whoever waits for a pass need not.
    pub(super) fn scrub_lost_child(&mut self) {
        self.open_order = None;
        let version = self.state.version();
        for barrier in std::mem::take(&mut self.barriers) {
            self.actions.push(Action::Answer {
                ticket: barrier.ticket,
                reply: ReplicaReply::Scrubbed { version },
            });
        }
    }

    /// Another replica is to become the executor: a full pass first, and no new cell meanwhile.
    pub(super) fn barrier(&mut self, ticket: Ticket) {
        let version = self.state.version();
        if !self.is_executor() || !matches!(self.child, Child::Live(_)) {
            // Nothing is held here that the log does not have.
            let reply = ReplicaReply::Scrubbed { version };
            return self.actions.push(Action::Answer { ticket, reply });
        }
        if self.passed_ahead() {
            self.yield_until = self.now + YIELD_US;
            let reply = ReplicaReply::Scrubbed { version };
            return self.actions.push(Action::Answer { ticket, reply });
        }
        let id = self.order_pass();
        let deadline = self.now + self.barrier_patience();
        self.barriers.push(Barrier {
            ticket,
            order: id,
            deadline,
            answered: None,
        });
        self.yield_until = self.yield_until.max(deadline);
    }

    /// While a cell stands in line its process has time for a full pass: whoever becomes the executor for it need not wait for one.
    pub(super) fn pass_ahead(&mut self) {
        let lasts = AHEAD_LASTS * self.barrier_patience();
        let fresh = self.ahead.as_ref().is_some_and(|ahead| self.now < ahead.at + lasts);
        if fresh || !self.is_executor() || !self.child_is_current() {
            return;
        }
        self.ahead = Some(Ahead {
            order: self.order_pass(),
            at: self.now,
            answered: None,
        });
    }

    /// A pass was made since the process last ran anything, and what it found is in the log.
    pub(super) fn passed_ahead(&self) -> bool {
        let answered = self.ahead.as_ref().and_then(|ahead| ahead.answered);
        answered.is_some_and(|arrival| self.committed_upto(arrival))
    }

    /// A pass that has yet to be made serves everybody who asks.
    fn order_pass(&mut self) -> u64 {
        let id = self.open_order.unwrap_or_else(|| {
            self.next_order += 1;
            self.actions
                .push(Action::Child(ChildCommand::Scrub { id: self.next_order }));
            self.next_order
        });
        self.open_order = Some(id);
        id
    }

    /// Everything that the process reported up to here is in the log. Cells that ended before it count as well.
    fn committed_upto(&self, arrival: Arrival) -> bool {
        let cell_open = self
            .cell
            .as_ref()
            .is_some_and(|cell| cell.arrival.is_some_and(|cell| cell < arrival));
        !cell_open && !self.scrubs.iter().any(|scrub| scrub.arrival <= arrival)
    }

    fn is_passed(&self, barrier: &Barrier) -> bool {
        barrier.answered.is_some_and(|arrival| self.committed_upto(arrival))
    }

    pub(super) fn settle_barriers(&mut self) {
        if self.barriers.is_empty() {
            return;
        }
        let (settled, waiting): (Vec<Barrier>, Vec<Barrier>) = std::mem::take(&mut self.barriers)
            .into_iter()
            .partition(|barrier| self.is_passed(barrier) || barrier.deadline <= self.now);
        for barrier in settled {
            let reply = if self.is_passed(&barrier) {
                self.yield_until = self.now + YIELD_US;
                ReplicaReply::Scrubbed {
                    version: self.state.version(),
                }
            } else {
                ReplicaReply::Busy
            };
            self.actions.push(Action::Answer {
                ticket: barrier.ticket,
                reply,
            });
        }
        self.barriers = waiting;
    }

    /// What a full pass may take: two seconds and what the session's size adds.
    pub(super) fn barrier_patience(&self) -> Micros {
        BARRIER_US + self.state.manifest().bytes() / BARRIER_BYTES_PER_US
    }

    pub(super) fn scrub_lost(&mut self, failure: &Failure) {
        let text = format!(
            "[NB0410] a change that was found after the last cell could not be stored and is lost: {failure}\n"
        );
        let message = self.stderr(None, &text);
        self.publish(EventBody::Iopub { cell: None, message });
        self.scrubs.clear();
        // A cell's own change came after the lost one.
        self.fail_running_cell(failure);
        self.actions.push(Action::Child(ChildCommand::Kill));
        self.child_exited_for("a change that it holds could not be stored");
    }

    fn propose_scrub(&mut self) {
        let before = self.state.pinned();
        let Some(scrub) = self.scrubs.front() else {
            return;
        };
        let delta = Delta {
            groups: scrub.delta.groups.clone(),
            deleted: scrub.delta.deleted.clone(),
            pinned: complete_pinned(
                scrub.delta.pinned.clone(),
                before,
                self.host.as_str(),
                scrub.delta.execution_count,
            ),
            execution_count: scrub.delta.execution_count,
        };
        let command = StateScrubbed {
            epoch: self.state.epoch(),
            base: self.state.version(),
            delta,
        };
        self.set_scrub_phase(ScrubPhase::Committing);
        self.propose(Command::StateScrubbed(Box::new(command)));
    }

    fn set_scrub_phase(&mut self, phase: ScrubPhase) {
        if let Some(scrub) = self.scrubs.front_mut() {
            scrub.phase = phase;
        }
    }

    fn is_empty_find(&self, delta: &RawDelta) -> bool {
        let pinned = complete_pinned(
            delta.pinned.clone(),
            self.state.pinned(),
            self.host.as_str(),
            delta.execution_count,
        );
        let same_pinned = pinned.len() == self.state.pinned().len()
            && pinned.iter().all(|pinned| self.state.pinned().contains(pinned));
        delta.groups.is_empty() && delta.deleted.is_empty() && same_pinned
    }

    fn fail_running_cell(&mut self, failure: &Failure) {
        if let Some(cell) = self.cell.as_mut().filter(|cell| cell.ran_in == self.children) {
            cell.not_stored = Some(failure.clone());
        }
    }

    /// A chunk of a change that is being captured was taken: the shim is at work.
    pub(super) fn chunk_taken(&mut self, chunk: nbos_objects::BlobId) {
        self.arriving.insert(chunk);
        if let Some(cell) = self.cell.as_mut() {
            cell.heard = self.now;
            cell.stalled = false;
        }
    }

    pub(super) fn chunk_waits(&mut self, failure: &Failure) {
        if let Some(cell) = self.cell.as_mut() {
            cell.stalled = true;
        }
        self.tell_waiting(failure);
    }

    /// The change that the chunk belongs to cannot be committed: what the child holds is lost.
    pub(super) fn chunk_lost(&mut self, failure: Failure) {
        match self
            .cell
            .as_mut()
            .filter(|cell| matches!(cell.phase, Phase::Running { .. }))
        {
            Some(cell) => {
                cell.not_stored = Some(failure);
                self.actions.push(Action::Child(ChildCommand::Kill));
                self.child_exited_for("what it captured could not be stored");
            }
            None => self.scrub_lost(&failure),
        }
    }

    /// Chunks that no committed state refers to yet, for the garbage collection.
    pub(crate) fn arriving(&self) -> impl Iterator<Item = &nbos_objects::BlobId> {
        self.arriving.iter()
    }
}
