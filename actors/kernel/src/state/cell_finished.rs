//! `CellFinished`: the cell's reply, outputs and change of state become the session's, all or nothing.

use serde::{Deserialize, Serialize};

use super::{Applied, Group, KernelState, NumberedOutput, Outcome};
use crate::id::{CellSeq, Epoch};
use crate::message::JupyterMessage;
use crate::protocol::Pinned;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CellFinished {
    pub seq: CellSeq,
    pub epoch: Epoch,
    pub reply: JupyterMessage,
    pub outputs: Vec<NumberedOutput>,
    pub delta: Delta,
}

/// The change a cell made to the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// Co-variables and ambient state that changed, each complete.
    pub groups: Vec<Group>,
    /// Names and group keys that are gone.
    pub deleted: Vec<String>,
    /// All that is pinned after the cell.
    pub pinned: Vec<Pinned>,
    pub execution_count: u64,
}

impl KernelState {
    pub(super) fn cell_finished(&mut self, command: &CellFinished) -> Applied {
        let current = self.running.as_ref().is_some_and(|running| running.seq == command.seq);
        if !current || command.epoch != self.epoch {
            return Applied::Stale;
        }
        let Some(running) = self.running.take() else {
            return Applied::Stale;
        };
        self.cells = command.seq;
        let newly_pinned: Vec<String> = command
            .delta
            .pinned
            .iter()
            .filter(|pinned| !self.pinned.contains(pinned))
            .map(|pinned| pinned.name.clone())
            .collect();
        self.manifest.merge(command.seq, &command.delta, &newly_pinned);
        self.pinned.clone_from(&command.delta.pinned);
        self.execution_count = command.delta.execution_count;
        self.outcomes.push(Outcome {
            seq: command.seq,
            msg_id: running.msg_id,
            reply: command.reply.clone(),
            outputs: command.outputs.clone(),
        });
        Applied::Finished { seq: command.seq }
    }
}
