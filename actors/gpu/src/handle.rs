//! How others use the host's GPUs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nbos_supervision::{ChildSpec, Restart, SupervisorHandle, Tree};
use ractor::rpc::CallResult;
use ractor::{Actor, ActorRef, RpcReplyPort};

use crate::actor::{Arguments, LEDGER, LedgerActor, device_name};
use crate::awaited::Awaited;
use crate::device::{self, GpuDevice};
use crate::hardware::{self, Hardware, Look};
use crate::ledger::{Bounds, Installed};
use crate::{
    DeviceState, Error, Fault, GpuInfo, GpuOptions, Health, Lease, LeaseId, LeaseInfo, LeaseRequest, Line, Options,
    Place, Release, message, nvml,
};

/// Longest wait for the ledger itself. It answers in microseconds; a restart with back-off takes about this long.
const ASK_DEADLINE: Duration = Duration::from_secs(1);
/// Longest wait for the readings of all devices together. They take milliseconds; a card that hangs must not make the
/// whole host look dead to those who list hosts, and give it 500 ms.
const LOOK_DEADLINE: Duration = Duration::from_millis(300);

/// The host's GPUs: cheap to clone, good for as long as its supervisor lives, restarts of single actors included.
#[derive(Debug, Clone)]
pub struct Gpus {
    supervisor: SupervisorHandle,
    hardware: Arc<[Arc<Hardware>]>,
    release: Release,
}

impl Gpus {
    /// Finds the devices and starts one actor for each, then the ledger, under the supervisor. Simulated devices live in
    /// `dir`, a private directory of this node that later lives of it find again.
    ///
    /// # Errors
    /// [`Error::NoDriver`], [`Error::Device`] with `nvml = true`; [`Error::Checkpoint`]; [`Error::Supervision`].
    pub async fn start(
        gpus: GpuOptions,
        options: &Options,
        dir: &Path,
        tree: &Tree,
        supervisor: &SupervisorHandle,
    ) -> Result<Self, Error> {
        let bounds = Bounds {
            total: options.max_waiting,
            per_user: options.max_waiting_per_user,
        };
        let (node, options, dir) = (tree.node().to_owned(), options.clone(), dir.to_owned());
        let find = move || {
            let release = Release::choose(gpus, &options)?;
            let context = match release {
                Release::Offload => options.context,
                Release::Checkpoint(_) | Release::Respawn => 0,
            };
            Ok::<_, Error>((hardware::discover(gpus, &node, &dir, context)?, release))
        };
        let found = tokio::task::spawn_blocking(find).await;
        let (found, release) = found.expect("invariant: discovery does not panic")?;
        let hardware: Arc<[Arc<Hardware>]> = found.into_iter().map(Arc::new).collect();

        for hardware in hardware.iter().map(Arc::clone) {
            let name = device_name(hardware.about().device.index);
            let args = device::Arguments {
                hardware,
                supervisor: supervisor.clone(),
            };
            let start = move |parent| {
                let args = args.clone();
                async move { Ok(Actor::spawn_linked(None, GpuDevice, args, parent).await?.0.get_cell()) }
            };
            supervisor
                .add(ChildSpec::new(name, "gpu-device", Restart::Permanent, start))
                .await?;
        }

        let installed = |it: &Arc<Hardware>| Installed {
            device: it.about().device.clone(),
            memory: it.about().memory_total,
        };
        let devices: Vec<Installed> = hardware.iter().map(installed).collect();
        let generations = AtomicU32::new(0);
        let siblings = supervisor.clone();
        let start = move |parent| {
            let args = Arguments {
                devices: devices.clone(),
                bounds,
                generation: generations.fetch_add(1, Ordering::Relaxed),
                supervisor: siblings.clone(),
            };
            async move { Ok(Actor::spawn_linked(None, LedgerActor, args, parent).await?.0.get_cell()) }
        };
        supervisor
            .add(ChildSpec::new(LEDGER, "gpu-ledger", Restart::Permanent, start))
            .await?;
        let gpus = Self {
            supervisor: supervisor.clone(),
            hardware,
            release,
        };
        let siblings = supervisor.clone();
        nvml::watch(&gpus.hardware, move |index| check(&siblings, index));
        Ok(gpus)
    }

