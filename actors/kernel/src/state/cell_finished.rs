//! `CellFinished`: the cell's reply, outputs and change of state become the session's, all or nothing.

use serde::{Deserialize, Serialize};

use super::{Applied, Delta, KernelState, NumberedOutput, Outcome};
use crate::id::{CellSeq, Epoch};
use crate::message::JupyterMessage;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CellFinished {
    pub seq: CellSeq,
    pub epoch: Epoch,
    pub reply: JupyterMessage,
    pub outputs: Vec<NumberedOutput>,
    pub delta: Delta,
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
        self.take_in(&command.delta);
        self.outcomes.push(Outcome {
            seq: command.seq,
            msg_id: running.msg_id,
            reply: command.reply.clone(),
            outputs: command.outputs.clone(),
        });
        Applied::Finished { seq: command.seq }
    }
}
