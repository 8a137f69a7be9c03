//! Outcomes of cells, kept so that a request sent twice is answered, not run again, and lost outputs can be sent again.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::id::CellSeq;
use crate::message::JupyterMessage;

/// Replies and outputs kept in full, over all cells. A front end asks again within seconds, so a few megabytes last.
const KEPT_BYTES: usize = 4 << 20;

/// Cells whose `msg_id` is remembered: beyond this a request from the distant past would be run as new.
const REMEMBERED_IDS: usize = 4_096;

/// An iopub message of a cell and its number, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberedOutput {
    pub number: u64,
    pub message: JupyterMessage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub seq: CellSeq,
    pub msg_id: String,
    pub reply: JupyterMessage,
    pub outputs: Vec<NumberedOutput>,
}

impl Outcome {
    fn size(&self) -> usize {
        self.reply.size() + self.outputs.iter().map(|output| output.message.size()).sum::<usize>()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcomes {
    kept: VecDeque<Outcome>,
    kept_bytes: usize,
    ids: BTreeMap<String, CellSeq>,
    id_order: VecDeque<String>,
}

impl Outcomes {
    /// Position of the cell with this `msg_id`, if it has an outcome.
    pub(crate) fn seq_of(&self, msg_id: &str) -> Option<CellSeq> {
        self.ids.get(msg_id).copied()
    }

    /// The outcome itself; `None` once it made room for later ones.
    pub(crate) fn get(&self, seq: CellSeq) -> Option<&Outcome> {
        self.kept.iter().rev().find(|outcome| outcome.seq == seq)
    }

    pub(super) fn push(&mut self, outcome: Outcome) {
        self.ids.insert(outcome.msg_id.clone(), outcome.seq);
        self.id_order.push_back(outcome.msg_id.clone());
        if self.id_order.len() > REMEMBERED_IDS
            && let Some(oldest) = self.id_order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.kept_bytes += outcome.size();
        self.kept.push_back(outcome);
        // The newest outcome always stays: its client may not have seen it yet.
        while self.kept_bytes > KEPT_BYTES && self.kept.len() > 1 {
            if let Some(dropped) = self.kept.pop_front() {
                self.kept_bytes -= dropped.size();
            }
        }
    }
}
