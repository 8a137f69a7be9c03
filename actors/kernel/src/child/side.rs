//! Frames of the side channel between the replica and its Python child: a plain JSON header and an opaque body.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use nbos_objects::BlobId;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::buffers::Buffers;
use crate::chunks::Chunks;
use crate::core::{Apply, Captured, GpuUse, RawDelta, RawPinned, Released};
use crate::protocol::Pinned;
use crate::state::{Buffer, CHUNK_BYTES, Group};

/// A header names variables and chunks, not their values: 67 bytes a chunk of 4 MiB.
const MAX_HEADER: u32 = 64 << 20;

/// What a change keeps outside chunks. The shim keeps to 512 KiB; the rest is room for its growth.
const MAX_BODY: u64 = 64 << 20;

/// Chunks read ahead of the child.
const READ_AHEAD: usize = 4;

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the side channel broke")]
    Io(#[from] std::io::Error),
    #[error("a side-channel frame of {header} + {body} bytes is too large")]
    TooLarge { header: u32, body: u64 },
    #[error("a side-channel header is not valid")]
    Header(#[from] serde_json::Error),
    #[error("a side-channel frame's groups do not add up to its body")]
    Sizes,
    #[error("the side channel names a chunk {0:?}")]
    Chunk(String),
    #[error("a chunk for the child cannot be read")]
    Object(#[from] nbos_objects::Error),
}

/// From the child.
#[derive(Debug, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Header {
    Hello {},
    Chunk {
        id: String,
    },
    Delta {
        #[serde(default)]
        kind: Kind,
        msg_id: Option<String>,
        #[serde(default)]
        scrub: Option<u64>,
        groups: Vec<GroupHeader>,
        deleted: Vec<String>,
        pinned: Vec<RawPinned>,
        execution_count: u64,
    },
    Applied {
        id: u64,
        failed: Vec<Failed>,
    },
    Need {
        id: u64,
        keys: Vec<String>,
    },
    Touched {
        id: u64,
        names: Vec<String>,
        gpu: GpuUse,
    },
    Begun {},
    Released(Released),
    Pong {},
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Cell,
    Scrub,
}

#[derive(Debug, Serialize, Deserialize)]
struct GroupHeader {
    key: String,
    names: Vec<String>,
    rank: u8,
    /// Inline bytes.
    size: u64,
    #[serde(default)]
    buffers: Vec<BufferHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct BufferHeader {
    size: u64,
    chunks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct DeferredHeader<'a> {
    key: &'a str,
    names: &'a [String],
    rank: u8,
    /// All bytes.
    size: u64,
}

#[derive(Debug, Serialize)]
struct MissingHeader<'a> {
    key: &'a str,
    names: &'a [String],
    why: &'a str,
}

#[derive(Debug, Deserialize)]
struct Failed {
    key: String,
    why: String,
}

/// To the child.
pub(crate) enum Order {
    Apply(Box<Apply>),
    Scrub { id: u64 },
    Touches { id: u64, code: String, of: Vec<String> },
}

#[derive(Debug, Serialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum OrderHeader<'a> {
    Begin {
        env: &'a BTreeMap<String, String>,
        cwd: Option<&'a Path>,
    },
    Apply {
        id: u64,
        need: Option<u64>,
        groups: Vec<GroupHeader>,
        deferred: Vec<DeferredHeader<'a>>,
        failed: Vec<MissingHeader<'a>>,
        deleted: &'a [String],
        pinned: &'a [Pinned],
        execution_count: u64,
    },
    Scrub {
        id: u64,
    },
    Touches {
        id: u64,
        code: &'a str,
        of: &'a [String],
    },
}

#[derive(Debug)]
pub(super) enum Frame {
    Hello,
    Chunk { id: BlobId, bytes: Bytes },
    Delta(RawDelta),
    Applied { id: u64, failed: Vec<String> },
    Need { id: u64, keys: Vec<String> },
    Touched { id: u64, names: Vec<String>, gpu: GpuUse },
    Released(Released),
    Begun,
    Pong,
}

