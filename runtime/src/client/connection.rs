//! The WebSocket to one kernel.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::header::HeaderValue;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message as WsMessage};

use super::error::Error;
use super::execute::{Execute, ExecuteOutcome};
use super::http::Client;
use super::message::{Channel, Message, fresh_id, text};
use super::outputs::Outputs;
use super::wire::{self, Frame};

/// Gateways accept a WebSocket at once, even while the kernel starts.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// A connection this quiet is pinged: a cell may be silent for hours, a gateway may not.
const PING_AFTER: Duration = Duration::from_secs(5);
/// Unanswered pings in a row after which the gateway counts as gone.
const PINGS: u32 = 3;
/// `idle` follows a reply within milliseconds; a replay after a fail-over may lack it.
const IDLE_WITHIN: Duration = Duration::from_secs(5);
/// Sending waits for the gateway's window alone.
const SEND_WITHIN: Duration = Duration::from_secs(30);
/// Far above what a notebook shows, and a bound all the same.
const MAX_MESSAGE: usize = 256 * 1024 * 1024;

/// How messages are laid out in WebSocket frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `v1.kernel.websocket.jupyter.org`: what JupyterLab uses.
    V1,
    /// The older JSON framing: what `jupyter --gateway-url` uses.
    Legacy,
}

/// One open connection. Dropping it closes it; the kernel and its cells go on.
#[derive(Debug)]
pub struct KernelConnection {
    socket: WebSocketStream<TcpStream>,
    framing: Framing,
    session: String,
    url: String,
}

impl Client {
    /// Opens a kernel's WebSocket with a session of its own.
    pub async fn connect(&self, kernel: &str, framing: Framing) -> Result<KernelConnection, Error> {
        self.connect_as(kernel, framing, &fresh_id()).await
    }

    /// Opens a kernel's WebSocket in a session known before: what the lost connection missed is sent again.
    pub async fn connect_as(&self, kernel: &str, framing: Framing, session: &str) -> Result<KernelConnection, Error> {
        let (stream, endpoint) = self.dial().await?;
        let url = endpoint.url();
        let target = format!(
            "ws://{}{}/api/kernels/{kernel}/channels?session_id={session}",
            endpoint.authority, endpoint.base
        );
        let unexpected = |why: String| Error::Unexpected {
            url: url.clone(),
            what: "the kernel's WebSocket".into(),
            why,
        };
        let mut request = target
            .into_client_request()
            .map_err(|error| unexpected(error.to_string()))?;
        let token = HeaderValue::try_from(format!("token {}", self.token()));
        request
            .headers_mut()
            .insert("authorization", token.map_err(|error| unexpected(error.to_string()))?);
        if framing == Framing::V1 {
            request
                .headers_mut()
                .insert("sec-websocket-protocol", HeaderValue::from_static(wire::V1));
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let opening = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let socket = match timeout(OPEN_WITHIN, opening).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(tungstenite::Error::Http(response))) => {
                let body = response.body().clone().unwrap_or_default();
                return Err(Error::Refused {
                    url,
                    what: "the kernel's WebSocket".into(),
                    status: response.status().as_u16(),
                    message: super::http::message_of(&body),
                });
            }
            Ok(Err(error)) => {
                self.avoid_current();
                return Err(Error::Lost {
                    url,
                    why: error.to_string(),
                });
            }
            Err(_) => {
                self.avoid_current();
                return Err(Error::Timeout {
                    url,
                    within: OPEN_WITHIN,
                });
            }
        };
        Ok(KernelConnection {
            socket,
            framing,
            session: session.to_owned(),
            url,
        })
    }
}

impl KernelConnection {
    /// The session id that its messages carry.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Runs a cell and waits for its end, however long it takes; fails when the gateway no longer answers.
    pub async fn execute(&mut self, code: &str) -> Result<ExecuteOutcome, Error> {
        self.execute_with(&Execute::new(code)).await
    }

