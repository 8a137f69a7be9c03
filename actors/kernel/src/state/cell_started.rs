//! `CellStarted`: the first one committed for a position makes its proposer run the cell. That is the whole election.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Applied, Executor, KernelState, RunningCell};
use crate::id::Epoch;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CellStarted {
    pub msg_id: String,
    /// The request's header, verbatim.
    pub header: Bytes,
    pub executor: Executor,
    /// The executor's epoch; one above the session's when its proposer becomes the executor by it.
    pub epoch: Epoch,
    /// GPUs leased for the cell.
    pub gpus: u32,
}

impl KernelState {
    pub(super) fn cell_started(&mut self, command: &CellStarted) -> Applied {
        if let Some(seq) = self.outcomes.seq_of(&command.msg_id) {
            return Applied::AlreadyDone { seq };
        }
        let takes_over = command.epoch == self.epoch.next();
        let mine = self.executor == Some(command.executor) && command.epoch == self.epoch;
        if self.running.is_some() || !(takes_over || mine) {
            return Applied::Stale;
        }
        let seq = self.cells.next();
        self.epoch = command.epoch;
        self.executor = Some(command.executor);
        self.running = Some(RunningCell {
            seq,
            msg_id: command.msg_id.clone(),
            header: command.header.clone(),
            gpus: command.gpus,
        });
        Applied::Started { seq }
    }
}
