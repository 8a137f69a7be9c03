//! A host: its GPUs and the replicas that the control state places on it.
//!
//! The host actor compares the control state with what runs and starts or stops replicas accordingly; it is told what to have,
//! not what to do, so that a lost order does not exist. The node actor, on every node, answers for the supervision tree.

mod actor;
pub mod client;
mod error;
mod load;
mod node;
mod plan;
mod protocol;
mod sizing;
mod warm;

pub use actor::{Arguments, Host};
pub use error::Error;
pub use node::NodeActor;
pub use protocol::{GpuFault, HostInfo};
pub use warm::Warm;
