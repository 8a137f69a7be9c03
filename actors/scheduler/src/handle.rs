//! How the rest of a node reads the control state and asks for changes.

use std::sync::Arc;
use std::time::Duration;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_mesh::{Mesh, NodeName};
use tokio::sync::watch;

use crate::client::Client;
use crate::error::Error;
use crate::state::{ControlState, KernelRecord, SessionRecord};

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

    /// `NB0605` when there is none.
    pub async fn delete_session(&self, id: String, within: Duration) -> Result<(), Error> {
        self.client.delete_session(id, within).await
    }
}
