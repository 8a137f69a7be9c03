//! Jupyter's ZMQ wire format: `[identities…, <IDS|MSG>, signature, header, parent, metadata, content, buffers…]`.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeromq::ZmqMessage;

use crate::message::JupyterMessage;

const DELIMITER: &[u8] = b"<IDS|MSG>";

/// Signs and verifies with a kernel's key.
#[derive(Clone)]
pub(super) struct Signer {
    mac: Hmac<Sha256>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("a kernel message has no delimiter")]
    NoDelimiter,
    #[error("a kernel message has {0} parts after the delimiter")]
    TooFewParts(usize),
    #[error("a kernel message has a wrong signature")]
    WrongSignature,
}

impl Signer {
    pub(super) fn new(key: &str) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("invariant: HMAC takes a key of any length");
        Self { mac }
    }

    pub(super) fn encode(&self, message: &JupyterMessage) -> ZmqMessage {
        let signature = hex(&self.digest(message).finalize().into_bytes());
        let mut zmq = ZmqMessage::from(Bytes::from_static(DELIMITER));
        zmq.push_back(Bytes::from(signature));
        for part in [
            &message.header,
            &message.parent_header,
            &message.metadata,
            &message.content,
        ] {
            zmq.push_back(part.clone());
        }
        for buffer in &message.buffers {
            zmq.push_back(buffer.clone());
        }
        zmq
    }

    pub(super) fn decode(&self, zmq: ZmqMessage) -> Result<JupyterMessage, Error> {
        let mut parts = zmq
            .into_vecdeque()
            .into_iter()
            .skip_while(|part| part.as_ref() != DELIMITER);
        parts.next().ok_or(Error::NoDelimiter)?;
        let parts: Vec<Bytes> = parts.collect();
        let [signature, header, parent_header, metadata, content, buffers @ ..] = parts.as_slice() else {
            return Err(Error::TooFewParts(parts.len()));
        };
        let message = JupyterMessage {
            header: header.clone(),
            parent_header: parent_header.clone(),
            metadata: metadata.clone(),
            content: content.clone(),
            buffers: buffers.to_vec(),
        };
        let claimed = unhex(signature).ok_or(Error::WrongSignature)?;
        self.digest(&message)
            .verify_slice(&claimed)
            .map_err(|_| Error::WrongSignature)?;
        Ok(message)
    }

    fn digest(&self, message: &JupyterMessage) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        for part in [
            &message.header,
            &message.parent_header,
            &message.metadata,
            &message.content,
        ] {
            mac.update(part);
        }
        mac
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() % 2 == 0)?;
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> JupyterMessage {
        JupyterMessage {
            header: Bytes::from_static(b"{\"msg_id\":\"1\"}"),
            parent_header: Bytes::from_static(b"{}"),
            metadata: Bytes::from_static(b"{}"),
            content: Bytes::from_static(b"{\"code\":\"1\"}"),
            buffers: vec![Bytes::from_static(b"\x00\xff")],
        }
    }

    #[test]
    fn a_message_survives_the_wire() {
        let signer = Signer::new("key");
        assert_eq!(signer.decode(signer.encode(&message())).expect("valid"), message());
    }

    #[test]
    fn a_changed_message_is_refused() {
        let signer = Signer::new("key");
        let forged = Signer::new("another key").encode(&message());
        assert!(matches!(signer.decode(forged), Err(Error::WrongSignature)));
        assert!(matches!(signer.decode(ZmqMessage::from("x")), Err(Error::NoDelimiter)));
    }
}
