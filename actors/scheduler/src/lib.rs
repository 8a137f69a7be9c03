//! The control group: which hosts and kernels there are, and where each kernel's replicas live.
//!
//! `state` is the replicated state machine with its `moves`, `placement`, `choice` and `upkeep` the pure policy, `mover` what carries
//! moves out, `actor` the scheduler that serves and acts on a
//! control node, [`ControlHandle`] what every node uses to read the state and to ask for changes.

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
mod placement;
mod protocol;
mod relocator;
mod state;
mod upkeep;
mod view;

pub use actor::{Arguments, Scheduler};
pub use error::Error;
pub use handle::ControlHandle;
pub use load::{HostLoad, Loads};
pub use machine::ControlMachine;
pub use moves::{Move, Phase, Step, Undone, Why};
pub use placement::{Candidate, place};
pub use state::{Command, ControlState, Duty, HostRecord, KernelRecord, Outcome, Placement, SessionRecord};
pub use upkeep::Left;
