//! The control group: which hosts and kernels there are, and where each kernel's replicas live.
//!
//! `state` is the replicated state machine, [`policy`] what decides, `actor` the scheduler that serves and acts on a
//! control node, [`ControlHandle`] what every node uses to read the state and to ask for changes.

mod actor;
mod client;
mod error;
mod handle;
mod load;
mod machine;
mod options;
mod placement;
pub mod policy;
mod protocol;
mod repair;
mod scaled;
mod state;
mod view;

pub use actor::{Arguments, Scheduler};
pub use error::Error;
pub use handle::ControlHandle;
pub use load::HostLoad;
pub use machine::ControlMachine;
pub use options::{Hosts, Options, Policy, Provider};
pub use scaled::{NAME_PREFIX, Phase, ScaleCommand, ScaledHost, ScaledHosts};
pub use state::{Command, ControlState, HostRecord, KernelRecord, Outcome, Placement, SessionRecord};
