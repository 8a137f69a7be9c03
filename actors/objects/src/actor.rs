//! The endpoint `objects`: tells peers where the port for bulk bytes is.

use nbos_mesh::{Delivery, Fault, Mesh, Post, codec};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::wire::{PATH, Port, WhichPort};

pub(crate) struct ObjectsActor;

#[derive(Clone)]
pub(crate) struct Arguments {
    pub(crate) mesh: Mesh,
    pub(crate) port: u16,
}

impl Actor for ObjectsActor {
    type Msg = Post;
    type State = Port;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Post>, args: Arguments) -> Result<Self::State, ActorProcessingErr> {
        args.mesh.register(PATH, myself.get_derived());
        Ok(Port(args.port))
    }

    async fn handle(
        &self,
        _: ActorRef<Post>,
        Post(delivery): Post,
        port: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let Delivery {
            from,
            body,
            reply: Some(caller),
        } = delivery
        else {
            return Ok(());
        };
        let answer = codec::decode::<WhichPort>(&body).and_then(|WhichPort| codec::encode(port));
        if let Err(error) = &answer {
            tracing::warn!(%from, %error, "unreadable question about chunks");
        }
        caller.send(answer.map_err(|error| Fault::new(error.code(), error.to_string())));
        Ok(())
    }
}
