//! What a front end sends.

use bytes::Bytes;
use serde_json::json;

use crate::message::JupyterMessage;

/// What the kernel asks for.
pub(super) const KERNEL_GPUS: u32 = 1;

pub(super) fn request_message(id: &str, code: &str) -> JupyterMessage {
    let header = json!({"msg_id": id, "msg_type": "execute_request", "session": "s"});
    let mut message = JupyterMessage::build(
        &header,
        Bytes::from_static(b"{}"),
        &json!({"code": code, "stop_on_error": false}),
    );
    if let Some(gpus) = asked_in(code) {
        message.metadata = json!({"nbos": {"gpus": gpus}}).to_string().into();
    }
    message
}

/// GPUs that a cell cannot do without: those it asks for, else its kernel's, unless it uses none.
pub(super) fn gpus_in(code: &str) -> u32 {
    let free = code.contains("gpu-free");
    asked_in(code).unwrap_or(if free { 0 } else { KERNEL_GPUS })
}

fn asked_in(code: &str) -> Option<u32> {
    code.split(' ')
        .find_map(|word| word.strip_prefix("gpus=")?.parse().ok())
}
