//! What a front end sends.

use bytes::Bytes;
use serde_json::json;

use crate::message::JupyterMessage;

pub(super) fn request_message(id: &str, code: &str) -> JupyterMessage {
    let header = json!({"msg_id": id, "msg_type": "execute_request", "session": "s"});
    let mut message = JupyterMessage::build(
        &header,
        Bytes::from_static(b"{}"),
        &json!({"code": code, "stop_on_error": false}),
    );
    message.metadata = json!({"nbos": {"gpus": gpus_in(code)}}).to_string().into();
    message
}

/// GPUs that a cell's code says it needs.
pub(super) fn gpus_in(code: &str) -> u32 {
    code.split(' ')
        .find_map(|word| word.strip_prefix("gpus=")?.parse().ok())
        .unwrap_or(0)
}
