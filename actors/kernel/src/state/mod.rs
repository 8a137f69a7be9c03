//! The session that a kernel's replicas agree on: a pure state machine fed by the kernel's log.
//!
//! One command a file. Each command checks its epoch and position first; what comes too late changes nothing
//! (invariant 6) and is answered with [`Applied::Stale`].

mod cell_aborted;
mod cell_finished;
mod cell_started;
mod delta;
mod executor_changed;
mod manifest;
mod outcomes;
mod restarted;
mod state_scrubbed;

use serde::{Deserialize, Serialize};

pub(crate) use cell_aborted::{AbortReason, CellAborted};
pub(crate) use cell_finished::CellFinished;
pub(crate) use cell_started::CellStarted;
pub(crate) use delta::Delta;
pub(crate) use executor_changed::ExecutorChanged;
pub(crate) use manifest::{Buffer, CHUNK_BYTES, Group, Manifest};
pub(crate) use outcomes::{NumberedOutput, Outcome, Outcomes};
pub(crate) use restarted::Restarted;
pub(crate) use state_scrubbed::StateScrubbed;

use crate::id::{CellSeq, Epoch, Version};
use crate::protocol::Pinned;

/// A replica's id in its group, as in the control state: fresh for every incarnation.
pub(crate) type ReplicaNumber = u64;

/// Who runs cells: one start of one replica. A replica that starts again is another executor, whose Python process and event
/// numbers begin anew, and which must not take a cell of its earlier life for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Executor {
    pub replica: ReplicaNumber,
    /// Incarnation of its host's process: when that is gone, so is the executor, and everyone can tell.
    pub incarnation: u64,
    /// Which start of the replica within that process.
    pub life: u64,
}

/// One entry of a kernel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    CellStarted(CellStarted),
    CellFinished(Box<CellFinished>),
    CellAborted(CellAborted),
    ExecutorChanged(ExecutorChanged),
    Restarted(Restarted),
    StateScrubbed(Box<StateScrubbed>),
}

/// What a command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Applied {
    /// The cell is the proposer's to run.
    Started {
        seq: CellSeq,
    },
    /// A cell with this `msg_id` has an outcome already.
    AlreadyDone {
        seq: CellSeq,
    },
    /// The cell's result is the session's.
    Finished {
        seq: CellSeq,
    },
    Aborted {
        seq: CellSeq,
    },
    /// The proposer is the executor now.
    Executor,
    Restarted,
    /// What the scrub found is the session's.
    Scrubbed {
        version: Version,
    },
    /// An old epoch, another cell, or a cell in the way: nothing changed.
    Stale,
}

/// The cell that runs now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunningCell {
    pub seq: CellSeq,
    pub msg_id: String,
    /// Its request's header, so that whoever must end it can answer its client.
    pub header: bytes::Bytes,
    pub gpus: u32,
}

/// The replicated session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KernelState {
    epoch: Epoch,
    executor: Option<Executor>,
    running: Option<RunningCell>,
    /// Last cell that has an outcome.
    cells: CellSeq,
    /// Raised by everything that changes what a Python process must hold.
    version: Version,
    /// The cell that the last change of executor was made for: it is not sent on again.
    routed: Option<String>,
    /// Raised by each restart of the session.
    generation: u64,
    execution_count: u64,
    manifest: Manifest,
    pinned: Vec<Pinned>,
    outcomes: Outcomes,
}

impl KernelState {
    /// Applies one committed command.
    pub(crate) fn apply(&mut self, command: &Command) -> Applied {
        let cells_before = self.cells;
        let epoch_before = self.epoch;
        let applied = match command {
            Command::CellStarted(command) => self.cell_started(command),
            Command::CellFinished(command) => self.cell_finished(command),
            Command::CellAborted(command) => self.cell_aborted(command),
            Command::ExecutorChanged(command) => self.executor_changed(command),
            Command::Restarted(command) => self.restarted(command),
            Command::StateScrubbed(command) => self.state_scrubbed(command),
        };
        debug_assert!(self.epoch >= epoch_before, "invariant 6: epochs never fall");
        debug_assert!(
            self.cells.0 <= cells_before.0 + 1,
            "invariant 2: one outcome a command at most"
        );
        applied
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn executor(&self) -> Option<Executor> {
        self.executor
    }

    pub(crate) fn running(&self) -> Option<&RunningCell> {
        self.running.as_ref()
    }

    pub(crate) fn cells(&self) -> CellSeq {
        self.cells
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn routed(&self) -> Option<&str> {
        self.routed.as_deref()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn execution_count(&self) -> u64 {
        self.execution_count
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn pinned(&self) -> &[Pinned] {
        &self.pinned
    }

    pub(crate) fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }
}

#[cfg(test)]
mod tests;
