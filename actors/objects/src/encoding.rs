//! How a chunk's bytes lie on a disk and travel: as they are, or compressed where that pays.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::handle::MAX_CHUNK;

/// Bytes of a chunk that are compressed on trial.
const SAMPLE: usize = 64 << 10;
/// The trial must come out below this many percent. State that hardly shrinks is raw numbers, and those are compressed
/// at 0.4 GB/s, slower than a disk or network moves them (measured in the notes on state).
const PAYS_BELOW_PERCENT: usize = 90;
/// zstd's fastest ordinary level.
const LEVEL: i32 = 1;

/// The form of stored or travelling bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Encoding {
    Raw,
    Zstd,
}

/// A chunk in the form in which it is stored and sent.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Bytes,
}

/// Bytes that are not what they say they are.
#[derive(Debug)]
pub(crate) struct Damaged;

impl Encoded {
    /// Compresses where a sample from the middle says that it pays.
    pub(crate) fn of(raw: Bytes) -> Self {
        let start = (raw.len() / 2).saturating_sub(SAMPLE / 2);
        let sample = &raw[start..raw.len().min(start + SAMPLE)];
        let packed = shrinks(sample).and_then(|trial| {
            if sample.len() == raw.len() {
                Some(trial)
            } else {
                shrinks(&raw)
            }
        });
        match packed {
            Some(packed) => Self {
                encoding: Encoding::Zstd,
                bytes: packed.into(),
            },
            None => Self {
                encoding: Encoding::Raw,
                bytes: raw,
            },
        }
    }

    /// The content, at most [`MAX_CHUNK`] bytes of it however much it would unpack to.
    pub(crate) fn decode(&self) -> Result<Cow<'_, [u8]>, Damaged> {
        decode(self.encoding, &self.bytes)
    }
}

/// As [`Encoded::decode`].
pub(crate) fn decode(encoding: Encoding, bytes: &[u8]) -> Result<Cow<'_, [u8]>, Damaged> {
    match encoding {
        Encoding::Raw => Ok(Cow::Borrowed(bytes)),
        Encoding::Zstd => {
            let told = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
            let len = told.filter(|len| *len <= MAX_CHUNK).ok_or(Damaged)?;
            let len = usize::try_from(len).map_err(|_| Damaged)?;
            zstd::bulk::decompress(bytes, len).map(Cow::Owned).map_err(|_| Damaged)
        }
    }
}

fn shrinks(bytes: &[u8]) -> Option<Vec<u8>> {
    let packed = zstd::bulk::compress(bytes, LEVEL).ok()?;
    (packed.len() * 100 < bytes.len() * PAYS_BELOW_PERCENT).then_some(packed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..len).map(next).collect()
    }

    #[test]
    fn text_is_compressed_and_noise_is_not() {
        let text = Encoded::of(Bytes::from(b"the same words ".repeat(100_000)));
        assert!(text.encoding == Encoding::Zstd && text.bytes.len() < 100_000);
        assert_eq!(text.decode().expect("unpacks").len(), 1_500_000);
        assert_eq!(Encoded::of(noise(1 << 20).into()).encoding, Encoding::Raw);
    }

    #[test]
    fn a_chunk_whose_sample_lies_is_kept_as_it_is() {
        let mut mixed = noise(MAX_CHUNK as usize);
        let middle = mixed.len() / 2;
        mixed[middle - SAMPLE / 2..middle + SAMPLE / 2].fill(7);
        assert_eq!(Encoded::of(mixed.into()).encoding, Encoding::Raw);
    }

    #[test]
    fn more_than_a_chunk_is_never_unpacked() {
        let bomb = zstd::bulk::compress(&vec![0; MAX_CHUNK as usize + 1], LEVEL).expect("packs");
        assert!(decode(Encoding::Zstd, &bomb).is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_damaged_and_all_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..300), repeat in 1..50usize) {
            let _ = decode(Encoding::Zstd, &bytes);
            let raw = Bytes::from(bytes.repeat(repeat));
            let encoded = Encoded::of(raw.clone());
            prop_assert_eq!(&*encoded.decode().expect("unpacks"), &raw[..]);
        }
    }
}
