//! Frames of the side channel between the replica and its Python child: a plain JSON header and an opaque body.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::core::{RawDelta, RawGroup, RawPinned};
use crate::protocol::Pinned;

/// A header names variables, not their values.
const MAX_HEADER: u32 = 64 << 20;

/// One cell's change of state. Larger ones need streaming, which the capture does not do yet.
const MAX_BODY: u64 = 8 << 30;

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
}

/// From the child.
#[derive(Debug, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Header {
    Hello {},
    Delta {
        msg_id: String,
        groups: Vec<GroupHeader>,
        deleted: Vec<String>,
        pinned: Vec<RawPinned>,
        execution_count: u64,
    },
    Applied {
        id: u64,
        failed: Vec<Failed>,
    },
    Pong {},
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GroupHeader {
    pub(super) key: String,
    pub(super) names: Vec<String>,
    pub(super) rank: u8,
    pub(super) size: u64,
}

#[derive(Debug, Deserialize)]
struct Failed {
    key: String,
    why: String,
}

/// To the child.
#[derive(Debug, Serialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub(super) enum Order<'a> {
    Apply {
        id: u64,
        groups: Vec<GroupHeader>,
        deleted: &'a [String],
        pinned: &'a [Pinned],
        execution_count: u64,
    },
}

#[derive(Debug)]
pub(super) enum Frame {
    Hello,
    Delta(RawDelta),
    Applied { id: u64, failed: Vec<String> },
    Pong,
}

pub(super) async fn read<R: AsyncRead + Unpin>(from: &mut R) -> Result<Frame, Error> {
    let header_len = from.read_u32_le().await?;
    let body_len = from.read_u64_le().await?;
    if header_len > MAX_HEADER || body_len > MAX_BODY {
        return Err(Error::TooLarge {
            header: header_len,
            body: body_len,
        });
    }
    let header = read_exactly(from, u64::from(header_len)).await?;
    let mut body = read_exactly(from, body_len).await?;
    match serde_json::from_slice(&header)? {
        Header::Hello {} => Ok(Frame::Hello),
        Header::Delta {
            msg_id,
            groups,
            deleted,
            pinned,
            execution_count,
        } => {
            let groups = groups
                .into_iter()
                .map(|group| {
                    let size = usize::try_from(group.size)
                        .ok()
                        .filter(|size| *size <= body.len())
                        .ok_or(Error::Sizes)?;
                    Ok(RawGroup {
                        key: group.key,
                        names: group.names,
                        rank: group.rank,
                        payload: body.split_to(size),
                    })
                })
                .collect::<Result<Vec<_>, Error>>()?;
            if !body.is_empty() {
                return Err(Error::Sizes);
            }
            Ok(Frame::Delta(RawDelta {
                msg_id,
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
        Header::Pong {} => Ok(Frame::Pong),
    }
}

pub(super) async fn write<W: AsyncWrite + Unpin>(to: &mut W, order: &Order<'_>, bodies: &[Bytes]) -> Result<(), Error> {
    let header = serde_json::to_vec(order)?;
    let body_len: u64 = bodies.iter().map(|body| body.len() as u64).sum();
    let header_len = u32::try_from(header.len()).unwrap_or(u32::MAX);
    if header_len > MAX_HEADER || body_len > MAX_BODY {
        return Err(Error::TooLarge {
            header: header_len,
            body: body_len,
        });
    }
    to.write_u32_le(header_len).await?;
    to.write_u64_le(body_len).await?;
    to.write_all(&header).await?;
    for body in bodies {
        to.write_all(body).await?;
    }
    Ok(to.flush().await?)
}

/// Grows with what arrives, not with what a broken peer announces.
async fn read_exactly<R: AsyncRead + Unpin>(from: &mut R, len: u64) -> Result<Bytes, Error> {
    let mut buffer = BytesMut::with_capacity(usize::try_from(len.min(4 << 20)).unwrap_or(0));
    let mut limited = from.take(len);
    while (buffer.len() as u64) < len {
        if limited.read_buf(&mut buffer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(buffer.freeze())
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
        let Frame::Delta(delta) = read(&mut frame(header, b"xyz").as_slice()).await.expect("valid") else {
            panic!("not a delta");
        };
        let payloads: Vec<&[u8]> = delta.groups.iter().map(|group| group.payload.as_ref()).collect();
        assert_eq!(payloads, [b"xy".as_slice(), b"z"]);
        assert_eq!((delta.execution_count, delta.deleted.len()), (4, 1));
    }

    #[tokio::test]
    async fn refuses_what_does_not_add_up() {
        let header = r#"{"t":"delta","msg_id":"m","groups":[{"key":"k","names":[],"rank":3,"size":9}],"deleted":[],"pinned":[],"execution_count":4}"#;
        assert!(matches!(
            read(&mut frame(header, b"xyz").as_slice()).await,
            Err(Error::Sizes)
        ));
        assert!(matches!(
            read(&mut frame("{}", b"").as_slice()).await,
            Err(Error::Header(_))
        ));
        assert!(matches!(
            read(&mut [255_u8; 12].as_slice()).await,
            Err(Error::TooLarge { .. })
        ));
    }
}
