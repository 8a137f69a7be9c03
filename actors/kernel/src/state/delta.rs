//! A change of the session's state: what a cell did, or what the scrub found that a cell's capture had missed.

use serde::{Deserialize, Serialize};

use super::{Group, KernelState};
use crate::protocol::Pinned;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// Co-variables and ambient state that changed, each complete.
    pub groups: Vec<Group>,
    /// Names and group keys that are gone.
    pub deleted: Vec<String>,
    /// All that is pinned after the change.
    pub pinned: Vec<Pinned>,
    pub execution_count: u64,
}

impl KernelState {
    /// Makes the change the session's: its next version.
    pub(super) fn take_in(&mut self, delta: &Delta) {
        self.version = self.version.next();
        let newly_pinned: Vec<String> = delta
            .pinned
            .iter()
            .filter(|pinned| !self.pinned.contains(pinned))
            .map(|pinned| pinned.name.clone())
            .collect();
        self.manifest.merge(self.version, delta, &newly_pinned);
        self.pinned.clone_from(&delta.pinned);
        self.execution_count = delta.execution_count;
    }
}
