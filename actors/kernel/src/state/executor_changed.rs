//! `ExecutorChanged`: hand-over between cells, asked for or after a loss.

use serde::{Deserialize, Serialize};

use super::{Applied, Executor, KernelState};
use crate::id::Epoch;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExecutorChanged {
    /// One above the session's epoch.
    pub epoch: Epoch,
    pub executor: Executor,
    /// The cell that must run there, because it touches what is pinned there: its `msg_id`.
    pub cell: Option<String>,
}

impl KernelState {
    pub(super) fn executor_changed(&mut self, command: &ExecutorChanged) -> Applied {
        if self.executor == Some(command.executor) && command.epoch == self.epoch {
            return Applied::Executor;
        }
        if self.running.is_some() || command.epoch != self.epoch.next() {
            return Applied::Stale;
        }
        self.epoch = command.epoch;
        self.executor = Some(command.executor);
        self.routed.clone_from(&command.cell);
        Applied::Executor
    }
}
