//! How others use the host's GPUs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nbos_supervision::{ChildSpec, Restart, SupervisorHandle, Tree};
use ractor::rpc::CallResult;
use ractor::{Actor, ActorRef, RpcReplyPort};

use crate::actor::{Arguments, LedgerActor, device_name};
use crate::device::GpuDevice;
use crate::hardware::{self, Hardware, Look};
use crate::{Device, DeviceState, Error, GpuInfo, GpuOptions, Lease, LeaseId, LeaseInfo, LeaseRequest, Line, message};

/// The ledger's name under its supervisor.
const LEDGER: &str = "gpu-ledger";
/// Longest wait for the ledger itself. It answers in microseconds; a restart with back-off takes about this long.
const ASK_DEADLINE: Duration = Duration::from_secs(1);
/// Longest wait for a device's reading: one look at a slow driver (2 s) and some for the mailbox.
const LOOK_DEADLINE: Duration = Duration::from_millis(2500);

/// The host's GPUs: cheap to clone, good for as long as its supervisor lives, restarts of single actors included.
#[derive(Debug, Clone)]
pub struct Gpus {
    supervisor: SupervisorHandle,
    hardware: Arc<[Arc<Hardware>]>,
}

impl Gpus {
    /// Finds the devices and starts one actor for each, then the ledger, under the supervisor.
    ///
    /// # Errors
    /// [`Error::NoDriver`], [`Error::Device`] with `nvml = true`; [`Error::Supervision`].
    pub async fn start(options: GpuOptions, tree: &Tree, supervisor: &SupervisorHandle) -> Result<Self, Error> {
        let node = tree.node().to_owned();
        let found = tokio::task::spawn_blocking(move || hardware::discover(options, &node)).await;
        let found = found.expect("invariant: discovery does not panic")?;
        let hardware: Arc<[Arc<Hardware>]> = found.into_iter().map(Arc::new).collect();

        for device in hardware.iter().map(Arc::clone) {
            let name = device_name(device.about().device.index);
            let start = move |parent| {
                let hardware = Arc::clone(&device);
                async move {
                    Ok(Actor::spawn_linked(None, GpuDevice, hardware, parent)
                        .await?
                        .0
                        .get_cell())
                }
            };
            supervisor
                .add(ChildSpec::new(name, "gpu-device", Restart::Permanent, start))
                .await?;
        }

        let devices: Vec<Device> = hardware.iter().map(|it| it.about().device.clone()).collect();
        let generations = AtomicU32::new(0);
        let siblings = supervisor.clone();
        let start = move |parent| {
            let args = Arguments {
                devices: devices.clone(),
                generation: generations.fetch_add(1, Ordering::Relaxed),
                supervisor: siblings.clone(),
            };
            async move { Ok(Actor::spawn_linked(None, LedgerActor, args, parent).await?.0.get_cell()) }
        };
        supervisor
            .add(ChildSpec::new(LEDGER, "gpu-ledger", Restart::Permanent, start))
            .await?;
        Ok(Self {
            supervisor: supervisor.clone(),
            hardware,
        })
    }

    /// Asks for devices, and waits for them as long as the request says. Dropping the future withdraws the request.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason, [`Error::Silent`].
    pub async fn lease(&self, request: LeaseRequest) -> Result<Lease, Error> {
        let within = request.within.saturating_add(ASK_DEADLINE);
        let answer = self
            .ask(within, |reply| message::Ledger::Lease { request, reply })
            .await?;
        Ok(answer?)
    }

    /// Gives a lease another term and tells the new deadline.
    ///
    /// # Errors
    /// [`Error::Refused`] when the lease is over: its holder must stop using the devices. [`Error::Silent`].
    pub async fn renew(&self, lease: LeaseId) -> Result<Instant, Error> {
        Ok(self
            .ask(ASK_DEADLINE, |reply| message::Ledger::Renew { lease, reply })
            .await??)
    }

    /// Gives the devices back. They are lent again once they are seen clear.
    ///
    /// # Errors
    /// [`Error::Refused`] when the lease was over before. [`Error::Silent`].
    pub async fn release(&self, lease: LeaseId) -> Result<(), Error> {
        Ok(self
            .ask(ASK_DEADLINE, |reply| message::Ledger::Release { lease, reply })
            .await??)
    }

    /// How many devices the host has.
    pub fn installed(&self) -> u32 {
        u32::try_from(self.hardware.len()).expect("invariant: a host has few devices")
    }

    /// Every device with its memory and its lease, ordered by index. A device that cannot be read is listed so.
    ///
    /// # Errors
    /// [`Error::Silent`].
    pub async fn inventory(&self) -> Result<Vec<GpuInfo>, Error> {
        let views = self.ask(ASK_DEADLINE, |reply| message::Ledger::View { reply }).await?;
        let mut inventory = Vec::with_capacity(views.len());
        for (seen, hardware) in views.into_iter().zip(self.hardware.iter()) {
            let about = hardware.about();
            let (memory_used, state) = match self.look(about.device.index).await {
                Ok(look) => (look.memory_used, seen.view.state),
                Err(error) => {
                    tracing::warn!(device = about.device.index, %error, "gpu not readable");
                    (0, DeviceState::Unreadable)
                }
            };
            inventory.push(GpuInfo {
                index: about.device.index,
                uuid: about.device.uuid.clone(),
                name: about.name.clone(),
                memory_total: about.memory_total,
                memory_used,
                state,
                lease: seen.view.lease.map(|it| LeaseInfo {
                    holder: it.holder,
                    epoch: it.epoch,
                    since: seen.since_ms,
                }),
            });
        }
        Ok(inventory)
    }

    /// How many wait here.
    ///
    /// # Errors
    /// [`Error::Silent`].
    pub async fn line(&self) -> Result<Line, Error> {
        self.ask(ASK_DEADLINE, |reply| message::Ledger::Line { reply }).await
    }

    async fn look(&self, index: u32) -> Result<Look, Error> {
        let device = self.child::<message::Device>(&device_name(index))?;
        ask(&device, LOOK_DEADLINE, |reply| message::Device::Look { reply }).await?
    }

    async fn ask<T: Send + 'static>(
        &self,
        within: Duration,
        message: impl FnOnce(RpcReplyPort<T>) -> message::Ledger,
    ) -> Result<T, Error> {
        ask(&self.child(LEDGER)?, within, message).await
    }

    fn child<M: ractor::Message>(&self, name: &str) -> Result<ActorRef<M>, Error> {
        self.supervisor.child(name).map(ActorRef::from).ok_or(Error::Silent)
    }
}

async fn ask<M: ractor::Message, T: Send + 'static>(
    actor: &ActorRef<M>,
    within: Duration,
    message: impl FnOnce(RpcReplyPort<T>) -> M,
) -> Result<T, Error> {
    match actor.call(message, Some(within)).await {
        Ok(CallResult::Success(answer)) => Ok(answer),
        Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => Err(Error::Silent),
    }
}
