//! The node actor: answers for the supervision tree of its node, whatever the node's roles.

use std::time::Duration;

use nbos_mesh::{Fault, Mesh, Post, codec};
use nbos_supervision::Tree;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::protocol::{NODE_PATH, NodeReply, NodeRequest};
use nbos_kernel::protocol::to_bytes;

/// A restarted child has this long to come up before the caller is told that it has not.
const RESTART_WITHIN: Duration = Duration::from_secs(30);

pub struct NodeActor;

pub struct State {
    mesh: Mesh,
    tree: Tree,
}

impl Actor for NodeActor {
    type Msg = Post;
    type State = State;
    type Arguments = (Mesh, Tree);

    async fn pre_start(&self, myself: ActorRef<Post>, (mesh, tree): (Mesh, Tree)) -> Result<State, ActorProcessingErr> {
        mesh.register(NODE_PATH, myself.get_derived());
        Ok(State { mesh, tree })
    }

    async fn handle(
        &self,
        _: ActorRef<Post>,
        Post(delivery): Post,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(responder) = delivery.reply else {
            return Ok(());
        };
        match codec::decode::<NodeRequest>(&delivery.body) {
            Ok(NodeRequest::Tree) => responder.send(Ok(to_bytes(&NodeReply::Tree(Box::new(state.tree.snapshot()))))),
            Ok(NodeRequest::Restart { path }) => {
                let tree = state.tree.clone();
                // Beside the actor: it may be the one to be restarted.
                tokio::spawn(async move {
                    let reply = match tokio::time::timeout(RESTART_WITHIN, tree.restart(&path)).await {
                        Ok(Ok(())) => NodeReply::Done,
                        Ok(Err(error)) => NodeReply::Refused {
                            code: error.code().to_owned(),
                            message: error.to_string(),
                        },
                        Err(_) => NodeReply::Refused {
                            code: "NB0608".to_owned(),
                            message: format!("{path} did not come up in time"),
                        },
                    };
                    responder.send(Ok(to_bytes(&reply)));
                });
            }
            Err(error) => responder.send(Err(Fault::new(
                "NB0607",
                format!("the request is not readable: {error}"),
            ))),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Post>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.mesh.unregister(NODE_PATH);
        Ok(())
    }
}
