//! What nodes ask of the control nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_mesh::NodeName;
use serde::{Deserialize, Serialize};

use crate::load::HostLoad;
use crate::scaling::ScalingInfo;
use crate::state::{Command, ControlState, Duty, Outcome};
use crate::upkeep::Left;

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
    /// What the host that sends it has to give; a cast.
    Load(HostLoad),
    /// Move a replica of a kernel, chosen here as far as it is not named.
    Move {
        kernel: KernelId,
        from: Option<NodeName>,
        to: Option<NodeName>,
    },
    /// Empty a host, or let it serve again; answered with what is still there.
    Drain { host: NodeName, duty: Duty },
    /// How the cluster scales, and what its hosts have to give.
    Scaling,
    /// Answered with `State` as soon as there is a newer version, or with `Same`.
    Watch { version: u64 },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Outcome(Outcome),
    State(Arc<ControlState>),
    Same,
    Left(BTreeMap<KernelId, Left>),
    Scaling(ScalingInfo),
    /// The group has no leader at the moment.
    TryAgain {
        why: String,
    },
}
