//! Both framings of Jupyter messages in WebSocket frames. Pure; dictionaries and buffers pass byte for byte.
//!
//! *Legacy*: a text frame with one JSON object, or, with buffers, a binary frame: u32be count of parts, u32be offset of
//! each from the start of the frame, the JSON, the buffers.
//! *v1* (`v1.kernel.websocket.jupyter.org`): always binary: u64le count of offsets, u64le offsets (the last one is the
//! total length), then channel, header, parent header, metadata, content, buffers.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use nbos_kernel::protocol::Channel;
use nbos_kernel::{HeaderFields, JupyterMessage};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Sub-protocol name of the v1 framing; it must be selected when a client offers it.
pub(crate) const V1_PROTOCOL: &str = "v1.kernel.websocket.jupyter.org";

/// Parts of a v1 frame before the buffers.
const V1_FIXED_PARTS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Legacy,
    V1,
}

/// A frame's payload towards a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Valid UTF-8.
    Text(String),
    Binary(Bytes),
}

/// A client's message with the fields that routing needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inbound {
    pub(crate) channel: Channel,
    pub(crate) fields: HeaderFields,
    pub(crate) message: JupyterMessage,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the frame is shorter than its offsets say")]
    Truncated,
    #[error("the frame's offsets are out of order")]
    Offsets,
    #[error("{0} is not a JSON object")]
    NotAnObject(&'static str),
    #[error("the message is not a JSON object with a header")]
    NotAMessage,
    #[error("the header has no msg_id or no msg_type")]
    IncompleteHeader,
    #[error("a text frame came where the v1 framing has binary ones")]
    TextInV1,
}

impl Framing {
    /// Reads a text frame. `Ok(None)`: a message for a channel that clients may not write to; peers drop it too.
    pub(crate) fn decode_text(self, text: Bytes) -> Result<Option<Inbound>, Error> {
        match self {
            Self::Legacy => decode_json(&text, Vec::new()),
            Self::V1 => Err(Error::TextInV1),
        }
    }

    /// Reads a binary frame; `None` as above.
    pub(crate) fn decode_binary(self, frame: Bytes) -> Result<Option<Inbound>, Error> {
        match self {
            Self::Legacy => {
                let mut parts = legacy_parts(&frame)?.into_iter();
                let json = parts.next().ok_or(Error::Truncated)?;
                decode_json(&json, parts.collect())
            }
            Self::V1 => decode_v1(&frame),
        }
    }

