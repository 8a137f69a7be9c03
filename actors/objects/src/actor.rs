//! The endpoint `objects`: hands each request on in the order of arrival.

use std::sync::Arc;

use nbos_mesh::{Delivery, Fault, Mesh, codec};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::service::Service;
use crate::wire::{PATH, Request};

pub(crate) struct ObjectsActor;

/// A peer's request.
pub(crate) struct Message(Delivery);

impl ractor::Message for Message {}

impl From<Delivery> for Message {
    fn from(delivery: Delivery) -> Self {
        Self(delivery)
    }
}

impl From<Message> for Delivery {
    fn from(message: Message) -> Self {
        message.0
    }
}

#[derive(Clone)]
pub(crate) struct Arguments {
    pub(crate) mesh: Mesh,
    pub(crate) service: Arc<Service>,
}

impl Actor for ObjectsActor {
    type Msg = Message;
    type State = Arc<Service>;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, args: Arguments) -> Result<Self::State, ActorProcessingErr> {
        args.mesh.register(PATH, myself.get_derived());
        Ok(args.service)
    }

    /// Takes the request at once and answers from a task of its own: there are no more of these than the service's
    /// bounded queues have room for.
    async fn handle(
        &self,
        _: ActorRef<Message>,
        Message(delivery): Message,
        service: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Delivery {
            from,
            body,
            reply: Some(caller),
        } = delivery
        else {
            return Ok(());
        };
        match codec::decode::<Request>(&body) {
            Ok(request) => {
                let pending = service.start(request);
                tokio::spawn(async move {
                    let answer = codec::encode(&pending.reply().await);
                    caller.send(answer.map_err(|error| Fault::new(error.code(), error.to_string())));
                });
            }
            Err(error) => {
                tracing::warn!(%from, %error, "unreadable request for blobs");
                caller.send(Err(Fault::new(error.code(), error.to_string())));
            }
        }
        Ok(())
    }
}
