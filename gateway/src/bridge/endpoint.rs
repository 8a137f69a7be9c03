//! The gateway's address on the mesh: hands kernel events to the bridges.

use std::sync::Arc;

use bytes::Bytes;
use nbos_kernel::protocol::{GATEWAY_PATH, KernelEvent};
use nbos_mesh::{Mesh, Post, codec};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::bridges::Registry;

pub(crate) struct Endpoint;

#[derive(Clone)]
pub(crate) struct EndpointArguments {
    pub(crate) mesh: Mesh,
    pub(crate) registry: Arc<Registry>,
}

impl Actor for Endpoint {
    type Msg = Post;
    type State = EndpointArguments;
    type Arguments = EndpointArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Post>,
        arguments: EndpointArguments,
    ) -> Result<EndpointArguments, ActorProcessingErr> {
        arguments.mesh.register(GATEWAY_PATH, myself.get_derived());
        Ok(arguments)
    }

    async fn handle(
        &self,
        _: ActorRef<Post>,
        Post(delivery): Post,
        state: &mut EndpointArguments,
    ) -> Result<(), ActorProcessingErr> {
        match codec::decode::<KernelEvent>(&delivery.body) {
            // Without a bridge nobody listens here; the subscription ends by its lease.
            Ok(event) => {
                if let Some(bridge) = state.registry.get(event.kernel) {
                    bridge.kernel_sent(event);
                }
            }
            Err(error) => tracing::warn!(from = %delivery.from, %error, "unreadable kernel event"),
        }
        // A large event comes as a call: the executor goes on when it has arrived.
        if let Some(sender) = delivery.reply {
            sender.send(Ok(Bytes::new()));
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Post>, state: &mut EndpointArguments) -> Result<(), ActorProcessingErr> {
        state.mesh.unregister(GATEWAY_PATH);
        Ok(())
    }
}
