//! How a cell ends on its executor: its change is stored and committed, or it is cut, refused or void; then its clients hear.

use serde_json::Value;

use super::cell::{Cell, Phase};
use super::child::complete_pinned;
use super::event::Failure;
use super::{Action, Core, Recipients};
use crate::id::CellSeq;
use crate::message::JupyterMessage;
use crate::protocol::{CellOutput, Channel, EventBody, ExecutionState};
use crate::state::{AbortReason, CellAborted, CellFinished, Command, Delta, Group, NumberedOutput};

/// How a cell is cut.
pub(super) struct Cut {
    pub(super) reason: AbortReason,
    /// More about it, for people.
    pub(super) cause: Option<String>,
    /// Of its last output, 0 when that is not known.
    pub(super) last_number: u64,
}

impl Cut {
    /// By another replica, or another life of this one.
    pub(super) fn lost() -> Self {
        Self {
            reason: AbortReason::ExecutorLost,
            cause: None,
            last_number: 0,
        }
    }
}

impl Core {
    /// The session was restarted under a cell: whoever sent it learns that it has no effect.
    pub(super) fn void_cell(&mut self, cell: &Cell) {
        if cell.gpus > 0 {
            self.actions.push(Action::ReleaseLease);
        }
        let header = cell.message.header.clone();
        let content = serde_json::json!({"status": "aborted", "execution_count": self.state.execution_count()});
        let reply = JupyterMessage::build(&self.header("execute_reply"), header.clone(), &content);
        let idle = self.status_message(ExecutionState::Idle, header);
        self.answer_cell(cell, &reply, None);
        self.publish(EventBody::Iopub {
            cell: None,
            message: idle,
        });
    }

    /// The process that ran the cell is gone.
    pub(super) fn cell_lost_child(&mut self) {
        let Some(cell) = &self.cell else {
            return;
        };
        let seq = match cell.phase {
            Phase::Running { seq } | Phase::Storing { seq } => seq,
            Phase::Ready { seq } if self.child_failure().is_some() || cell.lease_lost.is_some() => seq,
            Phase::Asking { .. }
            | Phase::Moving { .. }
            | Phase::Leasing
            | Phase::Electing
            | Phase::Starting
            | Phase::Ready { .. }
            | Phase::Committing { .. } => return,
        };
        let reason = if cell.fenced || cell.lease_lost.is_some() {
            AbortReason::ExecutorLost
        } else if cell.not_stored.is_some() {
            AbortReason::NotStored
        } else {
            AbortReason::KernelDied
        };
        let not_stored = || cell.not_stored.as_ref().map(Failure::to_string);
        let cause = cell.lease_lost.clone().or_else(not_stored);
        if let Some(arrival) = cell.arrival {
            // Found after the cell's own change, which is lost: no session has that.
            self.scrubs.retain(|scrub| scrub.arrival < arrival);
        }
        let header = cell.message.header.clone();
        let next_number = cell.next_number;
        let gpus = cell.gpus;
        let epoch = self.state.epoch();
        let end = Cut {
            reason,
            cause,
            last_number: next_number,
        };
        let command = self.abort_command(seq, epoch, header, &end);
        if let Some(cell) = self.cell.as_mut() {
            cell.phase = Phase::Committing { seq };
            cell.phase_since = self.now;
        }
        if gpus > 0 {
            self.actions.push(Action::ReleaseLease);
        }
        self.propose(command);
    }

    pub(super) fn abort_command(
        &mut self,
        seq: CellSeq,
        epoch: crate::id::Epoch,
        header: bytes::Bytes,
        end: &Cut,
    ) -> Command {
        let Cut {
            reason,
            ref cause,
            last_number,
        } = *end;
        let mut evalue = format!("{}: {}", reason.code(), reason.explanation());
        if let Some(cause) = cause {
            evalue = format!("{evalue} ({cause})");
        }
        let error = self.error_output(header.clone(), reason.ename(), &evalue);
        let idle = self.status_message(ExecutionState::Idle, header.clone());
        // A successor does not know how far the lost executor's numbers went: these are beyond any.
        let first = if last_number > 0 { last_number + 1 } else { u64::MAX - 1 };
        Command::CellAborted(CellAborted {
            seq,
            epoch,
            executor: self.me,
            reason,
            reply: self.error_reply(header, reason.ename(), &evalue),
            outputs: vec![
                NumberedOutput {
                    number: first,
                    message: error,
                },
                NumberedOutput {
                    number: first + 1,
                    message: idle,
                },
            ],
        })
    }

    pub(super) fn finish(&mut self, seq: CellSeq) {
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        let groups = cell.delta.as_ref().map_or(&[][..], |delta| &delta.groups);
        let chunks: Vec<_> = groups.iter().flat_map(Group::chunks).copied().collect();
        if chunks.is_empty() {
            return self.propose_finish(seq);
        }
        let bytes = groups.iter().map(Group::stored_bytes).sum();
        let Some(change) = cell.arrival else {
            return;
        };
        cell.phase = Phase::Storing { seq };
        cell.phase_since = self.now;
        self.actions.push(Action::Store { change, chunks, bytes });
    }

