//! The envelope: what crosses a link between two Routers.
//!
//! `u32` little-endian header length, header in bincode, body to the end. The body is never copied on arrival.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::{Fault, Incarnation, NodeName};

/// Largest envelope on the wire. Larger ones make every small message behind them wait (a few ms at 1 MiB), and
/// `ractor_cluster` buffers a whole backlog.
pub(crate) const MAX_ENVELOPE: usize = 1 << 20;
/// Largest body of a call or an answer, in bytes.
pub const MAX_MESSAGE: usize = 64 << 20;
/// Room for the header in one envelope.
pub(crate) const MAX_HEADER: usize = 8 << 10;
/// Largest body that travels in one piece.
pub(crate) const MAX_WHOLE: usize = MAX_ENVELOPE - MAX_HEADER - 4;
/// Piece of a larger body: small enough that a call waits less than a millisecond behind it on loopback.
pub(crate) const PIECE: usize = 256 << 10;
/// Longest path of an endpoint in bytes.
pub(crate) const MAX_PATH: usize = 512;
/// Longest text of a fault that is sent, in bytes.
pub(crate) const MAX_FAULT: usize = 4 << 10;

/// What an envelope says before its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Who sent it. All nodes share the secret, so this is a claim among friends.
    pub from: NodeName,
    /// The start of the receiver it is meant for.
    pub to: Incarnation,
    /// The session of the two nodes it belongs to: left-overs of an earlier one are dropped.
    pub epoch: u64,
    /// The sender's monotonic clock in microseconds, for judging its age.
    pub sent_at: u64,
    /// Budgeted bytes of this session received so far by the sender of this envelope.
    pub acked: u64,
    /// What it is.
    pub kind: Kind,
}

/// What an envelope is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A message to an endpoint.
    Request(Request),
    /// The answer to a call. The body is the value when there is no fault.
    Reply { id: u64, fault: Option<Fault> },
    /// A large message begins; its body follows in order as `Piece`s of the same transfer.
    Open { transfer: u64, total: u64, inner: Large },
    /// The next piece of a large message.
    Piece { transfer: u64 },
    /// The sender gave a large message up.
    Abort { transfer: u64 },
    /// A heartbeat; answered at once.
    Ping,
    /// The answer to a heartbeat.
    Pong,
    /// Nothing but the acknowledgement in the header.
    Ack,
}

/// What a large message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Large {
    Request(Request),
    Reply { id: u64 },
}

/// A message to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The endpoint.
    pub path: String,
    /// Milliseconds from sending after which nobody wants it any more.
    pub ttl_ms: u32,
    /// What the answer must carry; none for a cast.
    pub call: Option<u64>,
}

impl Kind {
    /// Heartbeats and acknowledgements are free: they are what gives budget back.
    pub(crate) fn is_budgeted(&self) -> bool {
        match self {
            Self::Request(_) | Self::Reply { .. } | Self::Open { .. } | Self::Piece { .. } => true,
            Self::Abort { .. } | Self::Ping | Self::Pong | Self::Ack => false,
        }
    }
}

/// Puts header and body into one buffer.
pub(crate) fn pack(header: &Header, body: &[u8]) -> Result<Vec<u8>, codec::Error> {
    let mut envelope = Vec::with_capacity(128 + body.len());
    envelope.extend_from_slice(&[0; 4]);
    let length = codec::encode_into(header, &mut envelope)?;
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    envelope[..4].copy_from_slice(&length.to_le_bytes());
    envelope.extend_from_slice(body);
    Ok(envelope)
}

/// Takes an envelope apart; none if it is not one.
pub(crate) fn unpack(envelope: &Bytes) -> Option<(Header, Bytes)> {
    if envelope.len() > MAX_ENVELOPE {
        return None;
    }
    let (length, rest) = envelope.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_HEADER || length > rest.len() {
        return None;
    }
    let header = codec::decode(&rest[..length]).ok()?;
    Some((header, envelope.slice(4 + length..)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind() -> impl Strategy<Value = Kind> {
        let request = ("[a-z/]{0,30}", any::<u32>(), any::<Option<u64>>()).prop_map(|(path, ttl_ms, call)| Request {
            path,
            ttl_ms,
            call,
        });
        let fault = ("NB[0-9]{4}", ".{0,50}").prop_map(|(code, message)| Fault { code, message });
        prop_oneof![
            request.clone().prop_map(Kind::Request),
            (any::<u64>(), prop::option::of(fault)).prop_map(|(id, fault)| Kind::Reply { id, fault }),
            (any::<u64>(), any::<u64>(), request).prop_map(|(transfer, total, inner)| Kind::Open {
                transfer,
                total,
                inner: Large::Request(inner)
            }),
            any::<u64>().prop_map(|transfer| Kind::Piece { transfer }),
            Just(Kind::Ping),
        ]
    }

    proptest! {
        #[test]
        fn envelopes_survive_the_wire(
            kind in kind(),
            (to, epoch, sent_at, acked) in any::<(u64, u64, u64, u64)>(),
            body in prop::collection::vec(any::<u8>(), 0..500),
        ) {
            let header = Header { from: NodeName::from("n1"), to: Incarnation(to), epoch, sent_at, acked, kind };
            let (read, read_body) = unpack(&pack(&header, &body).unwrap().into()).unwrap();
            prop_assert_eq!(read, header);
            prop_assert_eq!(&read_body[..], &body[..]);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = unpack(&bytes.into());
        }
    }

    #[test]
    fn the_largest_header_fits_its_room() {
        let fault = Fault {
            code: "x".repeat(MAX_FAULT / 2),
            message: "x".repeat(MAX_FAULT / 2),
        };
        let path = "x".repeat(MAX_PATH);
        let request = Request {
            path,
            ttl_ms: u32::MAX,
            call: Some(u64::MAX),
        };
        let large = Kind::Open {
            transfer: u64::MAX,
            total: u64::MAX,
            inner: Large::Request(request),
        };
        for kind in [
            Kind::Reply {
                id: u64::MAX,
                fault: Some(fault),
            },
            large,
        ] {
            let from = NodeName::from("x".repeat(NodeName::MAX_LEN));
            let top = u64::MAX;
            let header = Header {
                from,
                to: Incarnation(top),
                epoch: top,
                sent_at: top,
                acked: top,
                kind,
            };
            assert!(pack(&header, &[]).unwrap().len() < MAX_HEADER);
        }
    }
}
