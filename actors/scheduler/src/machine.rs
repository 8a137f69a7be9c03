//! The control state machine as consensus sees it; publishes each new state to this node.

use std::sync::Arc;

use bytes::Bytes;
use nbos_mesh::codec;
use tokio::sync::watch;

use crate::state::{Command, ControlState, Outcome};
use nbos_kernel::protocol::to_bytes;

pub struct ControlMachine {
    state: ControlState,
    publish: watch::Sender<Arc<ControlState>>,
}

impl ControlMachine {
    /// The receiver sees every state that this replica has applied.
    pub fn new() -> (Self, watch::Receiver<Arc<ControlState>>) {
        let (publish, view) = watch::channel(Arc::default());
        (
            Self {
                state: ControlState::default(),
                publish,
            },
            view,
        )
    }
}

impl nbos_consensus::StateMachine for ControlMachine {
    fn apply(&mut self, index: u64, command: &[u8]) -> Bytes {
        let outcome = match codec::decode::<Command>(command) {
            Ok(command) => {
                let version = self.state.version;
                let outcome = self.state.apply(command);
                if self.state.version != version {
                    self.publish.send_replace(Arc::new(self.state.clone()));
                }
                outcome
            }
            Err(error) => {
                tracing::error!(%error, index, "control log entry is not readable");
                Outcome::Refused {
                    code: "NB0606".to_owned(),
                    message: "the control command is not readable".to_owned(),
                }
            }
        };
        to_bytes(&outcome)
    }

    fn snapshot(&self) -> Bytes {
        to_bytes(&self.state)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        self.state = codec::decode(snapshot).map_err(|error| error.to_string())?;
        self.publish.send_replace(Arc::new(self.state.clone()));
        Ok(())
    }
}
