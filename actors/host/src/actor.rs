//! The host actor: keeps the replicas that the control state wants here, and tells about them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use nbos_consensus::{GroupId, ReplicaId};
use nbos_kernel::{Identity, KernelId, ReplicaHandle, Surroundings};
use nbos_mesh::{Delivery, Fault, Responder, codec};
use nbos_scheduler::ControlHandle;
use nbos_supervision::{ChildSpec, Restart, SupervisorHandle, Tree};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::plan::{Change, Running, plan};
use crate::protocol::{GpuFault, HOST_PATH, HostInfo, HostReply, HostRequest};
use nbos_kernel::protocol::to_bytes;

/// A replica answers at once or is hung.
const INFO_WITHIN: Duration = Duration::from_millis(400);

/// The control group may be electing; registration goes on until it succeeds.
const REGISTER_WITHIN: Duration = Duration::from_secs(5);

/// Objects live ten minutes at least (the store's grace), so looking more often finds nothing.
const COLLECT_EVERY: Duration = Duration::from_secs(600);

/// What could not be started is tried again after this.
const RETRY: Duration = Duration::from_millis(500);

pub struct Host;

#[derive(Clone)]
pub struct Arguments {
    pub surroundings: Surroundings,
    pub control: ControlHandle,
    pub tree: Tree,
    /// Supervises the replicas.
    pub replicas: SupervisorHandle,
    /// Replicas of a kernel, for the subscription ratio.
    pub replication: u32,
}

pub struct State {
    around: Arguments,
    running: Running,
    background: Vec<tokio::task::JoinHandle<()>>,
}

pub enum Message {
    Delivery(Delivery),
    /// The control state changed, or something is to be tried again.
    Reconcile,
    CollectGarbage,
}

impl ractor::Message for Message {}

impl From<Delivery> for Message {
    fn from(delivery: Delivery) -> Self {
        Self::Delivery(delivery)
    }
}

impl TryFrom<Message> for Delivery {
    type Error = ();

    fn try_from(message: Message) -> Result<Self, ()> {
        match message {
            Message::Delivery(delivery) => Ok(delivery),
            Message::Reconcile | Message::CollectGarbage => Err(()),
        }
    }
}

impl Actor for Host {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, around: Arguments) -> Result<State, ActorProcessingErr> {
        around.surroundings.mesh.register(HOST_PATH, myself.get_derived());
        // An actor that was restarted finds its replicas running: they live under a supervisor of their own. Which they are
        // and with which members is told to them anew.
        let running = Running::new();
        myself.send_interval(COLLECT_EVERY, || Message::CollectGarbage);
        let background = vec![
            watch_control(&around.control, myself),
            register(&around),
            tokio::spawn(crate::load::report(
                around.surroundings.gpus.clone(),
                around.control.clone(),
            )),
        ];
        Ok(State {
            around,
            running,
            background,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Reconcile => state.reconcile(&myself).await,
            Message::CollectGarbage => state.collect_garbage(),
            Message::Delivery(delivery) => state.deliver(delivery),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.around.surroundings.mesh.unregister(HOST_PATH);
        for task in &state.background {
            task.abort();
        }
        Ok(())
    }
}

impl State {
    async fn reconcile(&mut self, myself: &ActorRef<Message>) {
        let view = self.around.control.view();
        if view.version == 0 {
            // Nothing is known yet: that no kernel is placed here would be a guess.
            return;
        }
        let mut failed = false;
        for change in plan(&view, self.around.surroundings.mesh.local(), &self.running) {
            failed |= self.carry_out(change).await.is_err();
        }
        if failed {
            myself.send_after(RETRY, || Message::Reconcile);
        }
    }

