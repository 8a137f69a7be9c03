//! `Restarted`: the user asked for an empty namespace. A running cell ends without effect.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Applied, Executor, KernelState, Manifest, Outcome};
use crate::id::Epoch;
use crate::message::JupyterMessage;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restarted {
    /// One above the session's epoch.
    pub epoch: Epoch,
    pub executor: Executor,
}

impl KernelState {
    pub(super) fn restarted(&mut self, command: &Restarted) -> Applied {
        if command.epoch != self.epoch.next() {
            return Applied::Stale;
        }
        if let Some(running) = self.running.take() {
            self.cells = running.seq;
            let header = json!({
                "msg_id": format!("{}-aborted", running.msg_id),
                "msg_type": "execute_reply", "session": "", "username": "", "version": "5.4",
            });
            let content = json!({"status": "aborted", "execution_count": self.execution_count});
            self.outcomes.push(Outcome {
                seq: running.seq,
                msg_id: running.msg_id,
                reply: JupyterMessage::build(&header, running.header, &content),
                outputs: Vec::new(),
            });
        }
        self.epoch = command.epoch;
        self.executor = Some(command.executor);
        self.generation += 1;
        self.version = self.version.next();
        self.execution_count = 0;
        self.manifest = Manifest::default();
        self.pinned = Vec::new();
        Applied::Restarted
    }
}
