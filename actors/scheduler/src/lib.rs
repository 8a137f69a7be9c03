//! The control group: which hosts and kernels there are, and where each kernel's replicas live.
//!
//! `state` is the replicated state machine with its `moves` and `scaled` hosts; [`policy`], `choice` and `upkeep` decide; `mover`,
//! `relocator` and `scaling` carry that out on the group's leader; `actor` is the scheduler that serves on a control node,
//! [`ControlHandle`] what every node uses to read the state and to ask for changes.

mod actor;
mod choice;
mod client;
mod demand;
mod error;
mod handle;
mod load;
mod machine;
mod mover;
mod moves;
mod options;
pub mod policy;
mod protocol;
mod relocator;
mod scaled;
mod scaling;
mod state;
mod upkeep;
mod view;

pub use actor::{Arguments, Scheduler};
pub use error::Error;
pub use handle::ControlHandle;
pub use load::{HostLoad, Loads};
pub use machine::ControlMachine;
pub use moves::{Move, Phase, Step, Undone, Why};
pub use options::{Hosts, Options, Policy, Provider};
pub use scaled::{HostPhase, NAME_PREFIX, ScaleCommand, ScaledHost, ScaledHosts};
pub use scaling::{Scaling, ScalingInfo, is_command};
pub use state::{Command, ControlState, Duty, HostRecord, KernelRecord, Outcome, Placement, SessionRecord};
pub use upkeep::Left;
