//! How the rest of a node reads the control state and asks for changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_mesh::{Mesh, NodeName};
use tokio::sync::watch;

use crate::client::Client;
use crate::error::Error;
use crate::load::HostLoad;
use crate::moves::Move;
use crate::scaling::ScalingInfo;
use crate::state::{ControlState, Duty, KernelRecord, SessionRecord};
use crate::upkeep::Left;

/// Cheap clone. Reads are local and at most a heartbeat old; writes go to the control group's leader, wherever it is.
#[derive(Clone)]
pub struct ControlHandle {
    state: watch::Receiver<Arc<ControlState>>,
    client: Arc<Client>,
}

impl ControlHandle {
    /// On a control node: `view` is what its own replica has applied.
    pub fn local(mesh: Mesh, control_nodes: Vec<NodeName>, view: watch::Receiver<Arc<ControlState>>) -> Self {
        let client = Arc::new(Client::new(mesh, control_nodes, view.clone()));
        Self { state: view, client }
    }

    /// On any other node: follows the control nodes.
    pub fn remote(mesh: Mesh, control_nodes: Vec<NodeName>) -> Self {
        let (publish, view) = watch::channel(Arc::default());
        let client = Arc::new(Client::new(mesh, control_nodes, view.clone()));
        tokio::spawn(crate::view::follow(Arc::clone(&client), publish));
        Self { state: view, client }
    }

    /// The newest state this node has seen.
    pub fn view(&self) -> Arc<ControlState> {
        Arc::clone(&self.state.borrow())
    }

    /// Wakes at every change.
    pub fn watch(&self) -> watch::Receiver<Arc<ControlState>> {
        self.state.clone()
    }

    /// Places a kernel on distinct hosts. Asking twice with one id creates it once. On return this node's view holds it.
    pub async fn create_kernel(&self, id: KernelId, spec: KernelSpec, within: Duration) -> Result<KernelRecord, Error> {
        self.client.create_kernel(id, spec, within).await
    }

    /// Removes a kernel and its sessions; `NB0603` when there is none.
    pub async fn delete_kernel(&self, id: KernelId, within: Duration) -> Result<(), Error> {
        self.client.delete_kernel(id, within).await
    }

    pub async fn put_session(&self, session: SessionRecord, within: Duration) -> Result<(), Error> {
        self.client.put_session(session, within).await
    }

    /// A host is there, with these devices; again after each start.
    pub async fn register_host(
        &self,
        host: NodeName,
        incarnation: u64,
        gpus: u32,
        within: Duration,
    ) -> Result<(), Error> {
        self.client.register_host(host, incarnation, gpus, within).await
    }

    /// Begins to move a replica of a kernel: that on `from` to `to`, or what and where the scheduler thinks best. The state tells how it
    /// goes on: see [`crate::KernelRecord::moving`] and [`crate::KernelRecord::undone`].
    ///
    /// # Errors
    /// `NB0604`, `NB0611`, `NB0612`, `NB0613` when nothing can be moved, and why.
    pub async fn begin_move(
        &self,
        kernel: KernelId,
        from: Option<NodeName>,
        to: Option<NodeName>,
        within: Duration,
    ) -> Result<Move, Error> {
        self.client.begin_move(kernel, from, to, within).await
    }

    /// Takes a host out of service, or back into it; gives what is still on it. `NB0615` when there is no such host.
    pub async fn drain(&self, host: NodeName, duty: Duty, within: Duration) -> Result<BTreeMap<KernelId, Left>, Error> {
        self.client.drain(host, duty, within).await
    }

    /// How the cluster scales, and what its hosts told last, as one control node knows it.
    pub async fn scaling(&self, within: Duration) -> Result<ScalingInfo, Error> {
        self.client.scaling(within).await
    }

    /// Tells the control nodes what this host has to give; again every second.
    pub fn report(&self, load: &HostLoad) {
        self.client.report(load);
    }

    /// `NB0605` when there is none.
    pub async fn delete_session(&self, id: String, within: Duration) -> Result<(), Error> {
        self.client.delete_session(id, within).await
    }
}
