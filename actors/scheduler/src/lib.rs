//! The control group: which hosts and kernels there are, and where each kernel's replicas live.
//!
//! `state` is the replicated state machine, `placement` the pure policy, `actor` the scheduler that serves and acts on a
//! control node, [`ControlHandle`] what every node uses to read the state and to ask for changes.

mod actor;
mod client;
mod error;
mod handle;
mod load;
mod machine;
mod placement;
mod protocol;
mod repair;
mod state;
mod view;

pub use actor::{Arguments, Scheduler};
pub use error::Error;
pub use handle::ControlHandle;
pub use load::HostLoad;
pub use machine::ControlMachine;
pub use placement::{Candidate, place};
pub use state::{Command, ControlState, HostRecord, KernelRecord, Outcome, Placement, SessionRecord};