    pub(super) fn propose_finish(&mut self, seq: CellSeq) {
        let epoch = self.state.epoch();
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        let (Some(reply), Some(idle), Some(delta)) = (cell.reply.clone(), cell.idle.clone(), cell.delta.take()) else {
            return;
        };
        // The final idle is the cell's last output.
        cell.next_number += 1;
        cell.outputs.push(NumberedOutput {
            number: cell.next_number,
            message: idle,
        });
        cell.phase = Phase::Committing { seq };
        cell.phase_since = self.now;
        let outputs = std::mem::take(&mut cell.outputs);
        let pinned = complete_pinned(
            delta.pinned,
            self.state.pinned(),
            self.host.as_str(),
            delta.execution_count,
        );
        let delta = Delta {
            groups: delta.groups,
            deleted: delta.deleted,
            pinned,
            execution_count: delta.execution_count,
        };
        self.propose(Command::CellFinished(Box::new(CellFinished {
            seq,
            epoch,
            reply,
            outputs,
            delta,
        })));
    }

    pub(super) fn cell_finished(&mut self, finished: &CellFinished, seq: CellSeq) {
        let Some(cell) = self.take_cell(seq) else {
            return;
        };
        if cell.ran_in == self.children {
            self.child_has_newest();
        }
        self.answer_cell(&cell, &finished.reply, finished.outputs.last());
        if stops_queue(&cell.message, &finished.reply) {
            self.abort_queue();
        }
    }

    pub(super) fn cell_aborted(&mut self, aborted: &CellAborted, seq: CellSeq) {
        let Some(cell) = self.take_cell(seq) else {
            return;
        };
        if cell.ran_in == self.children {
            // It holds what the cell did before it was cut.
            self.kill_child();
        }
        for output in &aborted.outputs {
            let place = CellOutput {
                msg_id: cell.msg_id.clone(),
                number: output.number,
            };
            self.publish(EventBody::Iopub {
                cell: Some(place),
                message: output.message.clone(),
            });
        }
        self.answer_cell(&cell, &aborted.reply, None);
        if stops_queue(&cell.message, &aborted.reply) {
            self.abort_queue();
        }
    }

    /// The cell at this position has its outcome. If it was still running here, what the child holds is not that outcome.
    pub(super) fn take_cell(&mut self, seq: CellSeq) -> Option<Cell> {
        let cell = self.cell.take_if(|cell| match cell.phase {
            Phase::Ready { seq: at }
            | Phase::Running { seq: at }
            | Phase::Storing { seq: at }
            | Phase::Committing { seq: at } => at == seq,
            Phase::Asking { .. } | Phase::Moving { .. } | Phase::Leasing | Phase::Electing | Phase::Starting => false,
        })?;
        if matches!(cell.phase, Phase::Running { .. } | Phase::Storing { .. }) {
            self.kill_child();
        }
        if cell.gpus > 0 {
            // Another replica may have ended it, while it ran here.
            self.actions.push(Action::ReleaseLease);
        }
        Some(cell)
    }

    pub(super) fn answer_cell(&mut self, cell: &Cell, reply: &JupyterMessage, idle: Option<&NumberedOutput>) {
        for origin in &cell.origins {
            let to = Recipients::One(origin.gateway.clone());
            let body = EventBody::Reply {
                origin: origin.clone(),
                channel: Channel::Shell,
                message: reply.clone(),
            };
            self.actions.push(Action::Publish { to, body });
        }
        if let Some(idle) = idle {
            let place = CellOutput {
                msg_id: cell.msg_id.clone(),
                number: idle.number,
            };
            self.publish(EventBody::Iopub {
                cell: Some(place),
                message: idle.message.clone(),
            });
        }
    }

    /// A cell failed: those that were sent with it are answered `aborted`, as a local kernel does.
    pub(super) fn abort_queue(&mut self) {
        self.queue_bytes = 0;
        for queued in std::mem::take(&mut self.queue) {
            let parent = queued.message.header;
            let content = serde_json::json!({"status": "aborted", "execution_count": self.state.execution_count()});
            let busy = self.status_message(ExecutionState::Busy, parent.clone());
            let header = self.header("execute_reply");
            let reply = JupyterMessage::build(&header, parent.clone(), &content);
            let idle = self.status_message(ExecutionState::Idle, parent);
            self.publish(EventBody::Iopub {
                cell: None,
                message: busy,
            });
            for origin in queued.origins {
                let to = Recipients::One(origin.gateway.clone());
                let body = EventBody::Reply {
                    origin,
                    channel: Channel::Shell,
                    message: reply.clone(),
                };
                self.actions.push(Action::Publish { to, body });
            }
            self.publish(EventBody::Iopub {
                cell: None,
                message: idle,
            });
        }
    }

    /// Ends a cell that never started, with an error.
    pub(super) fn refuse_cell(&mut self, ename: &str, evalue: &str) {
        let Some(cell) = self.cell.take() else {
            return;
        };
        let header = cell.message.header.clone();
        let error = self.error_output(header.clone(), ename, evalue);
        let idle = self.status_message(ExecutionState::Idle, header.clone());
        let reply = self.error_reply(header, ename, evalue);
        self.publish(EventBody::Iopub {
            cell: None,
            message: error,
        });
        self.answer_cell(&cell, &reply, None);
        self.publish(EventBody::Iopub {
            cell: None,
            message: idle,
        });
        if stops_queue(&cell.message, &reply) {
            self.abort_queue();
        }
    }
}

/// A failed cell stops those behind it, unless its request said otherwise (`stop_on_error`, true by default).
fn stops_queue(request: &JupyterMessage, reply: &JupyterMessage) -> bool {
    let field =
        |bytes: &[u8], name: &str| -> Option<Value> { serde_json::from_slice::<Value>(bytes).ok()?.get(name).cloned() };
    let failed = field(&reply.content, "status").is_some_and(|status| status != "ok");
    failed
        && field(&request.content, "stop_on_error")
            .and_then(|stop| stop.as_bool())
            .unwrap_or(true)
}
