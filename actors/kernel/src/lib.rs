//! A notebook kernel: one replica on one host.
//!
//! A kernel is three replicas of one command log. The replica that runs cells is the *executor*; the others apply what
//! it commits to their own Python process, so that any of them can run the next cell. `state` decides, `replica`
//! performs, `child` owns the Python process.

mod child;
mod chunks;
mod core;
pub mod id;
pub mod message;
mod options;
mod outbox;
pub mod protocol;
mod replica;
mod state;
pub mod time;

pub use child::{Guard, PythonOptions, WarmPool, run_guard};
pub use core::{Member, Membership, Replacement};
pub use id::{CellSeq, Epoch, KernelId};
pub use message::{HeaderFields, JupyterMessage};
pub use options::{Options, PoolPolicy};
pub use replica::{Identity, ReplicaHandle, Surroundings, spawn};