pub(super) async fn read<R: AsyncRead + Unpin>(from: &mut R, buffers: &Buffers) -> Result<Frame, Error> {
    let header_len = from.read_u32_le().await?;
    let body_len = from.read_u64_le().await?;
    if header_len > MAX_HEADER || body_len > MAX_BODY {
        return Err(Error::TooLarge {
            header: header_len,
            body: body_len,
        });
    }
    let header = read_exactly(from, u64::from(header_len)).await?;
    let header: Header = serde_json::from_slice(&header)?;
    let is_chunk = matches!(header, Header::Chunk { .. });
    if is_chunk && body_len > CHUNK_BYTES {
        return Err(Error::Sizes);
    }
    let mut body = if is_chunk && body_len == CHUNK_BYTES {
        let mut memory = buffers.take();
        fill(from, body_len, &mut memory).await?;
        buffers.lend(memory)
    } else {
        read_exactly(from, body_len).await?
    };
    match header {
        Header::Hello {} => Ok(Frame::Hello),
        Header::Chunk { id } => Ok(Frame::Chunk {
            id: blob_id(&id)?,
            bytes: body,
        }),
        Header::Delta {
            kind,
            msg_id,
            scrub,
            groups,
            deleted,
            pinned,
            execution_count,
        } => {
            let groups = groups
                .into_iter()
                .map(|group| group.with_bytes(&mut body))
                .collect::<Result<Vec<_>, Error>>()?;
            if !body.is_empty() {
                return Err(Error::Sizes);
            }
            let of = match kind {
                Kind::Cell => Captured::Cell {
                    msg_id: msg_id.unwrap_or_default(),
                },
                Kind::Scrub => Captured::Scrub { order: scrub },
            };
            Ok(Frame::Delta(RawDelta {
                of,
                groups,
                deleted,
                pinned,
                execution_count,
            }))
        }
        Header::Applied { id, failed } => {
            let failed = failed
                .into_iter()
                .map(|failed| format!("{}: {}", failed.key, failed.why))
                .collect();
            Ok(Frame::Applied { id, failed })
        }
        Header::Need { id, keys } => Ok(Frame::Need { id, keys }),
        Header::Touched { id, names, gpu } => Ok(Frame::Touched { id, names, gpu }),
        Header::Released(released) => Ok(Frame::Released(released)),
        Header::Begun {} => Ok(Frame::Begun),
        Header::Pong {} => Ok(Frame::Pong),
    }
}

impl GroupHeader {
    fn of(group: &Group) -> Self {
        let buffers = group.buffers.iter().map(|buffer| BufferHeader {
            size: buffer.size,
            chunks: buffer.chunks.iter().map(BlobId::to_string).collect(),
        });
        Self {
            key: group.key.clone(),
            names: group.names.clone(),
            rank: group.rank,
            size: group.inline.len() as u64,
            buffers: buffers.collect(),
        }
    }

