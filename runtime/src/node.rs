//! One node: its rooms, started from the ground up, and ended in reverse.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use nbos_consensus::{GroupId, GroupOptions, Groups, Health, LogOptions, ReplicaId};
use nbos_gateway::{Gateway, GatewayOptions};
use nbos_gpu::{GpuOptions, Gpus};
use nbos_host::{Host, NodeActor, Warm};
use nbos_kernel::{Guard, PythonOptions, Surroundings, WarmPool};
use nbos_mesh::{Mesh, MeshOptions, NodeName};
use nbos_objects::Objects;
use nbos_scheduler::{ControlHandle, ControlMachine, Scaling, Scheduler};
use nbos_supervision::{ChildSpec, Intensity, Options, Restart, Supervisor, SupervisorHandle, Tree};
use ractor::Actor;

use crate::config::{ClusterConfig, NodeTable, Role};
use crate::python::PythonEnv;
use crate::secrets::Secrets;
use crate::socket_dir;
use crate::stop::Stop;

/// Where a node's things are, and the wish to end that it obeys.
#[derive(Clone, Debug)]
pub struct NodePaths {
    /// The node's own directory.
    pub dir: PathBuf,
    pub python: PythonEnv,
    pub stop: Stop,
}

/// Restarts of replicas that a host tolerates in a window: one bad kernel must not take the host down.
const REPLICA_RESTARTS: u32 = 200;

/// Runs until `paths.stop` fires, or until something failed that only a new process can mend.
pub async fn run(config: Arc<ClusterConfig>, name: &str, paths: NodePaths, secrets: Secrets) -> anyhow::Result<()> {
    let table = config.node(name).with_context(|| format!("no node is called {name}"))?;
    let tree = Tree::new(name);
    let root = Supervisor::start(&tree, None, "", Options::one_for_one()).await?;
    let sockets = socket_dir::make(&paths.dir).context("no directory for sockets can be made")?;
    let guard =
        Guard::start(&crate::program::program()?, sockets.path()).context("the guard process cannot be started")?;
    let boot = Boot {
        config: &config,
        table,
        paths: &paths,
        sockets: sockets.path(),
        secrets: &secrets,
        tree: &tree,
        root: &root,
    };
    let rooms = boot.start(guard.clone()).await?;
    tracing::info!(node = name, "node started");
    let outcome = tokio::select! {
        () = paths.stop.wait() => Ok(()),
        () = root.ended() => Err(anyhow::anyhow!("a part of the node failed too often")),
        () = guard.lost() => Err(anyhow::anyhow!("the guard process ended")),
        why = log_failed(rooms.health) => Err(anyhow::anyhow!("the log cannot be trusted any more: {why}")),
    };
    if let Some(gateway) = rooms.gateway {
        gateway.stop().await?;
    }
    root.stop().await?;
    outcome
}

struct Boot<'a> {
    config: &'a ClusterConfig,
    table: &'a NodeTable,
    paths: &'a NodePaths,
    sockets: &'a Path,
    secrets: &'a Secrets,
    tree: &'a Tree,
    root: &'a SupervisorHandle,
}

struct Rooms {
    gateway: Option<nbos_gateway::GatewayHandle>,
    health: tokio::sync::watch::Receiver<Health>,
}