    /// How sessions of this host give their GPU memory back between cells.
    pub fn release_by(&self) -> &Release {
        &self.release
    }

    /// Asks for devices, and waits for them as long as the request says. Dropping the future withdraws the request, and gives back
    /// what was just granted.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason, [`Error::Silent`].
    pub async fn lease(&self, request: LeaseRequest) -> Result<Lease, Error> {
        let within = request.within.saturating_add(ASK_DEADLINE);
        Awaited::ask(self.child(LEDGER)?, request)?.wait(within).await
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

    /// Where a holder's request stands in the line; none when it does not wait here.
    ///
    /// # Errors
    /// [`Error::Silent`].
    pub async fn place(&self, holder: &str) -> Result<Option<Place>, Error> {
        let holder = holder.to_owned();
        self.ask(ASK_DEADLINE, |reply| message::Ledger::Place { holder, reply })
            .await
    }

    /// Makes something go wrong with a simulated device, until it is repaired.
    ///
    /// # Errors
    /// [`Error::NotSimulated`], [`Error::NoDevice`].
    pub fn inject(&self, index: u32, fault: Fault) -> Result<(), Error> {
        self.device(index)?.inject(fault)?;
        check(&self.supervisor, index);
        Ok(())
    }

    /// Ends every fault of a simulated device.
    ///
    /// # Errors
    /// [`Error::NotSimulated`], [`Error::NoDevice`].
    pub fn repair(&self, index: u32) -> Result<(), Error> {
        self.device(index)?.repair()?;
        check(&self.supervisor, index);
        Ok(())
    }

    /// How many devices the host has.
    pub fn installed(&self) -> u32 {
        u32::try_from(self.hardware.len()).expect("invariant: a host has few devices")
    }

    /// Every device with what is on it and its lease, ordered by index. A failed device is listed so.
    ///
    /// # Errors
    /// [`Error::Silent`].
    pub async fn inventory(&self) -> Result<Vec<GpuInfo>, Error> {
        // First the devices, which tell the ledger what they find.
        let mut looks = Vec::with_capacity(self.hardware.len());
        let until = Instant::now() + LOOK_DEADLINE;
        for hardware in self.hardware.iter() {
            let within = until.saturating_duration_since(Instant::now());
            looks.push(self.look(hardware.about().device.index, within).await);
        }
        let views = self.ask(ASK_DEADLINE, |reply| message::Ledger::View { reply }).await?;
        let mut inventory = Vec::with_capacity(views.len());
        for ((seen, look), hardware) in views.into_iter().zip(looks).zip(self.hardware.iter()) {
            let about = hardware.about();
            let (look, health, state) = match look {
                Ok(look) => (Some(look), seen.view.health, seen.view.state),
                Err(Error::Device { reason, .. }) => (None, Health::Failed { why: reason }, DeviceState::Failed),
                Err(_silent) => {
                    let why = "it does not answer now".to_owned();
                    (None, Health::Failed { why }, DeviceState::Failed)
                }
            };
            inventory.push(GpuInfo {
                index: about.device.index,
                uuid: about.device.uuid.clone(),
                name: about.name.clone(),
                memory_total: about.memory_total,
                memory_used: look.as_ref().map_or(0, |it| it.memory_used),
                utilisation: look.as_ref().and_then(|it| it.utilisation),
                processes: look.map_or_else(Vec::new, |it| it.processes),
                health,
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

    fn device(&self, index: u32) -> Result<&Hardware, Error> {
        let found = self.hardware.iter().find(|it| it.about().device.index == index);
        found.map(|it| &**it).ok_or_else(|| Error::NoDevice {
            index,
            installed: self.installed(),
        })
    }

    async fn look(&self, index: u32, within: Duration) -> Result<Look, Error> {
        let device = self.child::<message::Device>(&device_name(index))?;
        ask(&device, within, |reply| message::Device::Look { reply }).await?
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

/// Has a device looked at soon; one that restarts is looked at anyway.
fn check(supervisor: &SupervisorHandle, index: u32) {
    if let Some(cell) = supervisor.child(&device_name(index)) {
        let _ = ActorRef::<message::Device>::from(cell).cast(message::Device::Check);
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
