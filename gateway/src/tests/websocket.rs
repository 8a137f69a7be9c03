use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use nbos_kernel::protocol::ReplicaReply;
use nbos_kernel::{JupyterMessage, KernelId};
use nbos_mesh::NodeName;
use nbos_scheduler::Command;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::fixture::{Fixture, MAX_MESSAGE, SHELL, TOKEN, execute, run};
use crate::framing::{Framing, Payload, V1_PROTOCOL};

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    framing: Framing,
}

impl Client {
    async fn connect(fixture: &Fixture, kernel: KernelId, session: &str, framing: Framing) -> Self {
        let address = fixture.address();
        let url = format!("ws://{address}/api/kernels/{kernel}/channels?session_id={session}&token={TOKEN}");
        let mut request = url.into_client_request().unwrap();
        if framing == Framing::V1 {
            request.headers_mut().insert(
                "sec-websocket-protocol",
                format!("other, {V1_PROTOCOL}").parse().unwrap(),
            );
        }
        let (socket, response) = connect_async(request).await.unwrap();
        let selected = response
            .headers()
            .get("sec-websocket-protocol")
            .map(|name| name.to_str().unwrap());
        assert_eq!(selected, (framing == Framing::V1).then_some(V1_PROTOCOL));
        Self { socket, framing }
    }

    async fn send(&mut self, message: &JupyterMessage) {
        let frame = match self.framing.encode(SHELL, message) {
            Payload::Text(text) => Message::text(text),
            Payload::Binary(frame) => Message::binary(frame),
        };
        self.socket.send(frame).await.unwrap();
    }

    /// Channel and type of the next message, and its buffers' count.
    async fn next(&mut self) -> (String, String, usize) {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(text.as_str()).unwrap();
                    return (of(&message, "channel"), of(&message, "msg_type"), 0);
                }
                Message::Binary(frame) => return self.binary(frame),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn binary(&self, frame: Bytes) -> (String, String, usize) {
        let word = |at: usize| match self.framing {
            Framing::V1 => u64::from_le_bytes(frame[8 * at..8 * at + 8].try_into().unwrap()) as usize,
            Framing::Legacy => u32::from_be_bytes(frame[4 * at..4 * at + 4].try_into().unwrap()) as usize,
        };
        match self.framing {
            Framing::V1 => {
                let channel = String::from_utf8(frame[word(1)..word(2)].to_vec()).unwrap();
                let header: Value = serde_json::from_slice(&frame[word(2)..word(3)]).unwrap();
                (channel, of(&header, "msg_type"), word(0) - 6)
            }
            Framing::Legacy => {
                let json: Value = serde_json::from_slice(&frame[word(1)..word(2)]).unwrap();
                (of(&json, "channel"), of(&json, "msg_type"), word(0) - 1)
            }
        }
    }

    /// The types of the messages up to `idle`.
    async fn until_idle(&mut self) -> Vec<String> {
        let mut types = Vec::new();
        while types.last().is_none_or(|last| last != "status") {
            types.push(self.next().await.1);
        }
        types
    }

    async fn closed(&mut self) -> CloseFrame {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame,
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }
}

