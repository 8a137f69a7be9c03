//! The two framings of a kernel WebSocket, as jupyter_server documents them ("websocket protocols").

use bytes::Bytes;
use serde_json::{Map, Value};

use super::error::Error;
use super::message::{Channel, Message, text};

/// The subprotocol's name; without it the framing is the older one.
pub(super) const V1: &str = "v1.kernel.websocket.jupyter.org";

/// A WebSocket message of either kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    Text(String),
    Binary(Vec<u8>),
}

/// v1: u64le count of offsets, that many u64le offsets (the last one is the length), then the parts: channel, four JSON
/// dictionaries, buffers.
pub(super) fn encode_v1(message: &Message) -> Frame {
    let dictionaries = [
        &message.header,
        &message.parent_header,
        &message.metadata,
        &message.content,
    ];
    let mut parts = vec![message.channel.name().as_bytes().to_vec()];
    parts.extend(dictionaries.map(|value| value.to_string().into_bytes()));
    parts.extend(message.buffers.iter().map(|buffer| buffer.to_vec()));

    let head = 8 * (parts.len() + 2);
    let mut frame = Vec::with_capacity(head + parts.iter().map(Vec::len).sum::<usize>());
    frame.extend((parts.len() as u64 + 1).to_le_bytes());
    let mut offset = head as u64;
    frame.extend(offset.to_le_bytes());
    for part in &parts {
        offset += part.len() as u64;
        frame.extend(offset.to_le_bytes());
    }
    frame.extend(parts.into_iter().flatten());
    Frame::Binary(frame)
}

pub(super) fn decode_v1(frame: &Bytes) -> Result<Message, Error> {
    let number = |index: usize| -> Option<usize> {
        let bytes = frame.get(index.checked_mul(8)?..)?.get(..8)?;
        usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let count = number(0)
        .filter(|count| *count <= frame.len() / 8)
        .ok_or_else(|| malformed("offsets"))?;
    let offsets: Option<Vec<usize>> = (1..=count).map(number).collect();
    let offsets = offsets.ok_or_else(|| malformed("offsets"))?;
    let parts: Option<Vec<Bytes>> = offsets.windows(2).map(|pair| slice(frame, pair[0], pair[1])).collect();
    let parts = parts.ok_or_else(|| malformed("offsets"))?;
    let [channel, header, parent_header, metadata, content, buffers @ ..] = parts.as_slice() else {
        return Err(malformed("fewer than five parts"));
    };
    let channel = std::str::from_utf8(channel)
        .ok()
        .and_then(Channel::parse)
        .ok_or_else(|| malformed("channel"))?;
    let json = |bytes: &Bytes| serde_json::from_slice(bytes).map_err(|error| Error::Malformed(error.to_string()));
    Ok(Message {
        channel,
        header: json(header)?,
        parent_header: json(parent_header)?,
        metadata: json(metadata)?,
        content: json(content)?,
        buffers: buffers.to_vec(),
    })
}

/// The older framing: one JSON object, in a text frame; with buffers a binary frame of u32be count, u32be offsets, the JSON, the
/// buffers.
pub(super) fn encode_legacy(message: &Message) -> Frame {
    let mut object = Map::new();
    object.insert("channel".into(), message.channel.name().into());
    object.insert("header".into(), message.header.clone());
    object.insert("parent_header".into(), message.parent_header.clone());
    object.insert("metadata".into(), message.metadata.clone());
    object.insert("content".into(), message.content.clone());
    if message.buffers.is_empty() {
        object.insert("buffers".into(), Value::Array(Vec::new()));
        return Frame::Text(Value::Object(object).to_string());
    }
    let json = Value::Object(object).to_string().into_bytes();
    let count = message.buffers.len() + 1;
    let mut frame = Vec::new();
    frame.extend((count as u32).to_be_bytes());
    let mut offset = 4 * (count + 1);
    for length in std::iter::once(json.len()).chain(message.buffers.iter().map(Bytes::len)) {
        frame.extend((offset as u32).to_be_bytes());
        offset += length;
    }
    frame.extend(json);
    frame.extend(message.buffers.iter().flatten());
    Frame::Binary(frame)
}

pub(super) fn decode_legacy_text(frame: &str) -> Result<Message, Error> {
    from_object(frame.as_bytes(), Vec::new())
}

pub(super) fn decode_legacy_binary(frame: &Bytes) -> Result<Message, Error> {
    let number = |index: usize| -> Option<usize> {
        let bytes = frame.get(index.checked_mul(4)?..)?.get(..4)?;
        usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
    };
    let count = number(0)
        .filter(|count| (1..=frame.len() / 4).contains(count))
        .ok_or_else(|| malformed("offsets"))?;
    let offsets: Option<Vec<usize>> = (1..=count).map(number).collect();
    let mut offsets = offsets.ok_or_else(|| malformed("offsets"))?;
    offsets.push(frame.len());
    let parts: Option<Vec<Bytes>> = offsets.windows(2).map(|pair| slice(frame, pair[0], pair[1])).collect();
    let mut parts = parts.ok_or_else(|| malformed("offsets"))?;
    let json = parts.remove(0);
    from_object(&json, parts)
}

fn from_object(json: &[u8], buffers: Vec<Bytes>) -> Result<Message, Error> {
    let mut object: Value = serde_json::from_slice(json).map_err(|error| Error::Malformed(error.to_string()))?;
    let channel = Channel::parse(text(&object, "channel")).ok_or_else(|| malformed("channel"))?;
    let mut take = |key: &str| object.get_mut(key).map(Value::take).unwrap_or_default();
    Ok(Message {
        channel,
        header: take("header"),
        parent_header: take("parent_header"),
        metadata: take("metadata"),
        content: take("content"),
        buffers,
    })
}

fn slice(frame: &Bytes, start: usize, end: usize) -> Option<Bytes> {
    (start <= end && end <= frame.len()).then(|| frame.slice(start..end))
}

fn malformed(what: &str) -> Error {
    Error::Malformed(format!("bad {what}"))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
