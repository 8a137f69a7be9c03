//! The gateway as a part of a node: starts its actors and its HTTP server.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nbos_mesh::Mesh;
use nbos_scheduler::ControlHandle;
use nbos_supervision::{ChildSpec, Restart, Supervisor, SupervisorHandle, Tree};
use parking_lot::Mutex;
use ractor::Actor;
use tokio::runtime::Handle;

use crate::app::App;
use crate::auth::Token;
use crate::bridge::{Bridges, Endpoint, EndpointArguments, Needs, Registry};
use crate::clock::unix_micros;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::events::{Feed, Watcher, WatcherArguments};
use crate::http::{Http, HttpArguments};
use crate::metrics::Metrics;
use crate::options::Options;

/// Name of the gateway's supervisor under its node's.
const NAME: &str = "gateway";

/// Longest wait for close frames to be written before the server ends.
const GOODBYE: Duration = Duration::from_secs(1);
const GOODBYE_PAUSE: Duration = Duration::from_millis(10);

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Where HTTP is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The secret that every request must show; not empty.
    pub token: String,
    /// The `[gateway]` table.
    pub options: Options,
}

/// Starts gateways.
pub struct Gateway;

/// A running gateway.
pub struct GatewayHandle {
    address: SocketAddr,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    parent: SupervisorHandle,
}

impl Gateway {
    /// Binds the port and starts the gateway's actors as child `gateway` of the supervisor.
    ///
    /// # Errors
    /// [`Error::Bind`] when the port cannot be used, [`Error::Refused`] when supervision fails.
    pub async fn start(
        GatewayOptions { listen, token, options }: GatewayOptions,
        mesh: Mesh,
        control: ControlHandle,
        tree: &Tree,
        parent: &SupervisorHandle,
    ) -> Result<GatewayHandle, Error> {
        let listener = TcpListener::bind(listen).map_err(|source| Error::Bind { addr: listen, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::Bind { addr: listen, source })?;
        let (options, metrics, registry) = (Arc::new(options), Arc::<Metrics>::default(), Arc::<Registry>::default());
        let supervisor = Arc::new(OnceLock::new());
        let needs = Needs {
            mesh: mesh.clone(),
            control: control.clone(),
            options: Arc::clone(&options),
            metrics: Arc::clone(&metrics),
            registry: Arc::clone(&registry),
        };
        let feed = Feed::new();
        let app = Arc::new(App {
            token: Token::new(&token),
            options,
            cluster: Cluster::new(mesh.clone(), control.clone()),
            bridges: Bridges::new(needs, Arc::clone(&supervisor), Handle::current()),
            feed: feed.clone(),
            metrics: Arc::clone(&metrics),
            started_us: unix_micros(),
        });
        let endpoint = EndpointArguments {
            mesh: mesh.clone(),
            registry: Arc::clone(&registry),
        };
        let watcher = WatcherArguments { mesh, control, feed };
        let http = HttpArguments {
            address,
            listener: Arc::new(Mutex::new(Some(listener))),
            app,
        };
        let (tree, path) = (tree.clone(), join(parent.path(), NAME));
        let spec = ChildSpec::new(NAME, "gateway", Restart::Permanent, move |parent| {
            let (tree, path, slot) = (tree.clone(), path.clone(), Arc::clone(&supervisor));
            let (endpoint, watcher, http) = (endpoint.clone(), watcher.clone(), http.clone());
            async move {
                let options = nbos_supervision::Options::one_for_one();
                let own = Supervisor::start(&tree, Some(parent), &path, options).await?;
                own.add(child("endpoint", || Endpoint, endpoint)).await?;
                own.add(child("events", || Watcher, watcher)).await?;
                own.add(child("http", || Http, http)).await?;
                // The handle finds the supervisor by its path, so the first one stays good.
                let cell = own.cell();
                let _ = slot.set(own);
                Ok(cell)
            }
        });
        parent.add(spec).await.map_err(|error| supervision(&error))?;
        tracing::info!(%address, "gateway listens");
        Ok(GatewayHandle {
            address,
            registry,
            metrics,
            parent: parent.clone(),
        })
    }
}

impl GatewayHandle {
    /// Where HTTP is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks every client to connect again (close code 1012), then stops the server.
    pub async fn stop(&self) -> Result<(), Error> {
        self.registry.all().iter().for_each(crate::bridge::BridgeRef::shut_down);
        let deadline = Instant::now() + GOODBYE;
        while self.metrics.connections.get() > 0 && Instant::now() < deadline {
            tokio::time::sleep(GOODBYE_PAUSE).await;
        }
        self.parent.remove(NAME).await.map_err(|error| supervision(&error))
    }
}

/// A permanent child that is started with the same arguments each time.
fn child<A>(name: &'static str, actor: fn() -> A, arguments: A::Arguments) -> ChildSpec
where
    A: Actor,
    A::Arguments: Clone + Sync,
{
    ChildSpec::new(name, name, Restart::Permanent, move |parent| {
        let arguments = arguments.clone();
        async move {
            let (actor, _) = Actor::spawn_linked(None, actor(), arguments, parent).await?;
            Ok(actor.get_cell())
        }
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

fn supervision(error: &nbos_supervision::Error) -> Error {
    Error::Refused {
        code: error.code().to_owned(),
        message: error.to_string(),
    }
}
