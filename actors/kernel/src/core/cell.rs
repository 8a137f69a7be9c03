//! The life of a cell on its executor: queue, lease, start (one commit), run, store, finish (one commit), reply.

use nbos_mesh::NodeName;

use super::event::{Arrival, Captured, Failure};
use super::needs;
use super::{Action, ChildCommand, Core, Micros, RawDelta, Released};
use crate::id::CellSeq;
use crate::message::JupyterMessage;
use crate::protocol::{CellOutput, Channel, EventBody, Origin};
use crate::state::{Applied, CellStarted, Command, NumberedOutput};

/// Cells waiting at one executor. A front end's "run all" sends a few hundred at most.
pub(super) const MAX_QUEUED_CELLS: usize = 1_000;

/// Bytes of code and metadata waiting at one executor.
pub(super) const MAX_QUEUED_BYTES: usize = 64 << 20;

/// Outputs of one cell that are committed with it; later ones reach live clients only.
const KEPT_OUTPUT_BYTES: usize = 1 << 20;

/// The shim reports the change of state before it replies; a reply without it for this long, and no chunk of it either, means
/// that the shim is broken.
const DELTA_DEADLINE_US: Micros = 10_000_000;

/// Waiting for GPUs is bounded by the lease request itself; this is a last resort.
const PHASE_DEADLINE_US: Micros = 600_000_000;

/// A request that waits for its turn.
pub(super) struct Queued {
    pub(super) msg_id: String,
    pub(super) message: JupyterMessage,
    pub(super) origins: Vec<Origin>,
}

pub(super) enum Phase {
    /// The child is to say whether the cell touches what is pinned elsewhere, and whether it can use a GPU.
    Asking {
        asked: Option<u64>,
    },
    /// That replica is to become the executor, because of what is pinned there or of GPUs that it holds for the cell.
    Moving {
        to: NodeName,
        lent: bool,
    },
    /// Its GPUs are asked of this host.
    Leasing,
    /// This host has no room: it waits for GPUs of any of the kernel's hosts.
    Electing,
    /// `CellStarted` is on its way.
    Starting,
    /// Ours to run, as soon as the child holds the state before it.
    Ready {
        seq: CellSeq,
    },
    Running {
        seq: CellSeq,
    },
    Storing {
        seq: CellSeq,
    },
    /// `CellFinished` or `CellAborted` is on its way.
    Committing {
        seq: CellSeq,
    },
}

pub(super) struct Cell {
    pub(super) msg_id: String,
    pub(super) message: JupyterMessage,
    pub(super) origins: Vec<Origin>,
    pub(super) gpus: u32,
    pub(super) source: needs::Source,
    /// They were given back.
    pub(super) released: bool,
    pub(super) phase: Phase,
    pub(super) phase_since: Micros,
    pub(super) outputs: Vec<NumberedOutput>,
    pub(super) output_bytes: usize,
    pub(super) next_number: u64,
    pub(super) reply: Option<JupyterMessage>,
    pub(super) idle: Option<JupyterMessage>,
    pub(super) delta: Option<RawDelta>,
    /// When the delta came, among all changes.
    pub(super) arrival: Option<Arrival>,
    /// When the shim was last heard of at the cell's end.
    pub(super) heard: Micros,
    /// A chunk of its change waits for room on a disk.
    pub(super) stalled: bool,
    /// Its client was told that it waits.
    pub(super) told_waiting: bool,
    /// Its change could not be stored.
    pub(super) not_stored: Option<Failure>,
    /// An interrupt arrived before the code ran.
    pub(super) interrupt_at_start: bool,
    /// The right to run was lost.
    pub(super) fenced: bool,
    /// Why the ledger ended the lease of its GPUs.
    pub(super) lease_lost: Option<String>,
    /// Which process ran it: a later one does not hold its effect.
    pub(super) ran_in: u64,
}

impl Cell {
    pub(super) fn new(queued: Queued, gpus: u32, now: Micros) -> Self {
        Self {
            msg_id: queued.msg_id,
            message: queued.message,
            origins: queued.origins,
            gpus,
            source: needs::Source::Request,
            released: false,
            phase: Phase::Starting,
            phase_since: now,
            outputs: Vec::new(),
            output_bytes: 0,
            next_number: 0,
            reply: None,
            idle: None,
            delta: None,
            arrival: None,
            heard: now,
            stalled: false,
            told_waiting: false,
            not_stored: None,
            interrupt_at_start: false,
            fenced: false,
            lease_lost: None,
            ran_in: 0,
        }
    }