    /// [`KernelConnection::execute`] with a message id, metadata and so on of the caller's. After [`Error::Lost`], connect again and
    /// call it with the same request: the cell is not run twice.
    pub async fn execute_with(&mut self, execute: &Execute) -> Result<ExecuteOutcome, Error> {
        let mut request = Message::request(
            Channel::Shell,
            "execute_request",
            &self.session,
            Some(&execute.msg_id),
            execute.content(),
        );
        request.metadata = execute.metadata.clone();
        let sent = Instant::now();
        self.send(&request).await?;

        let mut outputs = Outputs::default();
        let mut reply: Option<(Value, Value, Duration)> = None;
        let mut spoke_after = None;
        let mut idle = false;
        while reply.is_none() || !idle {
            let message = match &reply {
                None => self.recv().await?,
                Some((_, _, after)) => match timeout_at(sent + *after + IDLE_WITHIN, self.recv()).await {
                    Ok(message) => message?,
                    Err(_) => break,
                },
            };
            if message.parent_id() != execute.msg_id {
                continue;
            }
            match message.channel {
                Channel::Shell if message.msg_type() == "execute_reply" => {
                    reply = Some((message.content, message.metadata, sent.elapsed()))
                }
                Channel::Iopub if message.status() == Some("idle") => idle = true,
                Channel::Iopub => {
                    if message.msg_type() == "stream" && text(&message.content, "name") == "stdout" {
                        spoke_after.get_or_insert_with(|| sent.elapsed());
                    }
                    outputs.apply(message.msg_type(), &message.content);
                }
                Channel::Shell | Channel::Control | Channel::Stdin => {}
            }
        }
        let (reply, metadata, replied_after) = reply.expect("invariant: the loop ends with a reply or an error");
        Ok(ExecuteOutcome {
            msg_id: execute.msg_id.clone(),
            reply,
            metadata,
            outputs,
            spoke_after,
            replied_after,
            ended_after: sent.elapsed(),
        })
    }

    /// Sends any request (`kernel_info_request`, `complete_request`, …) and waits for its reply on the same channel.
    pub async fn request(&mut self, channel: Channel, msg_type: &str, content: Value) -> Result<Message, Error> {
        let request = Message::request(channel, msg_type, &self.session, None, content);
        self.send(&request).await?;
        loop {
            let message = self.recv().await?;
            if message.channel == channel && message.parent_id() == request.msg_id() {
                return Ok(message);
            }
        }
    }

    /// Sends one message as it is.
    pub async fn send(&mut self, message: &Message) -> Result<(), Error> {
        let frame = match self.framing {
            Framing::V1 => wire::encode_v1(message),
            Framing::Legacy => wire::encode_legacy(message),
        };
        self.write(match frame {
            Frame::Text(text) => WsMessage::text(text),
            Frame::Binary(bytes) => WsMessage::binary(bytes),
        })
        .await
    }

    /// The next message of any kind. Waits as long as the gateway answers pings. Safe to cancel.
    pub async fn recv(&mut self) -> Result<Message, Error> {
        let mut unanswered = 0;
        loop {
            let frame = match timeout(PING_AFTER, self.socket.next()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(self.lost(error.to_string())),
                Ok(None) => return Err(self.lost("closed by the gateway".into())),
                Err(_) if unanswered == PINGS => return Err(self.lost("no answer to pings".into())),
                Err(_) => {
                    unanswered += 1;
                    self.write(WsMessage::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            unanswered = 0;
            match (frame, self.framing) {
                (WsMessage::Binary(bytes), Framing::V1) => return wire::decode_v1(&bytes),
                (WsMessage::Binary(bytes), Framing::Legacy) => return wire::decode_legacy_binary(&bytes),
                (WsMessage::Text(text), Framing::Legacy) => return wire::decode_legacy_text(&text),
                (WsMessage::Text(_), Framing::V1) => return Err(Error::Malformed("a text frame in v1 framing".into())),
                (WsMessage::Close(frame), _) => {
                    let why =
                        frame.map(|frame| format!("closed by the gateway: {} {}", u16::from(frame.code), frame.reason));
                    return Err(self.lost(why.unwrap_or_else(|| "closed by the gateway".into())));
                }
                // Pings are answered by the library.
                (WsMessage::Ping(_) | WsMessage::Pong(_) | WsMessage::Frame(_), _) => {}
            }
        }
    }

    async fn write(&mut self, message: WsMessage) -> Result<(), Error> {
        match timeout(SEND_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(error.to_string())),
            Err(_) => Err(self.lost("it takes no more data".into())),
        }
    }

    fn lost(&self, why: String) -> Error {
        Error::Lost {
            url: self.url.clone(),
            why,
        }
    }
}