impl Boot<'_> {
    async fn start(&self, guard: Guard) -> anyhow::Result<Rooms> {
        let mesh = self.mesh().await?;
        let (own_mesh, own_tree) = (mesh.clone(), self.tree.clone());
        let node = ChildSpec::new("node", "node", Restart::Permanent, move |supervisor| {
            let arguments = (own_mesh.clone(), own_tree.clone());
            async move {
                Ok(Actor::spawn_linked(None, NodeActor, arguments, supervisor)
                    .await?
                    .0
                    .get_cell())
            }
        });
        self.root.add(node).await?;
        let groups = self.groups(&mesh).await?;
        let control = self.control(&mesh, &groups).await?;
        tokio::spawn(crate::peers::follow(mesh.clone(), control.clone(), self.peers()));
        if self.table.has(Role::Host) {
            self.host(&mesh, &groups, &control, guard).await?;
        }
        let gateway = match self.table.gateway.filter(|_| self.table.has(Role::Gateway)) {
            Some(listen) => Some(self.gateway(listen, &mesh, &control).await?),
            None => None,
        };
        Ok(Rooms {
            gateway,
            health: groups.health(),
        })
    }

    async fn mesh(&self) -> anyhow::Result<Mesh> {
        let options = MeshOptions {
            local: NodeName::from(self.table.name.as_str()),
            listen: self.table.mesh,
            peers: self.peers(),
            secret: nbos_mesh::Secret::new(
                format!("{}/{}", self.config.cluster.name, self.secrets.mesh.expose()).into_bytes(),
            ),
            options: self.config.mesh.clone(),
        };
        Ok(Mesh::start(options, self.tree, self.root).await?)
    }

    /// The nodes of the configuration.
    fn peers(&self) -> BTreeMap<NodeName, SocketAddr> {
        let nodes = self.config.nodes.iter();
        nodes
            .map(|node| (NodeName::from(node.name.as_str()), node.mesh))
            .collect()
    }

    async fn groups(&self, mesh: &Mesh) -> anyhow::Result<Groups> {
        let supervisor = self.supervisor("consensus", Options::one_for_one()).await?;
        let dir = self.paths.dir.join("consensus");
        Ok(Groups::on_mesh(&dir, mesh.clone(), supervisor, LogOptions::default()).await?)
    }

    /// The control group's replica on a control node, and every node's handle.
    async fn control(&self, mesh: &Mesh, groups: &Groups) -> anyhow::Result<ControlHandle> {
        // By name, so that every node counts alike.
        let members: BTreeMap<NodeName, u64> = {
            let mut names: Vec<&str> = self
                .config
                .with_role(Role::Control)
                .map(|node| node.name.as_str())
                .collect();
            names.sort_unstable();
            names.into_iter().map(NodeName::from).zip(1..).collect()
        };
        let nodes: Vec<NodeName> = members.keys().cloned().collect();
        let Some(number) = members.get(mesh.local()) else {
            return Ok(ControlHandle::remote(mesh.clone(), nodes));
        };
        let (machine, view) = ControlMachine::new();
        let founders = members.iter().map(|(node, number)| (ReplicaId(*number), node.clone()));
        let group = groups
            .found(
                GroupId::control(),
                ReplicaId(*number),
                &founders.collect(),
                Box::new(machine),
                GroupOptions::control(),
            )
            .await?;
        let hosts = self.config.with_role(Role::Host);
        let hosts = hosts.map(|node| NodeName::from(node.name.as_str())).collect();
        let arguments = nbos_scheduler::Arguments {
            mesh: mesh.clone(),
            group,
            view: view.clone(),
            replicas: self.config.cluster.replicas,
            loads: nbos_scheduler::Loads::default(),
            scaling: Scaling::new(self.config.scheduler.clone(), hosts),
        };
        let scheduler = ChildSpec::new("control", "scheduler", Restart::Permanent, move |supervisor| {
            let arguments = arguments.clone();
            async move {
                Ok(Actor::spawn_linked(None, Scheduler, arguments, supervisor)
                    .await?
                    .0
                    .get_cell())
            }
        });
        self.root.add(scheduler).await?;
        Ok(ControlHandle::local(mesh.clone(), nodes, view))
    }

    async fn host(&self, mesh: &Mesh, groups: &Groups, control: &ControlHandle, guard: Guard) -> anyhow::Result<()> {
        let host = self.supervisor("host", Options::one_for_one()).await?;
        let gpu_supervisor = self.below(&host, "gpus", Options::one_for_one()).await?;
        let object_supervisor = self.below(&host, "objects", Options::one_for_one()).await?;
        let mut often = Options::one_for_one();
        often.intensity = Intensity {
            max_restarts: REPLICA_RESTARTS,
            ..often.intensity
        };
        let replicas = self.below(&host, "replicas", often).await?;
        let warm = self.warm(&host, &guard).await?;
        let surroundings = Surroundings {
            mesh: mesh.clone(),
            groups: groups.clone(),
            objects: Objects::open_with(
                &self.paths.dir.join("objects"),
                &self.config.objects,
                mesh,
                &object_supervisor,
            )
            .await?,
            gpus: Gpus::start(
                self.table.gpus.unwrap_or(GpuOptions::Simulated(0)),
                &self.config.gpu,
                &self.paths.dir.join("gpus"),
                self.tree,
                &gpu_supervisor,
            )
            .await?,
            control: self
                .config
                .with_role(Role::Control)
                .map(|node| NodeName::from(node.name.as_str()))
                .collect(),
            guard,
            warm,
            options: self.config.kernel.clone(),
        };
        let arguments = nbos_host::Arguments {
            surroundings,
            control: control.clone(),
            tree: self.tree.clone(),
            replicas,
            replication: u32::try_from(self.config.cluster.replicas)?,
        };
        let spec = ChildSpec::new("host", "host", Restart::Permanent, move |supervisor| {
            let arguments = arguments.clone();
            async move {
                Ok(Actor::spawn_linked(None, Host, arguments, supervisor)
                    .await?
                    .0
                    .get_cell())
            }
        });
        host.add(spec).await?;
        Ok(())
    }

    /// The zygote, and the kernels started ahead.
    async fn warm(&self, host: &SupervisorHandle, guard: &Guard) -> anyhow::Result<WarmPool> {
        let python = PythonOptions {
            interpreter: self.paths.python.interpreter.clone(),
            shim_path: self.paths.python.shim_path.clone(),
            socket_dir: self.sockets.to_owned(),
            hash_seed: self.hash_seed(),
        };
        let (options, policy) = (&self.config.kernel, self.config.kernel.pool);
        let path = format!("{}/warm", host.path());
        let pool = WarmPool::new(python, options, guard.clone(), self.tree, &path);
        let kept = pool.clone();
        let spec = ChildSpec::new("warm", "warm-pool", Restart::Permanent, move |supervisor| {
            let arguments = (kept.clone(), policy);
            async move {
                Ok(Actor::spawn_linked(None, Warm, arguments, supervisor)
                    .await?
                    .0
                    .get_cell())
            }
        });
        host.add(spec).await?;
        Ok(pool)
    }

    /// The same on every node, and known to nobody else.
    fn hash_seed(&self) -> u32 {
        let seed = blake3::derive_key("nbos 2026 hash seed of kernels", self.secrets.mesh.expose().as_bytes());
        u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]])
    }

    async fn gateway(
        &self,
        listen: std::net::SocketAddr,
        mesh: &Mesh,
        control: &ControlHandle,
    ) -> anyhow::Result<nbos_gateway::GatewayHandle> {
        let options = GatewayOptions {
            listen,
            token: self.secrets.token.expose().to_owned(),
            options: self.config.gateway.clone(),
        };
        Ok(Gateway::start(options, mesh.clone(), control.clone(), self.tree, self.root).await?)
    }

    async fn supervisor(&self, path: &str, options: Options) -> anyhow::Result<SupervisorHandle> {
        Ok(Supervisor::start(self.tree, Some(self.root.cell()), path, options).await?)
    }

    async fn below(&self, parent: &SupervisorHandle, name: &str, options: Options) -> anyhow::Result<SupervisorHandle> {
        let path = format!("{}/{name}", parent.path());
        Ok(Supervisor::start(self.tree, Some(parent.cell()), &path, options).await?)
    }
}

/// Returns when a write or sync of the log failed: after that only a new process may read it (a failed fsync may have dropped
/// what it should have kept).
async fn log_failed(mut health: tokio::sync::watch::Receiver<Health>) -> std::sync::Arc<str> {
    match health
        .wait_for(|health| matches!(health, Health::Failed(_)))
        .await
        .as_deref()
    {
        Ok(Health::Failed(why)) => std::sync::Arc::clone(why),
        // The log went with its node.
        Ok(Health::Good | Health::Full) | Err(_) => std::future::pending().await,
    }
}