    /// Cuts its inline bytes off the body.
    fn with_bytes(self, body: &mut Bytes) -> Result<Group, Error> {
        let size = usize::try_from(self.size)
            .ok()
            .filter(|size| *size <= body.len())
            .ok_or(Error::Sizes)?;
        let buffers = self
            .buffers
            .into_iter()
            .map(|buffer| {
                if buffer.size.div_ceil(CHUNK_BYTES) != buffer.chunks.len() as u64 {
                    return Err(Error::Sizes);
                }
                let chunks = buffer.chunks.iter().map(|id| blob_id(id)).collect::<Result<_, _>>()?;
                Ok(Buffer {
                    size: buffer.size,
                    chunks,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Group {
            key: self.key,
            names: self.names,
            rank: self.rank,
            inline: body.split_to(size),
            buffers,
        })
    }
}

pub(super) fn tell_release(released: &Released) {
    tracing::debug!(
        msg_id = released.msg_id,
        took_us = released.took_us,
        "gpu memory given back"
    );
    for left in &released.left {
        tracing::warn!(
            device = left.index,
            bytes = left.bytes,
            why = left.why,
            "gpu memory stays occupied after a cell"
        );
    }
}

fn blob_id(hex: &str) -> Result<BlobId, Error> {
    BlobId::from_hex(hex).ok_or_else(|| Error::Chunk(hex.to_owned()))
}

/// Tells a process that was started ahead its kernel's variables and directory.
pub(super) async fn begin<W: AsyncWrite + Unpin>(
    to: &mut W,
    env: &BTreeMap<String, String>,
    cwd: Option<&Path>,
) -> Result<(), Error> {
    write_header(to, &OrderHeader::Begin { env, cwd }, 0).await?;
    Ok(to.flush().await?)
}

/// Writes an order; the bytes of buffers come from the store chunk by chunk, never all at once.
pub(super) async fn write<W: AsyncWrite + Unpin>(to: &mut W, order: &Order, chunks: &Chunks) -> Result<(), Error> {
    match order {
        Order::Scrub { id } => write_header(to, &OrderHeader::Scrub { id: *id }, 0).await?,
        Order::Touches { id, code, of } => write_header(to, &OrderHeader::Touches { id: *id, code, of }, 0).await?,
        Order::Apply(apply) => {
            let header = apply_header(apply);
            let body = apply.groups.iter().map(Group::bytes).sum();
            write_header(to, &header, body).await?;
            for group in &apply.groups {
                to.write_all(&group.inline).await?;
                for buffer in &group.buffers {
                    write_buffer(to, buffer, chunks).await?;
                }
            }
        }
    }
    Ok(to.flush().await?)
}

fn apply_header(apply: &Apply) -> OrderHeader<'_> {
    let deferred = apply.deferred.iter().map(|group| DeferredHeader {
        key: &group.key,
        names: &group.names,
        rank: group.rank,
        size: group.bytes(),
    });
    let failed = apply.failed.iter().map(|(group, why)| MissingHeader {
        key: &group.key,
        names: &group.names,
        why,
    });
    OrderHeader::Apply {
        id: apply.id,
        need: apply.need,
        groups: apply.groups.iter().map(GroupHeader::of).collect(),
        deferred: deferred.collect(),
        failed: failed.collect(),
        deleted: &apply.deleted,
        pinned: &apply.pinned,
        execution_count: apply.execution_count,
    }
}

async fn write_header<W: AsyncWrite + Unpin>(to: &mut W, order: &OrderHeader<'_>, body: u64) -> Result<(), Error> {
    let header = serde_json::to_vec(order)?;
    let header_len = u32::try_from(header.len()).unwrap_or(u32::MAX);
    if header_len > MAX_HEADER {
        return Err(Error::TooLarge {
            header: header_len,
            body,
        });
    }
    to.write_u32_le(header_len).await?;
    to.write_u64_le(body).await?;
    Ok(to.write_all(&header).await?)
}

async fn write_buffer<W: AsyncWrite + Unpin>(to: &mut W, buffer: &Buffer, chunks: &Chunks) -> Result<(), Error> {
    let mut left = buffer.size;
    let reads = buffer.chunks.clone().into_iter().map(|id| {
        let chunks = chunks.clone();
        async move { chunks.read(id).await }
    });
    let mut ahead = stream::iter(reads).buffered(READ_AHEAD);
    while let Some(chunk) = ahead.next().await {
        let chunk = chunk?;
        if chunk.len() as u64 != left.min(CHUNK_BYTES) {
            return Err(Error::Sizes);
        }
        left -= chunk.len() as u64;
        to.write_all(&chunk).await?;
    }
    Ok(())
}

/// Grows with what arrives, not with what a broken peer announces.
async fn read_exactly<R: AsyncRead + Unpin>(from: &mut R, len: u64) -> Result<Bytes, Error> {
    let mut buffer = Vec::with_capacity(usize::try_from(len.min(4 << 20)).unwrap_or(0));
    fill(from, len, &mut buffer).await?;
    Ok(buffer.into())
}

async fn fill<R: AsyncRead + Unpin>(from: &mut R, len: u64, buffer: &mut Vec<u8>) -> Result<(), Error> {
    let mut limited = from.take(len);
    while (buffer.len() as u64) < len {
        if limited.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u32).to_le_bytes().to_vec();
        bytes.extend((body.len() as u64).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(body);
        bytes
    }

    #[tokio::test]
    async fn cuts_the_body_into_groups() {
        let header = r#"{"t":"delta","msg_id":"m","groups":[{"key":"var:a","names":["a"],"rank":3,"size":2},
            {"key":"@cwd","names":[],"rank":0,"size":1}],"deleted":["b"],"pinned":[],"execution_count":4,"took_us":12}"#;
        let Frame::Delta(delta) = read(&mut frame(header, b"xyz").as_slice(), &Buffers::default())
            .await
            .expect("valid")
        else {
            panic!("not a delta");
        };
        let inline: Vec<&[u8]> = delta.groups.iter().map(|group| group.inline.as_ref()).collect();
        assert_eq!(inline, [b"xy".as_slice(), b"z"]);
        assert_eq!(delta.of, Captured::Cell { msg_id: "m".to_owned() });
        assert_eq!((delta.execution_count, delta.deleted.len()), (4, 1));
    }

