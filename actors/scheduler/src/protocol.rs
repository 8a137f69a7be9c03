//! What nodes ask of the control nodes.

use std::sync::Arc;
use std::time::Duration;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use serde::{Deserialize, Serialize};

use crate::state::{Command, ControlState, Outcome};

/// Mesh path of the scheduler on a control node.
pub(crate) const CONTROL_PATH: &str = "control";

/// A watcher is answered after this long even if nothing changed; shorter than its call's deadline.
pub(crate) const WATCH_PATIENCE: Duration = Duration::from_millis(1_500);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Place a kernel and record it.
    Create { id: KernelId, spec: KernelSpec },
    /// Record a change that needs no decision.
    Change(Command),
    /// Answered with `State` as soon as there is a newer version, or with `Same`.
    Watch { version: u64 },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Outcome(Outcome),
    State(Arc<ControlState>),
    Same,
    /// The group has no leader at the moment.
    TryAgain {
        why: String,
    },
}
