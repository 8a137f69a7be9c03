//! The actor of one device: the only place that waits for its driver.

use std::sync::Arc;
use std::time::Duration;

use nbos_supervision::SupervisorHandle;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinHandle;

use crate::actor::LEDGER;
use crate::hardware::{Hardware, Look, Occupancy};
use crate::{Error, Health, message};

/// Longest wait for the driver. It answers in microseconds to milliseconds; a call that takes seconds hangs on a
/// card that fell off the bus.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);

/// Pause between two looks that find out whether a device still works. A dead one is known in twice this, well before
/// its lease would run out (10 s); a look costs a driver about a millisecond.
const CHECK_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct GpuDevice;

#[derive(Clone)]
pub(crate) struct Arguments {
    pub(crate) hardware: Arc<Hardware>,
    /// Finds the ledger, which may restart on its own.
    pub(crate) supervisor: SupervisorHandle,
}

pub(crate) struct State {
    hardware: Arc<Hardware>,
    supervisor: SupervisorHandle,
    /// A look the driver has not answered; no second one is started behind it, so a dead card costs one thread.
    stuck: Option<JoinHandle<Result<Look, Error>>>,
}

impl Actor for GpuDevice {
    type Msg = message::Device;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, args: Arguments) -> Result<State, ActorProcessingErr> {
        let Arguments { hardware, supervisor } = args;
        myself.send_interval(CHECK_EVERY, || message::Device::Check);
        Ok(State {
            hardware,
            supervisor,
            stuck: None,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: message::Device,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            message::Device::Clear { lease } => {
                state.hardware.released(lease);
                let device = state.hardware.about().device.index;
                match state.look().await {
                    Ok(Look {
                        occupancy: Occupancy::Clear,
                        ..
                    }) => state.report(message::Ledger::Cleared { device, lease }),
                    Ok(Look {
                        occupancy: Occupancy::Occupied,
                        memory_used,
                        ..
                    }) => tracing::debug!(device, %lease, memory_used, "gpu not clear yet"),
                    // Reported as its health.
                    Err(_) => {}
                }
            }
            message::Device::Check => {
                // Its health is all that is wanted.
                let _ = state.look().await;
            }
            message::Device::Look { reply } => {
                let look = state.look().await;
                // The caller may have stopped waiting.
                let _ = reply.send(look);
            }
        }
        Ok(())
    }
}

impl State {
    /// Looks at the device, and tells the ledger whether it works.
    async fn look(&mut self) -> Result<Look, Error> {
        let look = self.ask_driver().await;
        let health = match &look {
            Ok(_) => Health::Healthy,
            Err(error) => Health::Failed {
                why: match error {
                    Error::Device { reason, .. } => reason.clone(),
                    other => other.to_string(),
                },
            },
        };
        let device = self.hardware.about().device.index;
        self.report(message::Ledger::Health { device, health });
        look
    }

    /// A ledger that is restarting misses this, and hears it again from the next look.
    fn report(&self, message: message::Ledger) {
        if let Some(cell) = self.supervisor.child(LEDGER) {
            let _ = ActorRef::<message::Ledger>::from(cell).cast(message);
        }
    }

    async fn ask_driver(&mut self) -> Result<Look, Error> {
        let index = self.hardware.about().device.index;
        let failed = |reason: &str| Error::Device {
            index,
            reason: reason.to_owned(),
        };
        if self.stuck.take_if(|it| it.is_finished()).is_none() && self.stuck.is_some() {
            return Err(failed("the driver has not answered an earlier question"));
        }
        let hardware = Arc::clone(&self.hardware);
        let mut look = tokio::task::spawn_blocking(move || hardware.look());
        match tokio::time::timeout(LOOK_DEADLINE, &mut look).await {
            Ok(Ok(look)) => look,
            Ok(Err(panicked)) => Err(failed(&panicked.to_string())),
            Err(_elapsed) => {
                self.stuck = Some(look);
                Err(failed("the driver does not answer"))
            }
        }
    }
}