    /// Writes a message for a client.
    pub(crate) fn encode(self, channel: Channel, message: &JupyterMessage) -> Payload {
        match self {
            Self::Legacy if message.buffers.is_empty() => match String::from_utf8(encode_json(channel, message)) {
                Ok(text) => Payload::Text(text),
                Err(error) => Payload::Text(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
            Self::Legacy => Payload::Binary(encode_legacy_binary(channel, message)),
            Self::V1 => Payload::Binary(encode_v1(channel, message)),
        }
    }
}

#[derive(Deserialize)]
struct LegacyMessage<'a> {
    #[serde(default, borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    header: &'a RawValue,
    #[serde(default, borrow)]
    parent_header: Option<&'a RawValue>,
    #[serde(default, borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
}

fn decode_json(json: &Bytes, buffers: Vec<Bytes>) -> Result<Option<Inbound>, Error> {
    if !starts_object(json) {
        return Err(Error::NotAMessage);
    }
    let legacy: LegacyMessage<'_> = serde_json::from_slice(json).map_err(|_| Error::NotAMessage)?;
    // A missing channel means shell: old clients leave it out.
    let channel = match legacy.channel.as_deref() {
        None => Some(Channel::Shell),
        Some(name) => writable_channel(name.as_bytes()),
    };
    let part = |raw: Option<&RawValue>, name| match raw {
        None => Ok(Bytes::from_static(b"{}")),
        Some(raw) => object(json.slice_ref(raw.get().as_bytes()), name),
    };
    let message = JupyterMessage {
        header: part(Some(legacy.header), "header")?,
        parent_header: part(legacy.parent_header, "parent_header")?,
        metadata: part(legacy.metadata, "metadata")?,
        content: part(legacy.content, "content")?,
        buffers,
    };
    finish(channel, message)
}

fn legacy_parts(frame: &Bytes) -> Result<Vec<Bytes>, Error> {
    let word = |index: usize| -> Result<usize, Error> {
        let at = index.checked_mul(4).ok_or(Error::Truncated)?;
        let bytes = frame.get(at..at + 4).ok_or(Error::Truncated)?;
        let array = <[u8; 4]>::try_from(bytes).map_err(|_| Error::Truncated)?;
        usize::try_from(u32::from_be_bytes(array)).map_err(|_| Error::Truncated)
    };
    let count = word(0)?;
    if count > frame.len() / 4 {
        return Err(Error::Truncated);
    }
    let mut offsets = (1..=count).map(word).collect::<Result<Vec<usize>, Error>>()?;
    offsets.push(frame.len());
    cut(frame, &offsets, 4 * (count + 1))
}

fn decode_v1(frame: &Bytes) -> Result<Option<Inbound>, Error> {
    let word = |index: usize| -> Result<usize, Error> {
        let at = index.checked_mul(8).ok_or(Error::Truncated)?;
        let bytes = frame.get(at..at + 8).ok_or(Error::Truncated)?;
        let array = <[u8; 8]>::try_from(bytes).map_err(|_| Error::Truncated)?;
        usize::try_from(u64::from_le_bytes(array)).map_err(|_| Error::Truncated)
    };
    let count = word(0)?;
    if count > frame.len() / 8 {
        return Err(Error::Truncated);
    }
    let offsets = (1..=count).map(word).collect::<Result<Vec<usize>, Error>>()?;
    if offsets.last() != Some(&frame.len()) {
        return Err(Error::Truncated);
    }
    let mut parts = cut(frame, &offsets, 8 * (count + 1))?;
    if parts.len() < V1_FIXED_PARTS {
        return Err(Error::Truncated);
    }
    let buffers = parts.split_off(V1_FIXED_PARTS);
    let mut parts = parts.into_iter();
    let mut next = || parts.next().ok_or(Error::Truncated);
    let channel = writable_channel(&next()?);
    let message = JupyterMessage {
        header: checked_object(next()?, "header")?,
        parent_header: checked_object(next()?, "parent_header")?,
        metadata: checked_object(next()?, "metadata")?,
        content: checked_object(next()?, "content")?,
        buffers,
    };
    finish(channel, message)
}

/// Cuts the frame at its offsets; the first part may not overlap the table of offsets.
fn cut(frame: &Bytes, offsets: &[usize], table: usize) -> Result<Vec<Bytes>, Error> {
    if offsets.first().is_some_and(|first| *first < table) {
        return Err(Error::Offsets);
    }
    let mut parts = Vec::with_capacity(offsets.len());
    for pair in offsets.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        if from > to {
            return Err(Error::Offsets);
        }
        if to > frame.len() {
            return Err(Error::Truncated);
        }
        parts.push(frame.slice(from..to));
    }
    Ok(parts)
}

fn finish(channel: Option<Channel>, message: JupyterMessage) -> Result<Option<Inbound>, Error> {
    let fields = message.header_fields().ok_or(Error::IncompleteHeader)?;
    if fields.msg_id.is_empty() || fields.msg_type.is_empty() {
        return Err(Error::IncompleteHeader);
    }
    Ok(channel.map(|channel| Inbound {
        channel,
        fields,
        message,
    }))
}

/// Channels a client may write to; `iopub` is the kernel's.
fn writable_channel(name: &[u8]) -> Option<Channel> {
    match name {
        b"shell" => Some(Channel::Shell),
        b"control" => Some(Channel::Control),
        b"stdin" => Some(Channel::Stdin),
        _ => None,
    }
}

