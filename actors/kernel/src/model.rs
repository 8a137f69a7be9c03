//! The session's state machine for model checks: the same `apply`, on entries that say no more than who may run what.

use bytes::Bytes;
use serde_json::json;

use crate::id::{CellSeq, Epoch};
use crate::message::JupyterMessage;
use crate::state::{
    AbortReason, Applied, CellAborted, CellFinished, CellStarted, Command, Delta, Executor, ExecutorChanged,
    KernelState,
};

/// What the replicas of a kernel agree on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session(KernelState);

/// One start of one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Runner {
    pub replica: u64,
    pub incarnation: u64,
}

/// An entry of the kernel's log. Cells go by a number of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    CellStarted { cell: u8, by: Runner, epoch: u64 },
    CellFinished { seq: u64, epoch: u64 },
    CellAborted { seq: u64, by: Runner, epoch: u64 },
    ExecutorChanged { by: Runner, epoch: u64 },
}

/// What an entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    Started {
        seq: u64,
    },
    /// The cell has its outcome.
    AlreadyDone,
    Finished {
        seq: u64,
    },
    Aborted {
        seq: u64,
    },
    Executor,
    /// Nothing changed.
    Stale,
}

impl Session {
    pub fn apply(&mut self, entry: Entry) -> Verdict {
        match self.0.apply(&command(entry)) {
            Applied::Started { seq } => Verdict::Started { seq: seq.0 },
            Applied::AlreadyDone { .. } => Verdict::AlreadyDone,
            Applied::Finished { seq } => Verdict::Finished { seq: seq.0 },
            Applied::Aborted { seq } => Verdict::Aborted { seq: seq.0 },
            Applied::Executor => Verdict::Executor,
            Applied::Restarted | Applied::Scrubbed { .. } => unreachable!("invariant: no entry restarts or scrubs"),
            Applied::Stale => Verdict::Stale,
        }
    }

    pub fn epoch(&self) -> u64 {
        self.0.epoch().0
    }

    pub fn executor(&self) -> Option<Runner> {
        self.0.executor().map(|executor| Runner {
            replica: executor.replica,
            incarnation: executor.incarnation,
        })
    }

    /// Position of the cell that runs.
    pub fn running(&self) -> Option<u64> {
        self.0.running().map(|running| running.seq.0)
    }

    pub fn has_outcome(&self, cell: u8) -> bool {
        self.0.outcomes().seq_of(&name(cell)).is_some()
    }
}

fn name(cell: u8) -> String {
    format!("cell-{cell}")
}

fn executor(by: Runner) -> Executor {
    Executor {
        replica: by.replica,
        incarnation: by.incarnation,
        life: 0,
    }
}

fn command(entry: Entry) -> Command {
    let reply = || JupyterMessage::build(&json!({}), Bytes::new(), &json!({}));
    match entry {
        Entry::CellStarted { cell, by, epoch } => Command::CellStarted(CellStarted {
            msg_id: name(cell),
            header: Bytes::new(),
            executor: executor(by),
            epoch: Epoch(epoch),
            gpus: 1,
        }),
        Entry::CellFinished { seq, epoch } => Command::CellFinished(Box::new(CellFinished {
            seq: CellSeq(seq),
            epoch: Epoch(epoch),
            reply: reply(),
            outputs: Vec::new(),
            delta: Delta::default(),
        })),
        Entry::CellAborted { seq, by, epoch } => Command::CellAborted(CellAborted {
            seq: CellSeq(seq),
            epoch: Epoch(epoch),
            executor: executor(by),
            reason: AbortReason::ExecutorLost,
            reply: reply(),
            outputs: Vec::new(),
        }),
        Entry::ExecutorChanged { by, epoch } => Command::ExecutorChanged(ExecutorChanged {
            epoch: Epoch(epoch),
            executor: executor(by),
            cell: None,
        }),
    }
}
