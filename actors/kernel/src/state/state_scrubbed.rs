//! `StateScrubbed`: what a full pass between cells found that a cell's capture had missed becomes the session's.

use serde::{Deserialize, Serialize};

use super::{Applied, Delta, KernelState};
use crate::id::{Epoch, Version};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateScrubbed {
    /// The executor's epoch.
    pub epoch: Epoch,
    /// The version it was found on top of: a repeat, or one that something overtook, changes nothing.
    pub base: Version,
    pub delta: Delta,
}

impl KernelState {
    pub(super) fn state_scrubbed(&mut self, command: &StateScrubbed) -> Applied {
        if self.executor.is_none() || command.epoch != self.epoch || command.base != self.version {
            return Applied::Stale;
        }
        self.take_in(&command.delta);
        Applied::Scrubbed { version: self.version }
    }
}
