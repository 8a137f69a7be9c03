//! The Router: the one remotable actor of a node. Receives envelopes and passes on what is in them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent, pg};

use crate::delivery::{Responder, Route};
use crate::link::Link;
use crate::reassembly::{Complete, Refusal};
use crate::shared::Core;
use crate::wire::{self, Header, Kind, Large, Request};
use crate::{Delivery, Fault, Peer};

/// Where Routers are found in ractor's process groups.
pub(crate) const SCOPE: &str = "nbos";

/// The process group that holds the Router of one start of one node, and nothing else.
pub(crate) fn group(peer: &Peer) -> String {
    format!("router/{peer}")
}

/// One envelope. The only message type of this program that can leave its node.
#[derive(Debug)]
pub(crate) struct Wire(pub Vec<u8>);

impl ractor::Message for Wire {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(SerializedMessage::Cast {
            variant: String::new(),
            args: self.0,
            metadata: None,
        })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { args, .. } => Ok(Self(args)),
            // Nobody calls a Router: calls are casts with our own correlation ids.
            SerializedMessage::Call { .. } | SerializedMessage::CallReply(..) => Err(BoxedDowncastErr),
        }
    }
}

pub(crate) struct Router;

impl Actor for Router {
    type Msg = Wire;
    type State = Arc<Core>;
    type Arguments = Arc<Core>;

    async fn pre_start(&self, myself: ActorRef<Wire>, core: Arc<Core>) -> Result<Arc<Core>, ActorProcessingErr> {
        pg::join_scoped(SCOPE.to_owned(), group(&core.me), vec![myself.get_cell()]);
        Ok(core)
    }

    async fn handle(&self, _: ActorRef<Wire>, wire: Wire, core: &mut Arc<Core>) -> Result<(), ActorProcessingErr> {
        core.receive(&Bytes::from(wire.0));
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Wire>,
        _: SupervisionEvent,
        _: &mut Arc<Core>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl Core {
    fn receive(self: &Arc<Self>, envelope: &Bytes) {
        let Some((header, body)) = wire::unpack(envelope) else {
            tracing::warn!(bytes = envelope.len(), "an envelope could not be read and is dropped");
            return;
        };
        let link = self
            .link(&header.from)
            .filter(|link| link.epoch == header.epoch && !link.is_closed());
        let Some(link) = link.filter(|_| header.to == self.me.incarnation) else {
            // A session that has ended: whoever waits for an answer has been told already.
            tracing::debug!(from = %header.from, to = %header.to, "an envelope of another session is dropped");
            return;
        };
        let now = self.micros();
        self.account(&link, &header, envelope.len(), now);
        let age = link.inbound.lock().clock.age(now, header.sent_at);
        match header.kind {
            Kind::Request(request) => {
                let expires = expiry(now, age, request.ttl_ms);
                self.request(&link, request, body, now, expires);
            }
            Kind::Reply { id, fault } => link.answer(id, fault.map_or(Ok(body), Err)),
            Kind::Open { transfer, total, inner } => {
                let expires = match &inner {
                    Large::Request(request) => expiry(now, age, request.ttl_ms),
                    // The caller waits as long as it wants.
                    Large::Reply { .. } => u64::MAX,
                };
                let opened = link
                    .inbound
                    .lock()
                    .reassembly
                    .open(transfer, total, inner.clone(), expires);
                if let Err(refusal) = opened {
                    self.refuse(&link, inner, refusal, expires);
                }
            }
            Kind::Piece { transfer } => {
                let result = link.inbound.lock().reassembly.piece(transfer, &body);
                match result {
                    Ok(Some(complete)) => self.complete(&link, complete),
                    Ok(None) => {}
                    Err(refusal) => tracing::warn!(peer = %link.peer, ?refusal, "a large message is dropped"),
                }
            }
            Kind::Abort { transfer } => link.inbound.lock().reassembly.drop_transfer(transfer),
            Kind::Ping => drop(self.post(&link, Kind::Pong, &[])),
            Kind::Pong => link.hear(now),
            Kind::Ack => {}
        }
    }

    /// Budgets of both directions, and signs of life.
    fn account(&self, link: &Link, header: &Header, bytes: usize, now: u64) {
        if link.budget.lock().acknowledge(header.acked) {
            link.room.notify_waiters();
            link.hear(now);
        }
        if !header.kind.is_budgeted() {
            return;
        }
        if link.inbound.lock().life_sign(bytes) {
            link.hear(now);
        }
        if link.receipt.lock().count(bytes) {
            // Without a way back the next envelope or heartbeat tells.
            let _ = self.post(link, Kind::Ack, &[]);
        }
    }

    fn request(self: &Arc<Self>, link: &Arc<Link>, request: Request, body: Bytes, now: u64, expires: u64) {
        let reply = request.call.map(|id| {
            Responder::new(Route::Remote {
                core: self.clone(),
                link: link.clone(),
                id,
                expires,
            })
        });
        if now >= expires {
            tracing::debug!(peer = %link.peer, path = request.path, "a message came after its deadline");
            fail(
                reply,
                Fault::EXPIRED,
                "the message arrived after its deadline".to_owned(),
            );
            return;
        }
        let delivery = Delivery {
            from: link.peer.clone(),
            body,
            reply,
        };
        if let Err(delivery) = self.deliver(&request.path, delivery) {
            let text = format!("nothing is registered at `{}` on node `{}`", request.path, self.me.node);
            fail(delivery.reply, Fault::NO_SUCH_PATH, text);
        }
    }

    fn complete(self: &Arc<Self>, link: &Arc<Link>, complete: Complete) {
        match complete.inner {
            Large::Request(request) => self.request(link, request, complete.body, self.micros(), complete.expires),
            Large::Reply { id } => link.answer(id, Ok(complete.body)),
        }
    }

    /// A large message is not taken; its pieces will be ignored.
    fn refuse(self: &Arc<Self>, link: &Arc<Link>, inner: Large, refusal: Refusal, expires: u64) {
        tracing::warn!(peer = %link.peer, ?refusal, "a large message is refused");
        let text = "too many large messages are under way".to_owned();
        match inner {
            Large::Request(Request { call: Some(id), .. }) => {
                let route = Route::Remote {
                    core: self.clone(),
                    link: link.clone(),
                    id,
                    expires,
                };
                fail(Some(Responder::new(route)), Fault::BUSY, text);
            }
            Large::Request(_) => {}
            Large::Reply { id } => link.answer(id, Err(Fault::new(Fault::BUSY, text))),
        }
    }
}

fn fail(reply: Option<Responder>, code: &str, message: String) {
    if let Some(reply) = reply {
        reply.send(Err(Fault::new(code, message)));
    }
}

/// When a message that took `age` to get here runs out, in microseconds of this node's clock.
fn expiry(now: u64, age: u64, ttl_ms: u32) -> u64 {
    let ttl = u64::try_from(Duration::from_millis(ttl_ms.into()).as_micros()).unwrap_or(u64::MAX);
    now.saturating_add(ttl).saturating_sub(age)
}
