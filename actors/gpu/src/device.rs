//! The actor of one device: the only place that waits for its driver.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinHandle;

use crate::hardware::{Hardware, Look, Occupancy};
use crate::{Error, message};

/// Longest wait for the driver. It answers in microseconds to milliseconds; a call that takes seconds hangs on a
/// card that fell off the bus.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);

pub(crate) struct GpuDevice;

pub(crate) struct State {
    hardware: Arc<Hardware>,
    /// A look the driver has not answered; no second one is started behind it, so a dead card costs one thread.
    stuck: Option<JoinHandle<Result<Look, Error>>>,
}

impl Actor for GpuDevice {
    type Msg = message::Device;
    type State = State;
    type Arguments = Arc<Hardware>;

    async fn pre_start(&self, _: ActorRef<Self::Msg>, hardware: Arc<Hardware>) -> Result<State, ActorProcessingErr> {
        Ok(State { hardware, stuck: None })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: message::Device,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            message::Device::Bind => state.hardware.bind(),
            message::Device::Clear { lease, ledger } => {
                state.hardware.unbind();
                let device = state.hardware.about().device.index;
                match state.look().await {
                    Ok(Look {
                        occupancy: Occupancy::Clear,
                        ..
                    }) => {
                        // A ledger that is gone asks again after its restart.
                        let _ = ledger.cast(message::Ledger::Cleared { device, lease });
                    }
                    Ok(Look {
                        occupancy: Occupancy::Occupied,
                        memory_used,
                    }) => {
                        tracing::debug!(device, %lease, memory_used, "gpu not clear yet");
                    }
                    Err(error) => tracing::warn!(device, %lease, %error, "gpu not readable"),
                }
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
    async fn look(&mut self) -> Result<Look, Error> {
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
