//! The bridges of this gateway, by kernel.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nbos_kernel::KernelId;
use nbos_supervision::{ChildSpec, Restart, SupervisorHandle};
use parking_lot::Mutex;
use ractor::{Actor, ActorStatus};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::actor::{Bridge, BridgeRef, Message, Needs};
use super::event::{ClientId, SocketId};
use crate::clock::unix_micros;
use crate::error::Error;
use crate::socket::ClientQueue;

/// A bridge answers `Attach` from memory.
const ATTACH_WITHIN: Duration = Duration::from_secs(2);

/// A bridge may end between being found and being asked; a second one is started then.
const ATTEMPTS: u32 = 3;

/// What a new socket needs.
pub(crate) struct Attached {
    pub(crate) client: ClientId,
    pub(crate) socket: SocketId,
    pub(crate) bridge: BridgeRef,
    pub(crate) queue: Arc<ClientQueue>,
}

/// The bridges that run; each enters and leaves by itself.
#[derive(Default)]
pub(crate) struct Registry {
    bridges: Mutex<BTreeMap<KernelId, BridgeRef>>,
}

pub(crate) struct Bridges {
    needs: Needs,
    /// Set when the gateway's supervisor has started.
    supervisor: Arc<OnceLock<SupervisorHandle>>,
    /// Where actors run; the HTTP workers have runtimes of their own.
    runtime: Handle,
    starting: tokio::sync::Mutex<()>,
    ids: AtomicU64,
}

impl Registry {
    pub(super) fn started(&self, kernel: KernelId, bridge: BridgeRef) {
        self.bridges.lock().insert(kernel, bridge);
    }

    /// A bridge of this kernel has ended: what is registered and does not run goes.
    pub(super) fn ended(&self, kernel: KernelId) {
        let mut bridges = self.bridges.lock();
        if bridges
            .get(&kernel)
            .is_some_and(|bridge| bridge.0.get_status() >= ActorStatus::Stopping)
        {
            bridges.remove(&kernel);
        }
    }

    pub(crate) fn get(&self, kernel: KernelId) -> Option<BridgeRef> {
        let bridge = self.bridges.lock().get(&kernel).cloned()?;
        (bridge.0.get_status() < ActorStatus::Stopping).then_some(bridge)
    }

    pub(crate) fn all(&self) -> Vec<BridgeRef> {
        self.bridges.lock().values().cloned().collect()
    }
}

impl Bridges {
    pub(crate) fn new(needs: Needs, supervisor: Arc<OnceLock<SupervisorHandle>>, runtime: Handle) -> Self {
        // A client id must not be one that an earlier process of this node gave out: a late reply would reach a stranger.
        let ids = AtomicU64::new(unix_micros());
        Self {
            needs,
            supervisor,
            runtime,
            starting: tokio::sync::Mutex::default(),
            ids,
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.needs.registry
    }

    /// Connects a new socket with the bridge of its kernel, which is started if need be.
    pub(crate) async fn attach(&self, kernel: KernelId, session: &str) -> Result<Attached, Error> {
        for _ in 0..ATTEMPTS {
            let bridge = self.get_or_start(kernel).await?;
            let (fresh, socket) = (ClientId(self.next_id()), SocketId(self.next_id()));
            let (reply, attached) = oneshot::channel();
            let sent = bridge.0.cast(Message::Attach {
                session: session.to_owned(),
                fresh,
                socket,
                reply,
            });
            if sent.is_ok()
                && let Ok(Ok(attached)) = tokio::time::timeout(ATTACH_WITHIN, attached).await
            {
                return Ok(attached);
            }
        }
        Err(Error::KernelUnreachable {
            kernel: kernel.to_string(),
            waited: ATTACH_WITHIN,
        })
    }

    async fn get_or_start(&self, kernel: KernelId) -> Result<BridgeRef, Error> {
        if let Some(bridge) = self.needs.registry.get(kernel) {
            return Ok(bridge);
        }
        let _one_at_a_time = self.starting.lock().await;
        if let Some(bridge) = self.needs.registry.get(kernel) {
            return Ok(bridge);
        }
        let failed = |message: String| Error::Refused {
            code: "NB0511".to_owned(),
            message,
        };
        let starting = || failed("the gateway is starting".to_owned());
        let (supervisor, needs) = (self.supervisor.get().cloned().ok_or_else(starting)?, self.needs.clone());
        let name = format!("bridge-{kernel}");
        // A bridge keeps what it has not delivered in memory: a fresh one could not go on where it ended, so clients connect
        // again instead.
        let spec = ChildSpec::new(name.clone(), "bridge", Restart::Temporary, move |parent| {
            let needs = needs.clone();
            async move {
                let (bridge, _) = Actor::spawn_linked(None, Bridge, (kernel, needs), parent).await?;
                Ok(bridge.get_cell())
            }
        });
        let start = self.runtime.spawn(async move {
            supervisor.remove(&name).await?;
            supervisor.add(spec).await
        });
        start
            .await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        self.needs
            .registry
            .get(kernel)
            .ok_or_else(|| failed("the bridge ended at once".to_owned()))
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}
