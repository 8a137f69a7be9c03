//! Messages that the gateway itself sends to clients.

use bytes::Bytes;
use nbos_kernel::JupyterMessage;
use nbos_kernel::protocol::Channel;
use serde_json::{Value, json};
use uuid::Uuid;

use super::event::{Failure, Notice};
use nbos_kernel::time::iso8601;

use crate::clock::unix_micros;
use crate::error::Error;

/// Version of the Jupyter messaging protocol that the messages below keep to.
const PROTOCOL_VERSION: &str = "5.4";

/// The three messages that end an execute request nobody carried out.
pub(crate) fn failed_execute(request: &JupyterMessage, failure: &Failure) -> [(Channel, JupyterMessage); 3] {
    let (name, text) = describe(failure);
    let error = json!({"ename": name, "evalue": text, "traceback": [format!("{name}: {text}")]});
    let mut reply = error.clone();
    reply["status"] = json!("error");
    reply["execution_count"] = json!(0);
    let message = |msg_type: &str, content: &Value| child(&request.header, msg_type, content);
    [
        (Channel::Iopub, message("error", &error)),
        (Channel::Shell, message("execute_reply", &reply)),
        (Channel::Iopub, message("status", &json!({"execution_state": "idle"}))),
    ]
}

/// A line on stderr, shown with the output of `parent`.
pub(crate) fn notice(parent: &Bytes, notice: Notice) -> JupyterMessage {
    let text = match notice {
        Notice::OutputLost => "[NB0515] output lost: it is no longer held by the kernel's host\n",
    };
    stderr(parent, text)
}

/// What a client is told that did not read its output in time.
pub(crate) fn dropped(parent: &Bytes) -> JupyterMessage {
    stderr(
        parent,
        "[NB0515] output lost: this client reads more slowly than the kernel writes\n",
    )
}

fn stderr(parent: &Bytes, text: &str) -> JupyterMessage {
    child(parent, "stream", &json!({"name": "stderr", "text": text}))
}

fn child(parent: &Bytes, msg_type: &str, content: &Value) -> JupyterMessage {
    let header = json!({
        "msg_id": Uuid::new_v4().simple().to_string(),
        "msg_type": msg_type,
        "session": "nbos-gateway",
        "username": "nbos",
        "date": iso8601(unix_micros()),
        "version": PROTOCOL_VERSION,
    });
    JupyterMessage::build(&header, parent.clone(), content)
}

fn describe(failure: &Failure) -> (&'static str, String) {
    match failure {
        Failure::Unreachable => (
            "KernelUnreachable",
            "[NB0511] no replica of the kernel took the cell in time; run it again".to_owned(),
        ),
        Failure::TooManyPending => {
            let error = Error::TooManyPending;
            ("TooManyPending", format!("[{}] {error}", error.code()))
        }
        Failure::Refused { code, message } => ("Refused", format!("[{code}] {message}")),
    }
}