    async fn carry_out(&mut self, change: Change) -> Result<(), ()> {
        match change {
            Change::Start(identity) => self.start(identity).await,
            Change::Stop { kernel, replica } => {
                self.running.remove(&kernel);
                if let Err(error) = self.around.replicas.remove(&kernel.to_string()).await {
                    tracing::warn!(%error, %kernel, "replica not stopped in time");
                }
                let dropped = match GroupId::new(kernel.to_string()) {
                    Ok(group) => {
                        self.around
                            .surroundings
                            .groups
                            .destroy(&group, ReplicaId(replica))
                            .await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = dropped {
                    tracing::warn!(%error, %kernel, replica, "replica's log not dropped");
                }
                Ok(())
            }
            Change::Members { kernel, membership } => {
                if let Some(replica) = self.replica(kernel) {
                    replica.set_membership(membership.clone());
                }
                if let Some((_, known)) = self.running.get_mut(&kernel) {
                    *known = membership;
                }
                Ok(())
            }
        }
    }

    async fn start(&mut self, identity: Identity) -> Result<(), ()> {
        let (kernel, replica, membership) = (identity.kernel, identity.replica, identity.membership.clone());
        let name = kernel.to_string();
        if self.around.replicas.child(&name).is_some() {
            // Left by an earlier life of this actor; it may be of an older placement.
            let _ = self.around.replicas.remove(&name).await;
        }
        let around = self.around.surroundings.clone();
        let tree = self.around.tree.clone();
        let path = format!("{}/{name}", self.around.replicas.path());
        let spec = ChildSpec::new(name, "replica", Restart::Permanent, move |supervisor| {
            let (identity, around, tree, path) = (identity.clone(), around.clone(), tree.clone(), path.clone());
            async move { nbos_kernel::spawn(identity, around, tree, path, supervisor).await }
        });
        match self.around.replicas.add(spec).await {
            Ok(_) => {
                self.running.insert(kernel, (replica, membership));
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, %kernel, replica, "replica not started");
                Err(())
            }
        }
    }

    fn replica(&self, kernel: KernelId) -> Option<ReplicaHandle> {
        self.around.replicas.child(&kernel.to_string()).map(ReplicaHandle::from)
    }

    /// Drops stored objects that no session's state on this host refers to. A replica that does not answer may refer to any of
    /// them: then nothing is dropped this time.
    fn collect_garbage(&self) {
        let replicas: Vec<Option<ReplicaHandle>> = self.running.keys().map(|kernel| self.replica(*kernel)).collect();
        let objects = self.around.surroundings.objects.clone();
        tokio::spawn(async move {
            let mut live = BTreeSet::new();
            for replica in replicas {
                let Some(replica) = replica else { return };
                let Some(blobs) = replica.blobs(INFO_WITHIN).await else {
                    return;
                };
                live.extend(blobs);
            }
            match objects.retain(&live).await {
                Ok(0) => {}
                Ok(dropped) => tracing::info!(dropped, kept = live.len(), "objects dropped"),
                Err(error) => tracing::warn!(%error, "objects not dropped"),
            }
        });
    }

    fn deliver(&self, delivery: Delivery) {
        let Some(responder) = delivery.reply else {
            return;
        };
        match codec::decode::<HostRequest>(&delivery.body) {
            Ok(HostRequest::Infos) => self.infos(responder),
            Ok(HostRequest::Host) => self.host_info(responder),
            Ok(HostRequest::Fault { gpu, fault }) => responder.send(Ok(to_bytes(&self.fault(gpu, fault)))),
            Err(error) => responder.send(Err(Fault::new(
                "NB0607",
                format!("the request is not readable: {error}"),
            ))),
        }
    }

    fn fault(&self, gpu: u32, fault: GpuFault) -> HostReply {
        let gpus = &self.around.surroundings.gpus;
        let done = match fault {
            GpuFault::FallOff => gpus.inject(gpu, nbos_gpu::Fault::FallOff),
            GpuFault::Leak => gpus.inject(gpu, nbos_gpu::Fault::Leak),
            GpuFault::SlowClear => gpus.inject(gpu, nbos_gpu::Fault::SlowClear),
            GpuFault::Repair => gpus.repair(gpu),
        };
        match done {
            Ok(()) => {
                tracing::warn!(gpu, ?fault, "fault injected in a simulated gpu, or ended");
                HostReply::Done
            }
            Err(error) => HostReply::Refused {
                code: error.code().to_owned(),
                message: error.to_string(),
            },
        }
    }

    fn infos(&self, responder: Responder) {
        let replicas: Vec<ReplicaHandle> = self.running.keys().filter_map(|kernel| self.replica(*kernel)).collect();
        tokio::spawn(async move {
            let asked = replicas.iter().map(|replica| replica.info(INFO_WITHIN));
            let infos = join_all(asked).await.into_iter().flatten().collect();
            responder.send(Ok(to_bytes(&HostReply::Infos(infos))));
        });
    }

    fn host_info(&self, responder: Responder) {
        let around = self.around.surroundings.clone();
        let view = self.around.control.view();
        let replication = u64::from(self.around.replication.max(1));
        tokio::spawn(async move {
            let name = around.mesh.local().clone();
            let gpus = match around.gpus.inventory().await {
                Ok(gpus) => gpus,
                Err(error) => return responder.send(Err(Fault::new(error.code(), error.to_string()))),
            };
            let placed: BTreeMap<KernelId, u32> = view
                .kernels
                .values()
                .filter(|kernel| kernel.placements().any(|placement| placement.host == name))
                .map(|kernel| (kernel.id, kernel.spec.gpus))
                .collect();
            let wanted: u64 = placed.values().map(|gpus| u64::from(*gpus)).sum();
            let installed = (gpus.len() as u64).max(1);
            let info = HostInfo {
                incarnation: around.mesh.incarnation().0,
                replicas: u32::try_from(placed.len()).unwrap_or(u32::MAX),
                warm: u32::try_from(around.warm.idle()).unwrap_or(u32::MAX),
                subscription_millis: wanted * 1_000 / installed / replication,
                gpus,
                name,
            };
            responder.send(Ok(to_bytes(&HostReply::Host(Box::new(info)))));
        });
    }
}

fn watch_control(control: &ControlHandle, host: ActorRef<Message>) -> tokio::task::JoinHandle<()> {
    let mut view = control.watch();
    tokio::spawn(async move {
        loop {
            if host.cast(Message::Reconcile).is_err() || view.changed().await.is_err() {
                return;
            }
        }
    })
}

/// Tells the control group of this host, until it has heard.
fn register(around: &Arguments) -> tokio::task::JoinHandle<()> {
    let control = around.control.clone();
    let mesh = around.surroundings.mesh.clone();
    let gpus = around.surroundings.gpus.installed();
    tokio::spawn(async move {
        loop {
            let host = mesh.local().clone();
            match control
                .register_host(host, mesh.incarnation().0, gpus, REGISTER_WITHIN)
                .await
            {
                Ok(()) => return tracing::info!(gpus, "host registered"),
                Err(error) => tracing::info!(%error, "host not registered yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
    })
}
