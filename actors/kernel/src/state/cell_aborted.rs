//! `CellAborted`: a cell that was cut in mid-run ends with an error; the session stays as of the cell before.

use serde::{Deserialize, Serialize};

use super::{Applied, Executor, KernelState, NumberedOutput, Outcome};
use crate::id::{CellSeq, Epoch};
use crate::message::JupyterMessage;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CellAborted {
    pub seq: CellSeq,
    /// The session's epoch when the executor itself ends the cell (its Python process died); one above it when
    /// another replica does, which becomes the executor by it.
    pub epoch: Epoch,
    pub executor: Executor,
    pub reason: AbortReason,
    pub reply: JupyterMessage,
    /// What the client is told on iopub: the error, then idle.
    pub outputs: Vec<NumberedOutput>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AbortReason {
    /// The executor's host or process was lost, or could not renew its right to run.
    ExecutorLost,
    /// The cell killed its own Python process.
    KernelDied,
    /// What it changed could not be stored on a majority of the replicas' hosts in time.
    NotStored,
}

impl AbortReason {
    /// `ename` of the error the client sees.
    pub(crate) fn ename(self) -> &'static str {
        match self {
            Self::ExecutorLost => "ExecutorLost",
            Self::KernelDied => "KernelDied",
            Self::NotStored => "StateNotStored",
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::ExecutorLost => "NB0401",
            Self::KernelDied => "NB0402",
            Self::NotStored => "NB0409",
        }
    }

    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::ExecutorLost => {
                "the host that ran this cell was lost while it ran; the session is as it was before the cell, which was not run again"
            }
            Self::KernelDied => {
                "the Python process died while it ran this cell; the session is as it was before the cell, which was not run again"
            }
            Self::NotStored => {
                "what this cell changed could not be stored on a majority of the hosts in time; the session is as it was before the cell"
            }
        }
    }
}

impl KernelState {
    pub(super) fn cell_aborted(&mut self, command: &CellAborted) -> Applied {
        let current = self.running.as_ref().is_some_and(|running| running.seq == command.seq);
        let by_executor = self.executor == Some(command.executor) && command.epoch == self.epoch;
        let by_successor = command.epoch == self.epoch.next();
        if !current || !(by_executor || by_successor) {
            return Applied::Stale;
        }
        let Some(running) = self.running.take() else {
            return Applied::Stale;
        };
        self.epoch = command.epoch;
        self.executor = Some(command.executor);
        self.cells = command.seq;
        self.outcomes.push(Outcome {
            seq: command.seq,
            msg_id: running.msg_id,
            reply: command.reply.clone(),
            outputs: command.outputs.clone(),
        });
        Applied::Aborted { seq: command.seq }
    }
}
