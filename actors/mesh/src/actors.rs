//! The mesh's corner of the supervision tree: node server, Router, LinkManager, rest for one.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hmac::Mac;
use nbos_supervision::{ChildSpec, Options, Restart, Supervisor, Tree};
use ractor::{Actor, ActorCell, SpawnErr};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{IncomingEncryptionMode, NodeServer};

use crate::manager::LinkManager;
use crate::router::Router;
use crate::shared::Core;
use crate::tls;

/// Largest frame a session takes: four envelopes. A larger one ends the session without a word.
const MAX_FRAME: u64 = 4 * crate::wire::MAX_ENVELOPE as u64;

/// A child that starts the whole mesh under a supervisor.
pub(crate) fn mesh(core: Arc<Core>, tree: Tree, path: String) -> ChildSpec {
    ChildSpec::new("mesh", "mesh", Restart::Permanent, move |parent: ActorCell| {
        let (core, tree, path) = (core.clone(), tree.clone(), path.clone());
        async move {
            let supervisor = Supervisor::start(&tree, Some(parent), &path, Options::rest_for_one()).await?;
            supervisor.add(node_server(core.clone())).await?;
            supervisor.add(router(core.clone())).await?;
            supervisor.add(link_manager(core)).await?;
            Ok(supervisor.cell())
        }
    })
}

fn node_server(core: Arc<Core>) -> ChildSpec {
    ChildSpec::new(
        "node-server",
        "node-server",
        Restart::Permanent,
        move |parent: ActorCell| {
            let core = core.clone();
            async move {
                let server = NodeServer::new(
                    0,
                    cookie(&core),
                    // With the boot id in the name a restarted node is another one to `ractor_cluster`, which would
                    // let its old and new sessions compete.
                    core.me.to_string(),
                    core.me.node.to_string(),
                    Some(IncomingEncryptionMode::Tls(tls::closed_door())),
                    Some(NodeConnectionMode::Isolated),
                )
                .with_listen_addr(IpAddr::V4(Ipv4Addr::LOCALHOST))
                .with_max_inbound_frame_size(MAX_FRAME);
                let (server, _) = Actor::spawn_linked(None, server, (), parent).await?;
                *core.node_server.lock() = Some(server.clone());
                Ok::<_, SpawnErr>(server.get_cell())
            }
        },
    )
}

fn router(core: Arc<Core>) -> ChildSpec {
    ChildSpec::new("router", "router", Restart::Permanent, move |parent: ActorCell| {
        let core = core.clone();
        async move {
            let (router, _) = Actor::spawn_linked(None, Router, core, parent).await?;
            Ok(router.get_cell())
        }
    })
}

fn link_manager(core: Arc<Core>) -> ChildSpec {
    ChildSpec::new("links", "link-manager", Restart::Permanent, move |parent: ActorCell| {
        let core = core.clone();
        async move {
            let (manager, _) = Actor::spawn_linked(None, LinkManager, core, parent).await?;
            Ok(manager.get_cell())
        }
    })
}

/// `ractor_cluster` hashes its cookie with a 32-bit challenge; it never sees the secret itself.
fn cookie(core: &Core) -> String {
    let digest = core.secret.mac("nbos ractor cookie", &[]).finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
