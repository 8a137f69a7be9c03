use proptest::prelude::*;
use serde_json::json;

use super::*;

fn message(buffers: Vec<Vec<u8>>, content: String) -> Message {
    let mut message = Message::request(
        Channel::Control,
        "x_request",
        "s",
        Some("id"),
        json!({"text": content, "n": [1, null]}),
    );
    message.parent_header = json!({"msg_id": "parent"});
    message.buffers = buffers.into_iter().map(Bytes::from).collect();
    message
}

fn decode_legacy(frame: Frame) -> Result<Message, Error> {
    match frame {
        Frame::Text(text) => decode_legacy_text(&text),
        Frame::Binary(bytes) => decode_legacy_binary(&bytes.into()),
    }
}

fn binary(frame: Frame) -> Bytes {
    match frame {
        Frame::Binary(bytes) => bytes.into(),
        Frame::Text(_) => panic!("v1 is always binary"),
    }
}

#[test]
fn v1_by_hand() {
    // Offsets of jupyter_server's own example layout: five parts, six offsets, 56 bytes of head.
    let frame = binary(encode_v1(&Message {
        channel: Channel::Shell,
        header: json!({}),
        parent_header: json!({}),
        metadata: json!({}),
        content: json!({}),
        buffers: vec![],
    }));
    let numbers: Vec<u64> = frame[..56]
        .chunks(8)
        .map(|b| u64::from_le_bytes(b.try_into().unwrap()))
        .collect();
    assert_eq!(numbers, [6, 56, 61, 63, 65, 67, 69]);
    assert_eq!(&frame[56..], b"shell{}{}{}{}");
}

#[test]
fn legacy_without_buffers_is_text() {
    let Frame::Text(text) = encode_legacy(&message(vec![], "x".into())) else {
        panic!("must be text")
    };
    let object: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (object["channel"].as_str(), &object["buffers"]),
        (Some("control"), &json!([]))
    );
}

proptest! {
    #[test]
    fn both_framings_give_back_what_went_in(buffers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..4), content: String) {
        let message = message(buffers, content);
        prop_assert_eq!(&decode_v1(&binary(encode_v1(&message))).unwrap(), &message);
        prop_assert_eq!(&decode_legacy(encode_legacy(&message)).unwrap(), &message);
    }

    #[test]
    fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_v1(&bytes.clone().into());
        let _ = decode_legacy_binary(&bytes.into());
    }

    #[test]
    fn damaged_frames_are_no_panic(position in 0usize..64, value: u8, cut in 0usize..200) {
        let mut frame = binary(encode_v1(&message(vec![vec![1, 2, 3]], "x".into()))).to_vec();
        frame[position] = value;
        let _ = decode_v1(&frame.clone().into());
        frame.truncate(cut);
        let _ = decode_v1(&frame.into());
    }
}