    #[tokio::test]
    async fn reads_chunks_and_the_buffers_that_refer_to_them() {
        let id = BlobId::of(b"raw");
        let chunk = format!(r#"{{"t":"chunk","id":"{id}","size":3}}"#);
        let Frame::Chunk { id: read_id, bytes } = read(&mut frame(&chunk, b"raw").as_slice(), &Buffers::default())
            .await
            .expect("valid")
        else {
            panic!("not a chunk");
        };
        assert_eq!((read_id, bytes.as_ref()), (id, b"raw".as_slice()));
        let header = |size: u64| {
            format!(
                r#"{{"t":"delta","kind":"scrub","msg_id":null,"scrub":7,"groups":[{{"key":"k","names":["a"],"rank":3,"size":1,
                "buffers":[{{"size":{size},"chunks":["{id}"]}}]}}],"deleted":[],"pinned":[],"execution_count":4}}"#
            )
        };
        let Frame::Delta(delta) = read(&mut frame(&header(3), b"x").as_slice(), &Buffers::default())
            .await
            .expect("valid")
        else {
            panic!("not a delta");
        };
        assert_eq!(delta.of, Captured::Scrub { order: Some(7) });
        assert_eq!(delta.groups[0].chunks().collect::<Vec<_>>(), [&id]);
        let short = read(
            &mut frame(&header(CHUNK_BYTES + 1), b"x").as_slice(),
            &Buffers::default(),
        )
        .await;
        assert!(matches!(short, Err(Error::Sizes)), "a chunk is missing");
    }

    #[tokio::test]
    async fn reads_what_a_cell_can_touch_and_what_it_left_on_its_gpus() {
        let touched = r#"{"t":"touched","id":3,"names":["f"],"gpu":{"may":true,"why":"'net' leads to torch"}}"#;
        let Frame::Touched { id, names, gpu } = read(&mut frame(touched, b"").as_slice(), &Buffers::default())
            .await
            .expect("valid")
        else {
            panic!("not an answer");
        };
        assert_eq!((id, names), (3, vec!["f".to_owned()]));
        assert_eq!(gpu.why.as_deref().filter(|_| gpu.may), Some("'net' leads to torch"));
        let released =
            r#"{"t":"released","msg_id":"m","took_us":1200,"left":[{"index":1,"bytes":4096,"why":"a graph"}]}"#;
        let Frame::Released(released) = read(&mut frame(released, b"").as_slice(), &Buffers::default())
            .await
            .expect("valid")
        else {
            panic!("not a release");
        };
        assert_eq!((released.msg_id.as_str(), released.took_us), ("m", 1200));
        let left: Vec<_> = released
            .left
            .iter()
            .map(|left| (left.index, left.bytes, left.why.as_str()))
            .collect();
        assert_eq!(left, [(1, 4096, "a graph")]);
        let silent = read(
            &mut frame(r#"{"t":"touched","id":3,"names":[]}"#, b"").as_slice(),
            &Buffers::default(),
        )
        .await;
        assert!(
            matches!(silent, Err(Error::Header(_))),
            "an answer says whether it may use a GPU"
        );
    }

    #[tokio::test]
    async fn refuses_what_does_not_add_up() {
        let header = r#"{"t":"delta","msg_id":"m","groups":[{"key":"k","names":[],"rank":3,"size":9}],"deleted":[],"pinned":[],"execution_count":4}"#;
        assert!(matches!(
            read(&mut frame(header, b"xyz").as_slice(), &Buffers::default()).await,
            Err(Error::Sizes)
        ));
        assert!(matches!(
            read(&mut frame("{}", b"").as_slice(), &Buffers::default()).await,
            Err(Error::Header(_))
        ));
        assert!(matches!(
            read(&mut [255_u8; 12].as_slice(), &Buffers::default()).await,
            Err(Error::TooLarge { .. })
        ));
    }
}
