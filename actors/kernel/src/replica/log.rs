//! The kernel's state machine as consensus sees it.

use std::sync::Arc;

use bytes::Bytes;
use nbos_mesh::codec;
use ractor::ActorRef;

use super::message::Message;
use crate::core::Event;
use crate::protocol::to_bytes;
use crate::state::{Applied, Command, KernelState};

/// Applies commands to the session and passes them on to the replica actor, which keeps its own view in step.
pub(super) struct LogMachine {
    state: KernelState,
    replica: ActorRef<Message>,
}

impl LogMachine {
    pub(super) fn new(replica: ActorRef<Message>) -> Self {
        Self {
            state: KernelState::default(),
            replica,
        }
    }

    fn tell(&self, event: Event) {
        // The actor may be stopping; the log goes on without it.
        let _ = self.replica.cast(Message::Event(event));
    }
}

impl nbos_consensus::StateMachine for LogMachine {
    fn apply(&mut self, index: u64, command: &[u8]) -> Bytes {
        let applied = match codec::decode::<Command>(command) {
            Ok(command) => {
                let applied = self.state.apply(&command);
                self.tell(Event::Applied(Arc::new(command)));
                applied
            }
            Err(error) => {
                // Every replica skips it alike.
                tracing::error!(%error, index, "kernel log entry is not readable");
                Applied::Stale
            }
        };
        to_bytes(&applied)
    }

    fn snapshot(&self) -> Bytes {
        to_bytes(&self.state)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        self.state = codec::decode(snapshot).map_err(|error| error.to_string())?;
        self.tell(Event::Restored(Box::new(self.state.clone())));
        Ok(())
    }
}
