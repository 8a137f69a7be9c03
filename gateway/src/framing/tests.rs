use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn message(buffers: Vec<Bytes>) -> JupyterMessage {
    JupyterMessage {
        header: Bytes::from_static(br#"{"msg_id":"m1","msg_type":"execute_request","session":"s","subshell_id": "x"}"#),
        parent_header: Bytes::from_static(b"{}"),
        metadata: Bytes::from_static(br#"{"nbos": {"gpus":  2}}"#),
        content: Bytes::from_static("{\"code\":\"print('é')\"}".as_bytes()),
        buffers,
    }
}

fn decode(framing: Framing, payload: Payload) -> Result<Option<Inbound>, Error> {
    match payload {
        Payload::Text(text) => framing.decode_text(Bytes::from(text)),
        Payload::Binary(frame) => framing.decode_binary(frame),
    }
}

#[test]
fn legacy_text_repeats_id_and_type_at_the_top() {
    let Payload::Text(text) = Framing::Legacy.encode(Channel::Iopub, &message(Vec::new())) else {
        panic!("a message without buffers is a text frame")
    };
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["channel"], "iopub");
    assert_eq!(value["msg_id"], "m1");
    assert_eq!(value["msg_type"], "execute_request");
    assert_eq!(value["buffers"], json!([]));
    assert_eq!(value["header"]["subshell_id"], "x");
}

#[test]
fn dictionaries_pass_byte_for_byte() {
    let text = r#" {"buffers": {}, "header": {"msg_id":"a" , "msg_type":"comm_msg","zz":1.50}, "content" :{"x" : 1e2 }, "parent_header": null}"#;
    let inbound = Framing::Legacy.decode_text(Bytes::from(text)).unwrap().unwrap();
    assert_eq!(inbound.channel, Channel::Shell, "a missing channel means shell");
    assert_eq!(
        inbound.message.header,
        r#"{"msg_id":"a" , "msg_type":"comm_msg","zz":1.50}"#
    );
    assert_eq!(inbound.message.content, r#"{"x" : 1e2 }"#);
    assert_eq!(inbound.message.parent_header, "{}");
    assert_eq!(inbound.message.metadata, "{}");
}

#[test]
fn a_channel_of_the_kernel_is_dropped() {
    let frame = Framing::V1.encode(Channel::Iopub, &message(Vec::new()));
    assert_eq!(decode(Framing::V1, frame), Ok(None));
    let text = r#"{"channel":"bogus","header":{"msg_id":"a","msg_type":"b"}}"#;
    assert_eq!(Framing::Legacy.decode_text(Bytes::from(text)), Ok(None));
}

#[test]
fn every_malformed_frame_is_named() {
    let text = |text: &'static str| Framing::Legacy.decode_text(Bytes::from(text)).unwrap_err();
    assert_eq!(text("{"), Error::NotAMessage);
    assert_eq!(text("[1]"), Error::NotAMessage);
    assert_eq!(text(r#"{"content":{}}"#), Error::NotAMessage);
    assert_eq!(text(r#"{"header":[]}"#), Error::NotAnObject("header"));
    assert_eq!(text(r#"{"header":{"msg_id":"a"}}"#), Error::IncompleteHeader);
    assert_eq!(
        text(r#"{"header":{"msg_id":1,"msg_type":"x"}}"#),
        Error::IncompleteHeader
    );
    assert_eq!(
        text(r#"{"header":{"msg_id":"a","msg_type":"x"},"content":3}"#),
        Error::NotAnObject("content")
    );
    assert_eq!(Framing::V1.decode_text(Bytes::from_static(b"{}")), Err(Error::TextInV1));
    let binary = |framing: Framing, bytes: &'static [u8]| framing.decode_binary(Bytes::from_static(bytes)).unwrap_err();
    assert_eq!(binary(Framing::Legacy, b"\0\0"), Error::Truncated);
    assert_eq!(binary(Framing::Legacy, b"\0\0\0\0"), Error::Truncated);
    assert_eq!(binary(Framing::Legacy, b"\0\0\0\x01\0\0\0\x01{}"), Error::Offsets);
    assert_eq!(binary(Framing::V1, &[0xff; 40]), Error::Truncated);
    let mut broken = message(Vec::new());
    broken.content = Bytes::from_static(b"{\"code\": ");
    assert_eq!(
        decode(Framing::V1, Framing::V1.encode(Channel::Shell, &broken)),
        Err(Error::NotAnObject("content"))
    );
}

proptest! {
    #[test]
    fn both_framings_round_trip(
        framing in prop_oneof![Just(Framing::Legacy), Just(Framing::V1)],
        channel in prop_oneof![Just(Channel::Shell), Just(Channel::Control), Just(Channel::Stdin)],
        id in "\\PC{1,12}",
        code in "\\PC{0,40}",
        buffers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
    ) {
        let header = json!({"msg_id": id, "msg_type": "execute_request", "session": "s"});
        let mut sent = JupyterMessage::build(&header, Bytes::from_static(b"{}"), &json!({"code": code}));
        sent.buffers = buffers.into_iter().map(Bytes::from).collect();
        let inbound = decode(framing, framing.encode(channel, &sent)).unwrap().unwrap();
        prop_assert_eq!(inbound.message, sent);
        prop_assert_eq!(inbound.channel, channel);
        prop_assert_eq!(inbound.fields.msg_id, id);
    }

    #[test]
    fn garbage_never_panics(frame in prop::collection::vec(any::<u8>(), 0..200)) {
        let frame = Bytes::from(frame);
        for framing in [Framing::Legacy, Framing::V1] {
            let _ = framing.decode_binary(frame.clone());
            let _ = framing.decode_text(frame.clone());
        }
    }

    #[test]
    fn damaged_frames_never_panic(
        framing in prop_oneof![Just(Framing::Legacy), Just(Framing::V1)],
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let sent = message(vec![Bytes::from_static(b"abc"), Bytes::new()]);
        let Payload::Binary(frame) = framing.encode(Channel::Shell, &sent) else { unreachable!("it has buffers") };
        let mut damaged = frame.to_vec();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        let _ = framing.decode_binary(Bytes::from(damaged.clone()));
        damaged.truncate(cut.index(damaged.len()));
        let _ = framing.decode_binary(Bytes::from(damaged));
    }
}
