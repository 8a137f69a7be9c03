//! A WebSocket connection: an actix actor that reads frames for the bridge and writes the client's queue.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, StreamHandler, WrapFuture, fut::ActorFutureExt};
use actix_web::error::PayloadError;
use actix_web::http::header::{SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, ProtocolError, Session};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::guard::Guarded;
use super::queue::{ClientQueue, End, Next};
use crate::app::App;
use crate::bridge::{Attached, BridgeRef, ClientId, SocketId};
use crate::error::Error;
use crate::framing::{Framing, Inbound, Payload, V1_PROTOCOL};

/// Bytes of one connection's messages on their way into its bridge; above it the socket is not read. In KiB.
const INTAKE_KIB: u32 = 64 * 1024;

/// A close frame that cannot be written in this time is not waited for.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
pub(crate) struct ChannelsQuery {
    #[serde(default)]
    session_id: String,
}

/// `GET /api/kernels/{id}/channels`
pub(crate) async fn channels(
    request: HttpRequest,
    path: web::Path<String>,
    query: web::Query<ChannelsQuery>,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let record = app.cluster.kernel(&path).await?;
    if !request.headers().contains_key(UPGRADE) {
        return Err(Error::NotWebSocket(request.path().to_owned()));
    }
    let limit = app.options.max_message_bytes;
    let guarded = Guarded::new(payload.into_inner(), limit);
    let mut guarded: dev::Payload = dev::Payload::Stream {
        payload: Box::pin(guarded),
    };
    let not_websocket = |error: actix_web::Error| Error::NotWebSocket(error.to_string());
    let body = web::Payload::from_request(&request, &mut guarded)
        .await
        .map_err(not_websocket)?;
    let (response, session, stream) =
        actix_ws::handle_with_protocols(&request, body, &[V1_PROTOCOL]).map_err(not_websocket)?;
    let v1 = response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL);
    let framing = if v1 { Framing::V1 } else { Framing::Legacy };
    let Attached {
        client,
        socket,
        bridge,
        queue,
    } = app.bridges.attach(record.id, &query.session_id).await?;
    let stream = stream
        .max_frame_size(limit)
        .aggregate_continuations()
        .max_continuation_size(limit);
    let intake = Arc::new(Semaphore::new(INTAKE_KIB as usize));
    let connection = Connection {
        app,
        session,
        framing,
        client,
        socket,
        bridge,
        queue,
        intake,
        heard: Instant::now(),
    };
    Connection::create(|context| {
        context.add_stream(stream);
        connection
    });
    Ok(response)
}

struct Connection {
    app: web::Data<App>,
    session: Session,
    framing: Framing,
    client: ClientId,
    socket: SocketId,
    bridge: BridgeRef,
    queue: Arc<ClientQueue>,
    intake: Arc<Semaphore>,
    /// When the client last sent anything.
    heard: Instant,
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.app.metrics.connections.rise();
        let writer = write(self.session.clone(), self.framing, Arc::clone(&self.queue), self.socket);
        context.spawn(writer.into_actor(self).map(|(), _, context| context.stop()));
        context.run_interval(self.app.options.ping_interval(), |connection, context| {
            if connection.heard.elapsed() >= connection.app.options.pong_timeout() {
                tracing::info!(client = connection.client.0, "websocket client is silent, closing");
                context.stop();
                return;
            }
            let mut session = connection.session.clone();
            let ping = async move { session.ping(b"").await };
            // A failed ping means that the writer fails too and stops the actor.
            context.spawn(ping.into_actor(connection).map(|_, _, _| ()));
        });
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.app.metrics.connections.fall();
        self.queue.detach(self.socket);
        self.bridge.detach(self.client, self.socket);
    }
}

impl StreamHandler<Result<AggregatedMessage, ProtocolError>> for Connection {
    fn handle(&mut self, item: Result<AggregatedMessage, ProtocolError>, context: &mut Context<Self>) {
        self.heard = Instant::now();
        match item {
            Ok(AggregatedMessage::Text(text)) => {
                let decoded = self.framing.decode_text(text.into_bytes());
                self.decoded(decoded.map_err(Error::from), context);
            }
            Ok(AggregatedMessage::Binary(frame)) => {
                let decoded = self.framing.decode_binary(frame);
                self.decoded(decoded.map_err(Error::from), context);
            }
            Ok(AggregatedMessage::Ping(payload)) => {
                let mut session = self.session.clone();
                let pong = async move { session.pong(&payload).await };
                context.spawn(pong.into_actor(self).map(|_, _, _| ()));
            }
            Ok(AggregatedMessage::Pong(_)) => {}
            Ok(AggregatedMessage::Close(reason)) => self.close(reason, context),
            Err(error) => match reason_for(&error, self.app.options.max_message_bytes) {
                Some(reason) => self.close(Some(reason), context),
                None => context.stop(),
            },
        }
    }
}

