//! Refuses a WebSocket frame by its header, before its body is read.
//!
//! actix's parser looks at the size limit only once the whole frame is in memory, so a client could make the process
//! hold a frame of any size. The guard counts along in the byte stream and ends it at the first header that announces too
//! much. Masking does not matter to it: it only reads lengths.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::dev;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;

/// Longest header of a client's frame: two bytes, eight of length, four of mask (RFC 6455, section 5.2).
const MAX_HEADER: usize = 14;

/// Where the stream stands. Pure.
#[derive(Debug)]
pub(crate) struct FrameMeter {
    limit: u64,
    header: Vec<u8>,
    /// Bytes of the current frame's body still to come.
    body: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl FrameMeter {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit as u64,
            header: Vec::with_capacity(MAX_HEADER),
            body: 0,
        }
    }

    /// Takes the next bytes off the wire, cut anywhere.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        while !bytes.is_empty() {
            if self.body > 0 {
                let skip = usize::try_from(self.body).unwrap_or(usize::MAX).min(bytes.len());
                self.body -= skip as u64;
                bytes = &bytes[skip..];
                continue;
            }
            self.header.push(bytes[0]);
            bytes = &bytes[1..];
            if let Some(length) = announced(&self.header) {
                if length > self.limit {
                    return Err(TooLarge);
                }
                self.header.clear();
                self.body = length;
            }
        }
        Ok(())
    }
}

/// Length of the body once the header is complete.
fn announced(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (width, short) = match second & 0x7f {
        126 => (2, None),
        127 => (8, None),
        short => (0, Some(u64::from(short))),
    };
    if header.len() < 2 + width + mask {
        return None;
    }
    let long = || {
        header[2..2 + width]
            .iter()
            .fold(0_u64, |length, byte| length << 8 | u64::from(*byte))
    };
    Some(short.unwrap_or_else(long))
}

/// The request's byte stream behind a [`FrameMeter`]; its only error is `PayloadError::Overflow`.
pub(crate) struct Guarded {
    inner: dev::Payload,
    meter: FrameMeter,
}

impl Guarded {
    pub(crate) fn new(inner: dev::Payload, limit: usize) -> Self {
        Self {
            inner,
            meter: FrameMeter::new(limit),
        }
    }
}

impl Stream for Guarded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.inner).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => match self.meter.pass(&bytes) {
                Ok(()) => Poll::Ready(Some(Ok(bytes))),
                Err(TooLarge) => Poll::Ready(Some(Err(PayloadError::Overflow))),
            },
            // A connection that breaks ends the stream: an error would make actix-ws drop the frames that arrived whole.
            Poll::Ready(Some(Err(_)) | None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut frame = vec![0x82];
        match length {
            0..126 => frame.push(0x80 | length as u8),
            126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[1, 2, 3, 4]);
        frame.resize(frame.len() + length, 0xff);
        frame
    }

    #[test]
    fn a_huge_frame_is_refused_by_its_header_alone() {
        let mut meter = FrameMeter::new(1_000);
        assert_eq!(meter.pass(&frame(1_000)), Ok(()));
        assert_eq!(meter.pass(&frame(100 * 1024 * 1024)[..14]), Err(TooLarge));
        let mut absurd = vec![0x82, 0xff];
        absurd.extend_from_slice(&[0xff; 12]);
        assert_eq!(FrameMeter::new(1_000).pass(&absurd), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn the_verdict_does_not_depend_on_how_the_stream_is_cut(
            lengths in prop::collection::vec(prop_oneof![0usize..300, 65_000usize..70_000], 1..6),
            step in 1usize..5_000,
            limit in 200usize..70_000,
        ) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|length| frame(*length)).collect();
            let mut meter = FrameMeter::new(limit);
            let verdict = bytes.chunks(step).try_for_each(|chunk| meter.pass(chunk));
            prop_assert_eq!(verdict.is_err(), lengths.iter().any(|length| *length > limit));
        }
    }
}
