//! A Jupyter message as raw parts: nothing a client wrote is parsed and written again on the way.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The four JSON dictionaries and the buffers of one message, byte for byte as they arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JupyterMessage {
    pub header: Bytes,
    pub parent_header: Bytes,
    pub metadata: Bytes,
    pub content: Bytes,
    pub buffers: Vec<Bytes>,
}

/// The fields of a header that routing needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HeaderFields {
    #[serde(default)]
    pub msg_id: String,
    #[serde(default)]
    pub msg_type: String,
    #[serde(default)]
    pub session: String,
}

impl JupyterMessage {
    /// Builds a message of our own from JSON values.
    pub fn build(header: &Value, parent_header: Bytes, content: &Value) -> Self {
        Self {
            header: Bytes::from(header.to_string()),
            parent_header,
            metadata: Bytes::from_static(b"{}"),
            content: Bytes::from(content.to_string()),
            buffers: Vec::new(),
        }
    }

    /// Routing fields of the header; `None` when the header is not a JSON object.
    pub fn header_fields(&self) -> Option<HeaderFields> {
        serde_json::from_slice(&self.header).ok()
    }

    /// Routing fields of the parent header; empty fields when there is no parent.
    pub fn parent_fields(&self) -> HeaderFields {
        serde_json::from_slice(&self.parent_header).unwrap_or_default()
    }

    /// Bytes it takes in a queue.
    pub fn size(&self) -> usize {
        let fixed = self.header.len() + self.parent_header.len() + self.metadata.len() + self.content.len();
        fixed + self.buffers.iter().map(Bytes::len).sum::<usize>()
    }
}

/// `execution_state` of a status message.
pub fn execution_state(message: &JupyterMessage) -> Option<String> {
    let content: Value = serde_json::from_slice(&message.content).ok()?;
    content.get("execution_state")?.as_str().map(str::to_owned)
}
