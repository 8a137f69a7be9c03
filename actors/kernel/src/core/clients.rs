//! What clients see: outputs numbered within their cell, replies to whom they belong, status.

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;

use super::{Action, Core, Recipients};
use crate::core::cell::Phase;
use crate::core::needs::explain;
use crate::id::CellSeq;
use crate::message::JupyterMessage;
use crate::protocol::{CellOutput, Channel, EventBody, ExecutionState, Origin};
use crate::state::{NumberedOutput, Outcome};

/// Requests whose sender is remembered.
const MAX_ORIGINS: usize = 4_096;

/// `msg_id` → who sent it, oldest dropped first.
#[derive(Default)]
pub(super) struct Origins {
    by_id: BTreeMap<String, Origin>,
    order: VecDeque<String>,
}

impl Origins {
    pub(super) fn insert(&mut self, msg_id: &str, origin: Origin) {
        if self.by_id.insert(msg_id.to_owned(), origin).is_none() {
            self.order.push_back(msg_id.to_owned());
        }
        if self.order.len() > MAX_ORIGINS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }

    pub(super) fn get(&self, msg_id: &str) -> Option<&Origin> {
        self.by_id.get(msg_id)
    }
}

impl Core {
    pub(super) fn publish(&mut self, body: EventBody) {
        self.actions.push(Action::Publish {
            to: Recipients::Subscribers,
            body,
        });
    }

    pub(super) fn publish_status(&mut self, state: ExecutionState) {
        let message = self.status_message(state, JupyterMessage::default().header);
        self.publish(EventBody::Iopub { cell: None, message });
    }

    pub(super) fn status_message(&mut self, state: ExecutionState, parent: bytes::Bytes) -> JupyterMessage {
        let parent = if parent.is_empty() {
            bytes::Bytes::from_static(b"{}")
        } else {
            parent
        };
        JupyterMessage::build(
            &self.header("status"),
            parent,
            &json!({ "execution_state": state.name() }),
        )
    }

    /// A header of our own.
    pub(super) fn header(&mut self, msg_type: &str) -> serde_json::Value {
        self.messages += 1;
        json!({
            "msg_id": format!("nbos-{}-{}-{}", self.me.replica, self.now, self.messages),
            "msg_type": msg_type,
            "session": self.kernel.to_string(),
            "username": "nbos",
            "date": crate::time::iso8601(self.now),
            "version": "5.4",
        })
    }

    /// An iopub message of the child: one of the running cell's is numbered and kept, its final `idle` held until the commit.
    pub(super) fn iopub_from_child(&mut self, message: JupyterMessage) {
        self.last_activity = self.now;
        let now = self.now;
        let parent = message.parent_fields();
        let Some(cell) = self
            .cell
            .as_mut()
            .filter(|cell| cell.msg_id == parent.msg_id && matches!(cell.phase, Phase::Running { .. }))
        else {
            return self.publish(EventBody::Iopub { cell: None, message });
        };
        let msg_type = message.header_fields().unwrap_or_default().msg_type;
        if msg_type == "status" && crate::message::execution_state(&message).as_deref() == Some("idle") {
            cell.idle = Some(message);
            cell.heard = now;
            return;
        }
        if msg_type == "execute_input" && std::mem::take(&mut cell.interrupt_at_start) {
            self.actions.push(Action::Child(super::ChildCommand::Interrupt));
        }
        let number = cell.keep_output(&message);
        let output = CellOutput {
            msg_id: cell.msg_id.clone(),
            number,
        };
        self.publish(EventBody::Iopub {
            cell: Some(output),
            message,
        });
    }

    /// A reply or input request of the child goes to whoever asked; the running cell's reply is held until the commit.
    pub(super) fn reply_from_child(&mut self, channel: Channel, message: JupyterMessage) {
        self.last_activity = self.now;
        let parent = message.parent_fields();
        if channel == Channel::Shell
            && let Some(cell) = self.cell.as_mut().filter(|cell| cell.msg_id == parent.msg_id)
        {
            let mut message = message;
            if cell.gpus > 0 || self.spec.gpus > 0 {
                explain(&mut message, cell.gpus, &cell.source);
            }
            cell.reply = Some(message);
            return;
        }
        if let Some(origin) = self.origin_of(&parent.msg_id) {
            let to = Recipients::One(origin.gateway.clone());
            self.actions.push(Action::Publish {
                to,
                body: EventBody::Reply {
                    origin,
                    channel,
                    message,
                },
            });
        }
    }

    /// Sends a finished cell's outputs and reply to someone who asks (again).
    pub(super) fn replay(&mut self, seq: CellSeq, msg_id: &str, origin: &Origin) {
        let to = || Recipients::One(origin.gateway.clone());
        let Some(outcome) = self.state.outcomes().get(seq).cloned() else {
            let reply = self.error_reply(
                origin_header(msg_id),
                "OutcomeForgotten",
                "NB0403: this cell was run long ago; its reply is no longer kept and it was not run again",
            );
            let body = EventBody::Reply {
                origin: origin.clone(),
                channel: Channel::Shell,
                message: reply,
            };
            self.actions.push(Action::Publish { to: to(), body });
            return;
        };
        let Outcome { reply, outputs, .. } = outcome;
        for NumberedOutput { number, message } in outputs {
            let cell = Some(CellOutput {
                msg_id: msg_id.to_owned(),
                number,
            });
            self.actions.push(Action::Publish {
                to: to(),
                body: EventBody::Iopub { cell, message },
            });
        }
        let body = EventBody::Reply {
            origin: origin.clone(),
            channel: Channel::Shell,
            message: reply,
        };
        self.actions.push(Action::Publish { to: to(), body });
    }

    pub(super) fn error_reply(&mut self, parent: bytes::Bytes, ename: &str, evalue: &str) -> JupyterMessage {
        let content = json!({
            "status": "error", "ename": ename, "evalue": evalue, "traceback": [format!("{ename}: {evalue}")],
            "execution_count": self.state.execution_count(), "user_expressions": {}, "payload": [],
        });
        JupyterMessage::build(&self.header("execute_reply"), parent, &content)
    }

    /// A line on the stderr of the cell with this header, or of none.
    pub(super) fn stderr(&mut self, parent: Option<bytes::Bytes>, text: &str) -> JupyterMessage {
        let parent = parent.unwrap_or_else(|| bytes::Bytes::from_static(b"{}"));
        JupyterMessage::build(&self.header("stream"), parent, &json!({"name": "stderr", "text": text}))
    }

    pub(super) fn error_output(&mut self, parent: bytes::Bytes, ename: &str, evalue: &str) -> JupyterMessage {
        let content = json!({"ename": ename, "evalue": evalue, "traceback": [format!("{ename}: {evalue}")]});
        JupyterMessage::build(&self.header("error"), parent, &content)
    }
}

fn origin_header(msg_id: &str) -> bytes::Bytes {
    bytes::Bytes::from(json!({ "msg_id": msg_id, "msg_type": "execute_request" }).to_string())
}