fn of(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_cell_goes_round_in_both_framings_with_its_buffers() {
    run(|fixture| async {
        for framing in [Framing::Legacy, Framing::V1] {
            let (kernel, script) = fixture.kernel().await;
            let mut client = Client::connect(fixture, kernel, "s", framing).await;
            client.send(&execute("m1")).await;
            assert_eq!(client.until_idle().await, ["stream", "execute_reply", "status"]);
            let mut with_buffers = execute("m2");
            with_buffers.buffers = vec![Bytes::from_static(b"abc"), Bytes::from_static(&[0, 255])];
            client.send(&with_buffers).await;
            assert_eq!(client.next().await, ("iopub".to_owned(), "stream".to_owned(), 2));
            let received = script.lock().received.clone();
            assert_eq!(
                received,
                [execute("m1"), with_buffers],
                "nothing was changed on the way"
            );
        }
    });
}

#[test]
fn replies_go_to_the_requester_and_output_to_everyone() {
    run(|fixture| async {
        let (kernel, _) = fixture.kernel().await;
        let mut asker = Client::connect(fixture, kernel, "a", Framing::V1).await;
        let mut observer = Client::connect(fixture, kernel, "b", Framing::Legacy).await;
        asker.send(&execute("m1")).await;
        assert_eq!(asker.until_idle().await, ["stream", "execute_reply", "status"]);
        assert_eq!(observer.until_idle().await, ["stream", "status"]);
    });
}

#[test]
fn a_replica_that_is_not_ready_is_asked_again() {
    run(|fixture| async {
        let (kernel, script) = fixture.kernel().await;
        let mut client = Client::connect(fixture, kernel, "s", Framing::V1).await;
        let redirect = ReplicaReply::Redirect {
            executor: NodeName::from("n1"),
        };
        script.lock().refusals = vec![ReplicaReply::Busy, redirect, ReplicaReply::Busy];
        client.send(&execute("m1")).await;
        assert_eq!(client.until_idle().await, ["stream", "execute_reply", "status"]);
    });
}

#[test]
fn what_a_replica_refuses_ends_with_its_code() {
    run(|fixture| async {
        let (kernel, script) = fixture.kernel().await;
        let mut client = Client::connect(fixture, kernel, "s", Framing::V1).await;
        script.lock().refusals = vec![ReplicaReply::Refused {
            code: "NB0499".to_owned(),
            message: "no".to_owned(),
        }];
        client.send(&execute("m1")).await;
        assert_eq!(client.until_idle().await, ["error", "execute_reply", "status"]);
    });
}

#[test]
fn a_bad_message_ends_its_own_connection_only() {
    run(|fixture| async {
        let (kernel, _) = fixture.kernel().await;
        let mut neighbour = Client::connect(fixture, kernel, "n", Framing::V1).await;
        let bad = [
            (Framing::Legacy, Message::text("{\"header\": "), 1007, "NB0513"),
            (Framing::Legacy, Message::text("{\"content\": {}}"), 1007, "NB0513"),
            (Framing::Legacy, Message::binary(vec![0xff; 300]), 1007, "NB0513"),
            (Framing::V1, Message::binary(vec![0xff; 300]), 1007, "NB0513"),
            (Framing::V1, Message::text("hello"), 1007, "NB0513"),
            (Framing::V1, Message::binary(vec![0; MAX_MESSAGE + 1]), 1009, "NB0514"),
        ];
        for (framing, message, code, name) in bad {
            let mut client = Client::connect(fixture, kernel, "bad", framing).await;
            client.socket.send(message).await.unwrap();
            let frame = client.closed().await;
            assert_eq!(u16::from(frame.code), code);
            assert!(frame.reason.as_str().starts_with(name), "{}", frame.reason);
        }
        neighbour.send(&execute("m1")).await;
        assert_eq!(neighbour.until_idle().await, ["stream", "execute_reply", "status"]);
    });
}

#[test]
fn a_frame_that_announces_too_much_is_refused_before_it_is_sent() {
    run(|fixture| async {
        let (kernel, _) = fixture.kernel().await;
        let mut client = Client::connect(fixture, kernel, "s", Framing::V1).await;
        let mut header = vec![0x82, 0xff];
        header.extend_from_slice(&(100_u64 * 1024 * 1024).to_be_bytes());
        header.extend_from_slice(&[1, 2, 3, 4]);
        client.socket.get_mut().write_all(&header).await.unwrap();
        assert_eq!(u16::from(client.closed().await.code), 1009);
    });
}

#[test]
fn the_same_session_takes_over_and_finds_what_it_missed() {
    run(|fixture| async {
        let (kernel, script) = fixture.kernel().await;
        let mut first = Client::connect(fixture, kernel, "s", Framing::V1).await;
        let mut second = Client::connect(fixture, kernel, "s", Framing::V1).await;
        assert_eq!(u16::from(first.closed().await.code), 1000);
        // The executor is busy until the client is gone; what comes then is kept.
        script.lock().refusals = vec![ReplicaReply::Busy; 3];
        second.send(&execute("m1")).await;
        second.socket.close(None).await.unwrap();
        drop(second);
        while script.lock().received.is_empty() {
            tokio::task::yield_now().await;
        }
        let mut third = Client::connect(fixture, kernel, "s", Framing::Legacy).await;
        assert_eq!(third.until_idle().await, ["stream", "execute_reply", "status"]);
    });
}

#[test]
fn deleting_the_kernel_closes_its_sockets_for_good() {
    run(|fixture| async {
        let (kernel, _) = fixture.kernel().await;
        let mut client = Client::connect(fixture, kernel, "s", Framing::V1).await;
        client.send(&execute("m1")).await;
        client.until_idle().await;
        fixture.commit(Command::DeleteKernel { id: kernel });
        assert_eq!(u16::from(client.closed().await.code), 1000);
    });
}

#[test]
fn a_socket_for_an_unknown_kernel_is_refused() {
    run(|fixture| async {
        let url = format!(
            "ws://{}/api/kernels/{}/channels?token={TOKEN}",
            fixture.address(),
            KernelId::random()
        );
        let error = connect_async(url).await.unwrap_err().to_string();
        assert!(error.contains("404"), "{error}");
    });
}
