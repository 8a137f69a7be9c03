//! The groups of a node on the mesh.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use nbos_mesh::{Fault, Mesh, NodeName, PeerState, Post};
use nbos_supervision::{ChildSpec, Restart, SupervisorHandle};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::groups::Groups;
use crate::transport::{CallError, Transport};
use crate::wal::LogOptions;

/// Where the groups of every node are found.
const PATH: &str = "raft";
/// The endpoint's name in the tree; a dot keeps it apart from every group.
const CHILD: &str = "mesh.endpoint";

impl Groups {
    /// Opens the log in `dir` and joins the mesh: other nodes reach the groups here, and when one of them goes down the
    /// groups that it led elect anew. `supervisor` must be theirs alone.
    pub async fn on_mesh(
        dir: &Path,
        mesh: Mesh,
        supervisor: SupervisorHandle,
        options: LogOptions,
    ) -> Result<Self, Error> {
        let transport = Arc::new(MeshTransport { mesh: mesh.clone() });
        let groups = Self::open(dir, transport, supervisor.clone(), options).await?;
        let arguments = (groups.clone(), mesh);
        let spec = ChildSpec::new(CHILD, "raft endpoint", Restart::Permanent, move |supervisor| {
            let arguments = arguments.clone();
            async move {
                Ok(Actor::spawn_linked(None, Endpoint, arguments, supervisor)
                    .await?
                    .0
                    .get_cell())
            }
        });
        let added = supervisor.add(spec).await;
        added.map_err(|error| Error::LogUnavailable {
            dir: dir.to_owned(),
            why: error.to_string(),
        })?;
        Ok(groups)
    }
}

struct MeshTransport {
    mesh: Mesh,
}

impl Transport for MeshTransport {
    fn call<'a>(&'a self, to: &'a NodeName, body: Bytes, within: Duration) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move {
            self.mesh
                .call(to, PATH, body, within)
                .await
                .map_err(|error| match error {
                    nbos_mesh::Error::Timeout { .. } => CallError::Timeout,
                    nbos_mesh::Error::Remote(Fault { code, message }) => CallError::Refused { code, message },
                    nbos_mesh::Error::Unreachable(_) => CallError::Unreachable(error.to_string()),
                    // Nothing was sent, or nobody was there to take it.
                    nbos_mesh::Error::Busy(_)
                    | nbos_mesh::Error::NoSuchPath { .. }
                    | nbos_mesh::Error::TooLarge { .. } => CallError::Refused {
                        code: error.code().into(),
                        message: error.to_string(),
                    },
                })
        })
    }
}

/// Takes letters off the mesh, each into a task of its own: one that waits for a disk holds up no other.
struct Endpoint;

struct Listening {
    groups: Groups,
    follower: JoinHandle<()>,
}

impl Actor for Endpoint {
    type Msg = Post;
    type State = Listening;
    type Arguments = (Groups, Mesh);

    async fn pre_start(
        &self,
        myself: ActorRef<Post>,
        (groups, mesh): (Groups, Mesh),
    ) -> Result<Listening, ActorProcessingErr> {
        mesh.register(PATH, myself.get_derived());
        let follower = tokio::spawn(follow(groups.clone(), mesh));
        Ok(Listening { groups, follower })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Post>,
        Post(delivery): Post,
        listening: &mut Listening,
    ) -> Result<(), ActorProcessingErr> {
        // A cast has nobody to answer: replicas only call.
        let Some(reply) = delivery.reply else { return Ok(()) };
        let groups = listening.groups.clone();
        tokio::spawn(async move {
            let answer = groups.deliver(&delivery.from.node, &delivery.body).await;
            reply.send(answer.map_err(|error| match error {
                CallError::Refused { code, message } => Fault::new(code, message),
                CallError::Unreachable(_) | CallError::Timeout => Fault::new("NB0306", error.to_string()),
            }));
        });
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<Post>, listening: &mut Listening) -> Result<(), ActorProcessingErr> {
        listening.follower.abort();
        Ok(())
    }
}

/// Tells the groups of every node that goes down.
async fn follow(groups: Groups, mesh: Mesh) {
    let mut peers = mesh.subscribe();
    let mut before: BTreeMap<NodeName, PeerState> = BTreeMap::new();
    loop {
        let now: BTreeMap<_, _> = peers
            .borrow_and_update()
            .iter()
            .map(|(node, status)| (node.clone(), status.state))
            .collect();
        for (node, state) in &now {
            let was_down = before.get(node).is_none_or(|before| *before == PeerState::Down);
            // Only up or suspected to down: a peer that was never seen leads nothing. A new incarnation is a process
            // that lost its leadership.
            let restarted = matches!(
                (before.get(node), state),
                (Some(PeerState::Up { incarnation: old }), PeerState::Up { incarnation: new }) if old != new
            );
            if (*state == PeerState::Down && !was_down) || restarted {
                groups.node_lost(node);
            }
        }
        before = now;
        if peers.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use nbos_mesh::{MeshOptions, Secret};
    use nbos_supervision::{Options, Supervisor, Tree};

    use super::*;
    use crate::testing::{Journal, LONG, options};
    use crate::{GroupId, ReplicaId};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_group_of_one_works_on_the_mesh_and_garbage_is_refused() {
        let tree = Tree::new("n1");
        let supervisor = Supervisor::start(&tree, None, "", Options::one_for_one())
            .await
            .unwrap();
        let mesh_options = MeshOptions {
            local: "n1".into(),
            listen: "127.0.0.1:0".parse().unwrap(),
            peers: BTreeMap::new(),
            secret: Secret::new(*b"0123456789abcdef0123456789abcdef"),
            options: Default::default(),
        };
        let mesh = Mesh::start(mesh_options, &tree, &supervisor).await.unwrap();
        let below = Supervisor::start(&tree, None, "consensus", Options::one_for_one())
            .await
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let groups = Groups::on_mesh(dir.path(), mesh.clone(), below.clone(), LogOptions::default())
            .await
            .unwrap();
        let id = GroupId::control();
        let group = groups
            .found(
                id,
                ReplicaId(1),
                &BTreeMap::from([(ReplicaId(1), mesh.local().clone())]),
                Box::new(Journal::default()),
                options(),
            )
            .await
            .unwrap();
        assert_eq!(
            group.propose(Bytes::from_static(b"x"), LONG).await.unwrap(),
            Bytes::from_static(b"1")
        );
        let refused = mesh
            .call(mesh.local(), PATH, Bytes::from_static(b"garbage"), LONG)
            .await
            .unwrap_err();
        assert!(matches!(refused, nbos_mesh::Error::Remote(Fault { code, .. }) if code == "NB0219"));
        below.stop().await.unwrap();
        supervisor.stop().await.unwrap();
    }
}
