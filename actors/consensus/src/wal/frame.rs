//! A frame is what one write of the log puts on disk: the records of many groups under one checksum.
//!
//! The log writes a frame, syncs it, and only then writes the next. So a damaged frame with a good one after it was
//! damaged after it had been synced, and a damaged frame with nothing after it is a write that was cut off. That
//! holds whatever order the disk writes its pages in, because the whole frame has one checksum.
//!
//! ```text
//! segment = "NBOSWAL1" | u64 number | frames | zeros (space reserved ahead)
//! frame   = u32 magic | u32 length of records | u32 crc32c of (number, offset, length, records) | records
//! ```
//! The checksum covers the frame's own place: bytes that only look like a frame, a copy inside a command or a
//! leftover, do not pass.

pub(crate) const SEGMENT_MAGIC: &[u8; 8] = b"NBOSWAL1";
pub(crate) const SEGMENT_HEADER: usize = 16;
pub(crate) const HEADER: usize = 12;
const MAGIC: u32 = 0xF4A3_E01B;

/// Starts a frame in `out`; records are appended behind it, then [`seal`] closes it.
pub(crate) fn begin(out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0; HEADER]);
}

pub(crate) fn seal(frame: &mut [u8], segment: u64, offset: u64) {
    let length = (frame.len() - HEADER) as u32;
    let crc = checksum(segment, offset, length, &frame[HEADER..]);
    frame[..4].copy_from_slice(&MAGIC.to_le_bytes());
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    frame[8..12].copy_from_slice(&crc.to_le_bytes());
}

pub(crate) fn segment_header(number: u64) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..8].copy_from_slice(SEGMENT_MAGIC);
    header[8..].copy_from_slice(&number.to_le_bytes());
    header
}

fn checksum(segment: u64, offset: u64, length: u32, records: &[u8]) -> u32 {
    let mut place = [0; 20];
    place[..8].copy_from_slice(&segment.to_le_bytes());
    place[8..16].copy_from_slice(&offset.to_le_bytes());
    place[16..].copy_from_slice(&length.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&place), records)
}

/// How the bytes of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// After the last frame there is nothing, or reserved zeros.
    Clean,
    /// After the last good frame there are bytes that are no frame, and no frame follows them.
    Torn,
    /// There is a good frame behind bytes that are no frame.
    Damaged,
}

/// The good frames at the start of a segment.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Offset and length of the records of each frame.
    pub(crate) frames: Vec<(usize, usize)>,
    /// Where the last good frame ends.
    pub(crate) end: usize,
    pub(crate) tail: Tail,
}

/// Walks the frames of a whole segment.
pub(crate) fn scan(bytes: &[u8], segment: u64) -> Scan {
    let mut frames = Vec::new();
    let mut end = SEGMENT_HEADER.min(bytes.len());
    while let Some(length) = frame_at(bytes, segment, end) {
        frames.push((end + HEADER, length));
        end += HEADER + length;
    }
    let rest = &bytes[end..];
    let tail = if rest.iter().all(|byte| *byte == 0) {
        Tail::Clean
    } else if (end + 1..bytes.len()).any(|at| frame_at(bytes, segment, at).is_some()) {
        Tail::Damaged
    } else {
        Tail::Torn
    };
    Scan { frames, end, tail }
}

/// The length of the records of the good frame at `at`, if there is one.
fn frame_at(bytes: &[u8], segment: u64, at: usize) -> Option<usize> {
    let header: &[u8; HEADER] = bytes.get(at..)?.first_chunk()?;
    let field = |n: usize| u32::from_le_bytes([header[n], header[n + 1], header[n + 2], header[n + 3]]);
    if field(0) != MAGIC {
        return None;
    }
    let length = field(4) as usize;
    let records = bytes.get(at + HEADER..)?.get(..length)?;
    (checksum(segment, at as u64, field(4), records) == field(8)).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u64, payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = segment_header(number).to_vec();
        for payload in payloads {
            let mut frame = Vec::new();
            begin(&mut frame);
            frame.extend_from_slice(payload);
            seal(&mut frame, number, bytes.len() as u64);
            bytes.extend_from_slice(&frame);
        }
        bytes
    }

    #[test]
    fn a_write_cut_at_any_byte_is_a_torn_tail() {
        let whole = segment(3, &[b"first", b"second"]);
        let first_end = segment(3, &[b"first"]).len();
        for cut in first_end + 1..whole.len() {
            let scan = scan(&whole[..cut], 3);
            assert_eq!(
                (scan.frames.len(), scan.end, scan.tail),
                (1, first_end, Tail::Torn),
                "cut at {cut}"
            );
        }
        assert_eq!(scan(&whole, 3).tail, Tail::Clean);
        assert_eq!(scan(&whole[..first_end], 3).tail, Tail::Clean);
    }

    #[test]
    fn reserved_space_behind_the_last_frame_is_clean() {
        let mut bytes = segment(3, &[b"first"]);
        let end = bytes.len();
        bytes.resize(end + 5000, 0);
        let scan = scan(&bytes, 3);
        assert_eq!((scan.end, scan.tail), (end, Tail::Clean));
    }

    #[test]
    fn any_flipped_bit_before_the_last_frame_is_damage() {
        let good = segment(3, &[b"first", b"second", b"third"]);
        let last = segment(3, &[b"first", b"second"]).len();
        for at in SEGMENT_HEADER..last {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                let scan = scan(&bytes, 3);
                assert_eq!(scan.tail, Tail::Damaged, "byte {at} bit {bit}");
                assert!(scan.end <= at, "a frame holding the flipped bit was accepted");
            }
        }
    }

    #[test]
    fn a_frame_is_good_only_in_its_own_place() {
        let bytes = segment(3, &[b"first"]);
        assert_eq!(scan(&bytes, 4).frames.len(), 0, "another segment");
        let nested = segment(3, &[&bytes[SEGMENT_HEADER..], b"next"]);
        let cut = &nested[..nested.len() - 1];
        assert_eq!(scan(cut, 3).tail, Tail::Torn, "a frame inside a payload is not a frame");
    }
}
