//! How Rust values become bytes between nodes: bincode 2.0.1 with its standard configuration, here and nowhere else.
//!
//! Decoding is bounded and never panics, whatever the bytes are.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::MAX_MESSAGE;

/// Why bytes were refused, or a value could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "NB0219"
    }
}

/// Writes a value.
///
/// # Errors
/// When the value's `Serialize` fails, which derived ones do not.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, Error> {
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes)?;
    Ok(bytes.into())
}

/// Appends a value to a buffer.
pub(crate) fn encode_into<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<usize, Error> {
    bincode::serde::encode_into_std_write(value, buffer, bincode::config::standard())
        .map_err(|error| Error(format!("a message could not be written: {error}")))
}

/// Reads a value that must fill the bytes completely.
///
/// # Errors
/// On bytes that are not such a value, claim more than 64 MiB, or have something left over. (Elements of size zero
/// escape the limit: do not put a `Vec<()>` into a message.)
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let (value, used) =
        bincode::serde::decode_from_slice(bytes, bincode::config::standard().with_limit::<MAX_MESSAGE>())
            .map_err(|error| Error(format!("a message could not be read: {error}")))?;
    if used == bytes.len() {
        Ok(value)
    } else {
        Err(Error(format!(
            "a message could not be read: {} bytes are left over",
            bytes.len() - used
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum Sample {
        Empty,
        Text(String),
        Many {
            list: Vec<u64>,
            map: BTreeMap<String, Option<i32>>,
        },
        Body(Bytes),
        Nested(Box<Sample>),
    }

    fn sample() -> impl Strategy<Value = Sample> {
        let leaf = prop_oneof![
            Just(Sample::Empty),
            ".{0,20}".prop_map(Sample::Text),
            (
                prop::collection::vec(any::<u64>(), 0..9),
                prop::collection::btree_map(".{0,5}", any::<Option<i32>>(), 0..5)
            )
                .prop_map(|(list, map)| Sample::Many { list, map }),
            prop::collection::vec(any::<u8>(), 0..99).prop_map(|body| Sample::Body(body.into())),
        ];
        leaf.prop_recursive(4, 8, 1, |inner| inner.prop_map(|inner| Sample::Nested(Box::new(inner))))
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(value in sample()) {
            prop_assert_eq!(decode::<Sample>(&encode(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Sample>(&bytes);
            let _ = decode::<Vec<String>>(&bytes);
        }

        #[test]
        fn a_cut_or_lengthened_message_is_refused(value in sample(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&value).unwrap();
            prop_assert!(decode::<Sample>(&bytes[..cut.index(bytes.len())]).is_err());
            let mut longer = bytes.to_vec();
            longer.push(0);
            prop_assert!(decode::<Sample>(&longer).is_err());
        }
    }

    #[test]
    fn a_claimed_length_is_not_allocated() {
        // A vector said to hold 2^63 elements.
        let bytes = [253, 0, 0, 0, 0, 0, 0, 0, 0x80];
        assert!(decode::<Vec<u64>>(&bytes).is_err());
    }
}