impl Connection {
    fn decoded(&mut self, decoded: Result<Option<Inbound>, Error>, context: &mut Context<Self>) {
        match decoded {
            Ok(Some(inbound)) => self.forward(inbound, context),
            Ok(None) => tracing::debug!(client = self.client.0, "message for an unknown channel dropped"),
            Err(error) => self.close(Some(reason(CloseCode::Invalid, &error)), context),
        }
    }

    /// Hands a message to the bridge; while too many are on their way the socket is not read.
    fn forward(&mut self, inbound: Inbound, context: &mut Context<Self>) {
        self.app.metrics.messages_in.count();
        let kib = u32::try_from(inbound.message.size() / 1024 + 1)
            .unwrap_or(INTAKE_KIB)
            .min(INTAKE_KIB);
        let intake = Arc::clone(&self.intake);
        if let Ok(permit) = Arc::clone(&intake).try_acquire_many_owned(kib) {
            self.bridge.client_sent(self.client, inbound, permit);
            return;
        }
        let permit = intake.acquire_many_owned(kib).into_actor(self);
        context.wait(permit.map(|permit, connection, _| {
            if let Ok(permit) = permit {
                connection.bridge.client_sent(connection.client, inbound, permit);
            }
        }));
    }

    fn close(&mut self, reason: Option<CloseReason>, context: &mut Context<Self>) {
        if let Some(reason) = &reason {
            tracing::info!(client = self.client.0, ?reason, "closing websocket");
        }
        let close = close(self.session.clone(), reason);
        context.wait(close.into_actor(self).map(|(), _, context| context.stop()));
    }
}

/// Writes what waits for the client until there is an end.
async fn write(mut session: Session, framing: Framing, queue: Arc<ClientQueue>, socket: SocketId) {
    let reason = loop {
        match queue.next(socket).await {
            Next::Message(channel, message) => {
                let written = match framing.encode(channel, &message) {
                    Payload::Text(text) => session.text(text).await,
                    Payload::Binary(frame) => session.binary(frame).await,
                };
                if written.is_err() {
                    return;
                }
            }
            Next::Replaced => break named(CloseCode::Normal, "replaced by a newer connection of the same session"),
            Next::End(End::Deleted) => break named(CloseCode::Normal, "kernel deleted"),
            // JupyterLab reconnects on anything but 1000 and 1001.
            Next::End(End::Restarting) => break named(CloseCode::Restart, "the gateway restarts, connect again"),
            Next::End(End::Overflow) => break reason(CloseCode::Again, &Error::SlowClient),
        }
    };
    close(session, Some(reason)).await;
}

async fn close(session: Session, reason: Option<CloseReason>) {
    // Neither a client that is gone nor one that does not read keeps the connection.
    let _ = tokio::time::timeout(CLOSE_WITHIN, session.close(reason)).await;
}

/// What to tell the client about a frame that could not be read; `None` when the connection just broke.
fn reason_for(error: &ProtocolError, limit: usize) -> Option<CloseReason> {
    let too_large = || Some(reason(CloseCode::Size, &Error::MessageTooLarge { limit }));
    match error {
        ProtocolError::Overflow => too_large(),
        ProtocolError::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<PayloadError>()) {
            Some(PayloadError::Overflow) => too_large(),
            Some(_) => None,
            None if error.kind() == io::ErrorKind::InvalidData => Some(named(
                CloseCode::Invalid,
                "NB0513 malformed message: the frame is not valid",
            )),
            // The only other kind: too many continuation frames.
            None => too_large(),
        },
        other => Some(named(
            CloseCode::Protocol,
            &format!("NB0513 malformed message: {other}"),
        )),
    }
}

fn reason(code: CloseCode, error: &Error) -> CloseReason {
    named(code, &format!("{} {error}", error.code()))
}

fn named(code: CloseCode, description: &str) -> CloseReason {
    CloseReason {
        code,
        description: Some(description.to_owned()),
    }
}
