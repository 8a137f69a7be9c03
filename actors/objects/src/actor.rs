//! The endpoint `objects`: hands each request on in the order of arrival.

use std::sync::Arc;

use nbos_mesh::{Delivery, Fault, Mesh, Post, codec};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::service::Service;
use crate::wire::{PATH, Request};

pub(crate) struct ObjectsActor;

#[derive(Clone)]
pub(crate) struct Arguments {
    pub(crate) mesh: Mesh,
    pub(crate) service: Arc<Service>,
}

impl Actor for ObjectsActor {
    type Msg = Post;
    type State = Arc<Service>;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Post>, args: Arguments) -> Result<Self::State, ActorProcessingErr> {
        args.mesh.register(PATH, myself.get_derived());
        Ok(args.service)
    }

    /// Takes the request at once and answers from a task of its own: there are no more of these than the service's
    /// bounded queues have room for.
    async fn handle(
        &self,
        _: ActorRef<Post>,
        Post(delivery): Post,
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