    /// Numbers an output and keeps it for the commit while there is room.
    pub(super) fn keep_output(&mut self, message: &JupyterMessage) -> u64 {
        self.next_number += 1;
        self.output_bytes += message.size();
        if self.output_bytes <= KEPT_OUTPUT_BYTES {
            self.outputs.push(NumberedOutput {
                number: self.next_number,
                message: message.clone(),
            });
        }
        self.next_number
    }
}

impl Core {
    pub(super) fn advance_cell(&mut self) {
        if self.cell.is_none() {
            self.start_next_cell();
        }
        let Some(cell) = &self.cell else {
            return;
        };
        match cell.phase {
            Phase::Ready { .. } if cell.lease_lost.is_some() => self.cell_lost_child(),
            Phase::Ready { seq } if self.child_is_current_before(seq) && self.run_after <= self.now => self.run(seq),
            Phase::Running { seq }
                if cell.reply.is_some()
                    && cell.idle.is_some()
                    && cell.arrival.is_some_and(|arrival| !self.scrub_before(arrival)) =>
            {
                self.finish(seq)
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
        self.advance_placing();
        self.advance_election();
        self.fail_queue_without_child();
    }

    pub(super) fn delta_captured(&mut self, arrival: Arrival, delta: RawDelta) {
        let Captured::Cell { msg_id } = &delta.of else {
            return;
        };
        if let Some(cell) = self.cell.as_mut().filter(|cell| cell.msg_id == *msg_id) {
            cell.delta = Some(delta);
            cell.arrival = Some(arrival);
            cell.stalled = false;
            // A process that does not say when its GPUs are free has freed them by now.
            self.give_back();
        }
    }

    /// The cell's code has ended and its GPUs are free, but for what could not leave them: the lease ends here, before its change
    /// is even captured.
    pub(super) fn released(&mut self, released: &Released) {
        let runs = |cell: &Cell| cell.msg_id == released.msg_id && matches!(cell.phase, Phase::Running { .. });
        if !self.cell.as_ref().is_some_and(runs) {
            return;
        }
        self.give_back();
        if !released.left.is_empty() {
            self.left_behind(&released.left);
        }
    }

    fn give_back(&mut self) {
        if let Some(cell) = self.cell.as_mut().filter(|cell| cell.gpus > 0 && !cell.released) {
            cell.released = true;
            self.actions.push(Action::ReleaseLease);
        }
    }

    pub(super) fn stored(&mut self, change: Arrival, result: Result<(), Failure>) {
        let Some((cell, seq)) = self.cell.as_mut().and_then(|cell| match cell.phase {
            Phase::Storing { seq } if cell.arrival == Some(change) => Some((cell, seq)),
            _ => None,
        }) else {
            return self.scrub_stored(change, result);
        };
        match result {
            Ok(()) => self.propose_finish(seq),
            Err(failure) => {
                // The change exists in this process only and cannot be made safe: the session stays as before.
                cell.not_stored = Some(failure);
                self.actions.push(Action::Child(ChildCommand::Kill));
                self.child_exited_for("what the cell changed could not be stored");
            }
        }
    }

    /// Says once on the cell's stderr what its end waits for.
    pub(super) fn tell_waiting(&mut self, failure: &Failure) {
        let Some(cell) = self.cell.as_mut().filter(|cell| !cell.told_waiting) else {
            return;
        };
        cell.told_waiting = true;
        self.tell(&format!(
            "[{}] the cell has run; what it changed cannot be stored yet, trying again: {}\n",
            failure.code, failure.message
        ));
    }

    /// Says something on the cell's stderr.
    pub(super) fn tell(&mut self, text: &str) {
        let Some(cell) = &self.cell else {
            return;
        };
        let header = cell.message.header.clone();
        let message = self.stderr(Some(header), text);
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        let number = cell.keep_output(&message);
        let place = CellOutput {
            msg_id: cell.msg_id.clone(),
            number,
        };
        self.publish(EventBody::Iopub {
            cell: Some(place),
            message,
        });
    }

    /// Reacts to a committed command on behalf of the cell at hand.
    pub(super) fn cell_applied(&mut self, command: &Command, applied: Applied) {
        if let Command::CellStarted(started) = command
            && !self.proposed(started)
        {
            self.drop_offer_for(&started.msg_id);
        }
        match (command, applied) {
            (Command::CellStarted(started), Applied::Started { seq }) if self.proposed(started) => {
                if let Some(cell) = self.cell.as_mut().filter(|cell| cell.msg_id == started.msg_id) {
                    cell.phase = Phase::Ready { seq };
                    cell.phase_since = self.now;
                }
            }
            (Command::CellStarted(started), Applied::AlreadyDone { seq }) if self.proposed(started) => {
                self.drop_cell_if(&started.msg_id, seq);
            }
            (Command::CellStarted(started), Applied::Stale) if self.proposed(started) => self.requeue_cell(),
            (Command::CellFinished(finished), Applied::Finished { seq }) => self.cell_finished(finished, seq),
            (Command::CellAborted(aborted), Applied::Aborted { seq }) => self.cell_aborted(aborted, seq),
            _ => {}
        }
    }

    /// Another replica is the executor now: what runs here is void, what waits here is sent again by its gateway.
    pub(super) fn lost_executor_role(&mut self) {
        self.leave_lines(None);
        if let Some(cell) = self.cell.take() {
            if matches!(
                cell.phase,
                Phase::Running { .. } | Phase::Storing { .. } | Phase::Committing { .. }
            ) {
                self.kill_child();
            }
            if matches!(cell.phase, Phase::Moving { .. }) {
                self.forward(&cell);
            }
            if matches!(cell.phase, Phase::Storing { .. }) {
                self.actions.push(Action::StopStoring);
            }
            if cell.gpus > 0 {
                self.actions.push(Action::ReleaseLease);
            }
        }
        self.drop_scrubs();
        self.unproposed.clear();
        self.yield_until = 0;
        self.clear_queue();
    }

    pub(super) fn clear_queue(&mut self) {
        self.queue.clear();
        self.queue_bytes = 0;
    }

    /// The ledger took the GPUs back.
    pub(super) fn lease_lost(&mut self, why: String) {
        if let Some(cell) = self.cell.as_mut() {
            if matches!(
                cell.phase,
                Phase::Starting | Phase::Ready { .. } | Phase::Running { .. }
            ) {
                cell.lease_lost = Some(why);
            }
        } else {
            self.forget_lent();
        }
        self.fence();
    }

    /// The right to run is gone (no quorum heard from for too long, or the lease of its GPUs over): end what runs.
    pub(super) fn fence(&mut self) {
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        if matches!(cell.phase, Phase::Running { .. }) && !cell.fenced {
            cell.fenced = true;
            self.actions.push(Action::Child(ChildCommand::Kill));
            self.child_exited_for("the replica lost its right to run");
        }
    }

    pub(super) fn check_cell_deadline(&mut self) {
        let Some(cell) = &self.cell else {
            return;
        };
        let waited = self.now.saturating_sub(cell.phase_since);
        let shim_broken = matches!(cell.phase, Phase::Running { .. })
            && cell.idle.is_some()
            && cell.delta.is_none()
            && !cell.stalled
            && self.now.saturating_sub(cell.heard) > DELTA_DEADLINE_US;
        if shim_broken {
            self.actions.push(Action::Child(ChildCommand::Kill));
            self.child_exited_for("the shim did not report the cell's change of state");
        } else if matches!(cell.phase, Phase::Leasing) && waited > PHASE_DEADLINE_US {
            self.refuse_cell("NoGpus", "NB0407: no answer to the request for GPUs");
        }
    }

    /// The child was ended on purpose: treat it as if it had died.
    pub(super) fn child_exited_for(&mut self, why: &str) {
        self.child_event(super::ChildEvent::Exited { why: why.to_owned() });
    }

    fn child_is_current_before(&self, seq: CellSeq) -> bool {
        self.child_is_current() && self.state.cells().next() == seq
    }

    fn start_next_cell(&mut self) {
        let yields = self.now < self.yield_until;
        if self.queue.is_empty()
            || self.proposal.is_some()
            || yields
            || self.child_is_to_go()
            || !self.acting_here()
            || self.state.running().is_some()
        {
            return;
        }
        let Some(queued) = self.queue.pop_front() else {
            return;
        };
        self.queue_bytes -= queued.message.size();
        if let Some(seq) = self.state.outcomes().seq_of(&queued.msg_id) {
            for origin in &queued.origins {
                self.replay(seq, &queued.msg_id, origin);
            }
            return self.start_next_cell();
        }
        match needs::gpus_of(&queued.message) {
            Ok(gpus) => {
                let mut cell = Cell::new(queued, gpus.unwrap_or(self.spec.gpus), self.now);
                if gpus.is_none() {
                    cell.source = needs::Source::Kernel;
                }
                self.place_cell(cell);
            }
            Err(why) => {
                self.cell = Some(Cell::new(queued, 0, self.now));
                self.refuse_cell("ValueError", &format!("NB0414: {why}"));
                self.start_next_cell();
            }
        }
    }

    /// The cell is this replica's to run: GPUs first, if it needs any.
    pub(super) fn begin_cell(&mut self, mut cell: Cell) {
        self.withdraw_offer();
        self.return_lent();
        let gpus = cell.gpus;
        cell.phase_since = self.now;
        if gpus > 0 {
            cell.phase = Phase::Leasing;
            self.actions.push(Action::Lease {
                msg_id: cell.msg_id.clone(),
                gpus,
                within: 0,
                on_condition: false,
            });
            self.cell = Some(cell);
        } else {
            self.cell = Some(cell);
            self.propose_start();
        }
    }

    pub(super) fn propose_start(&mut self) {
        let epoch = if self.is_executor() {
            self.state.epoch()
        } else {
            self.state.epoch().next()
        };
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        cell.phase = Phase::Starting;
        cell.phase_since = self.now;
        let command = CellStarted {
            msg_id: cell.msg_id.clone(),
            header: cell.message.header.clone(),
            executor: self.me,
            epoch,
            gpus: cell.gpus,
        };
        self.propose(Command::CellStarted(command));
    }

    fn run(&mut self, seq: CellSeq) {
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        cell.phase = Phase::Running { seq };
        cell.phase_since = self.now;
        cell.ran_in = self.children;
        self.last_activity = self.now;
        self.ahead = None;
        let message = needs::for_python(&cell.message);
        self.actions.push(Action::Child(ChildCommand::Send {
            channel: Channel::Shell,
            message,
        }));
    }

    pub(super) fn proposed(&self, started: &CellStarted) -> bool {
        started.executor == self.me
    }

    /// The cell had its outcome already: whoever sent it again gets that.
    fn drop_cell_if(&mut self, msg_id: &str, seq: CellSeq) {
        let Some(cell) = self
            .cell
            .take_if(|cell| cell.msg_id == msg_id && matches!(cell.phase, Phase::Starting))
        else {
            return;
        };
        if cell.gpus > 0 {
            self.actions.push(Action::ReleaseLease);
        }
        for origin in &cell.origins {
            self.replay(seq, &cell.msg_id, origin);
        }
    }

    /// The start was not accepted: another epoch, or a cell in the way. Try again when the way is clear.
    fn requeue_cell(&mut self) {
        let Some(cell) = self.cell.take_if(|cell| matches!(cell.phase, Phase::Starting)) else {
            return;
        };
        if cell.gpus > 0 {
            self.actions.push(Action::ReleaseLease);
        }
        self.queue_bytes += cell.message.size();
        self.queue.push_front(Queued {
            msg_id: cell.msg_id,
            message: cell.message,
            origins: cell.origins,
        });
    }

    /// No Python process can be had on this host: say so instead of waiting for ever.
    fn fail_queue_without_child(&mut self) {
        let Some(why) = self.child_failure() else {
            return;
        };
        let evalue = format!("NB0406: the Python process cannot be started: {why}");
        if matches!(self.cell.as_ref().map(|cell| &cell.phase), Some(Phase::Ready { .. })) {
            // It started in the log: it must end there.
            self.cell_lost_child();
        } else if self.cell.is_none() && !self.queue.is_empty() {
            while let Some(queued) = self.queue.pop_front() {
                self.queue_bytes -= queued.message.size();
                self.cell = Some(Cell::new(queued, 0, self.now));
                self.refuse_cell("KernelUnavailable", &evalue);
            }
        }
    }
}