/// A part that the JSON parser has seen: an object, or `null` and nothing for an empty one.
fn object(part: Bytes, name: &'static str) -> Result<Bytes, Error> {
    match part.as_ref() {
        b"" | b"null" => Ok(Bytes::from_static(b"{}")),
        _ if starts_object(&part) => Ok(part),
        _ => Err(Error::NotAnObject(name)),
    }
}

/// A part nobody has parsed yet: malformed JSON is refused here, where its sender can be told, not in the kernel.
fn checked_object(part: Bytes, name: &'static str) -> Result<Bytes, Error> {
    let part = object(part, name)?;
    let text = std::str::from_utf8(&part).map_err(|_| Error::NotAnObject(name))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Error::NotAnObject(name))?;
    Ok(part)
}

fn starts_object(json: &[u8]) -> bool {
    json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// `msg_id` and `msg_type` are repeated at the top: jupyter_server's gateway client reads them there.
fn encode_json(channel: Channel, message: &JupyterMessage) -> Vec<u8> {
    let fields = message.header_fields().unwrap_or_default();
    let mut json = Vec::with_capacity(message.size() + 256);
    json.extend_from_slice(b"{\"channel\":\"");
    json.extend_from_slice(channel.name().as_bytes());
    json.push(b'"');
    let parts = [
        ("header", &message.header),
        ("parent_header", &message.parent_header),
        ("metadata", &message.metadata),
        ("content", &message.content),
    ];
    for (name, part) in parts {
        put_key(&mut json, name);
        json.extend_from_slice(if part.is_empty() { b"{}" } else { part });
    }
    for (name, text) in [("msg_id", fields.msg_id), ("msg_type", fields.msg_type)] {
        put_key(&mut json, name);
        json.extend_from_slice(serde_json::Value::String(text).to_string().as_bytes());
    }
    if message.buffers.is_empty() {
        put_key(&mut json, "buffers");
        json.extend_from_slice(b"[]");
    }
    json.push(b'}');
    json
}

fn put_key(json: &mut Vec<u8>, name: &str) {
    json.extend_from_slice(b",\"");
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
}

fn encode_legacy_binary(channel: Channel, message: &JupyterMessage) -> Bytes {
    let json = encode_json(channel, message);
    let parts = 1 + message.buffers.len();
    let total = 4 * (parts + 1) + json.len() + message.buffers.iter().map(Bytes::len).sum::<usize>();
    let mut frame = BytesMut::with_capacity(total);
    frame.put_u32(word32(parts));
    let mut offset = 4 * (parts + 1);
    for length in std::iter::once(json.len()).chain(message.buffers.iter().map(Bytes::len)) {
        frame.put_u32(word32(offset));
        offset += length;
    }
    frame.extend_from_slice(&json);
    message
        .buffers
        .iter()
        .for_each(|buffer| frame.extend_from_slice(buffer));
    frame.freeze()
}

/// A legacy frame cannot name an offset above 4 GiB; the mesh carries no message of a sixtieth of that.
fn word32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn encode_v1(channel: Channel, message: &JupyterMessage) -> Bytes {
    let empty = Bytes::from_static(b"{}");
    let or_empty = |part: &Bytes| if part.is_empty() { empty.clone() } else { part.clone() };
    let fixed = [
        Bytes::from_static(channel.name().as_bytes()),
        or_empty(&message.header),
        or_empty(&message.parent_header),
        or_empty(&message.metadata),
        or_empty(&message.content),
    ];
    let offsets = fixed.len() + message.buffers.len() + 1;
    let table = 8 * (offsets + 1);
    let total = table + fixed.iter().chain(&message.buffers).map(Bytes::len).sum::<usize>();
    let mut frame = BytesMut::with_capacity(total);
    frame.put_u64_le(offsets as u64);
    let mut offset = table;
    for part in fixed.iter().chain(&message.buffers) {
        frame.put_u64_le(offset as u64);
        offset += part.len();
    }
    frame.put_u64_le(offset as u64);
    fixed
        .iter()
        .chain(&message.buffers)
        .for_each(|part| frame.extend_from_slice(part));
    frame.freeze()
}

#[cfg(test)]
mod tests;
