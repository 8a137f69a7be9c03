//! HTTP and WebSocket without manners: what a broken or hostile client sends.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::wait::{SHORT, within};

/// A gateway as bytes on a socket.
#[derive(Clone, Debug)]
pub struct Http {
    address: String,
    token: String,
}

/// What it answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// A WebSocket that takes any frame.
#[derive(Debug)]
pub struct RawSocket {
    socket: WebSocketStream<TcpStream>,
}

/// How the other side closed a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub code: u16,
    pub reason: String,
}

impl Answer {
    /// The error's stable code.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Http {
    pub fn new(address: String, token: &str) -> Self {
        Self {
            address,
            token: token.to_owned(),
        }
    }

    /// One request with any body, on a connection of its own.
    pub async fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: token {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.token,
            body.len()
        );
        within(&format!("{method} {path}"), SHORT, async {
            let mut stream = TcpStream::connect(&self.address).await.expect("the gateway accepts");
            stream.write_all(head.as_bytes()).await.expect("the gateway reads");
            // A gateway that has seen enough may close before the end.
            let _ = stream.write_all(body).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            parse(&answer)
        })
        .await
    }

    /// A kernel's WebSocket, or the answer that refused it.
    pub async fn socket(&self, kernel: &str) -> Result<RawSocket, Answer> {
        let url = format!(
            "ws://{}/api/kernels/{kernel}/channels?token={}",
            self.address, self.token
        );
        let request = url.into_client_request().expect("a well-formed request");
        let stream = TcpStream::connect(&self.address).await.expect("the gateway accepts");
        match within(
            "the WebSocket opens",
            SHORT,
            tokio_tungstenite::client_async(request, stream),
        )
        .await
        {
            Ok((socket, _)) => Ok(RawSocket { socket }),
            Err(Error::Http(response)) => {
                let body = serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap_or_default();
                Err(Answer {
                    status: response.status().as_u16(),
                    body,
                })
            }
            Err(error) => panic!("no answer to the upgrade: {error}"),
        }
    }
}

impl RawSocket {
    /// Sends a frame and waits to be closed.
    pub async fn closed_after(self, message: Message) -> Closed {
        let (mut sending, mut receiving) = self.socket.split();
        // Both at once: the refusal comes before a large frame is through.
        let send = async { sending.send(message).await };
        let receive = async {
            loop {
                match receiving.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => {
                        return Closed {
                            code: frame.code.into(),
                            reason: frame.reason.to_string(),
                        };
                    }
                    Some(Ok(_)) => {}
                    ended => panic!("closed without a reason: {ended:?}"),
                }
            }
        };
        within("the WebSocket is closed", Duration::from_secs(60), async {
            tokio::pin!(receive);
            tokio::select! {
                closed = &mut receive => closed,
                _ = send => receive.await,
            }
        })
        .await
    }

    pub async fn text(self, text: &str) -> Closed {
        self.closed_after(Message::text(text)).await
    }

    pub async fn binary(self, bytes: Vec<u8>) -> Closed {
        self.closed_after(Message::Binary(Bytes::from(bytes))).await
    }
}

fn parse(answer: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("not an HTTP answer: {text:?}"));
    // A chunked body has sizes around its one chunk.
    let json = body.find('{').and_then(|start| Some(&body[start..=body.rfind('}')?]));
    Answer {
        status,
        body: json
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default(),
    }
}
