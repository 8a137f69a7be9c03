//! Supervision of local actors: who restarts what, how often, and what the tree looks like.
//!
//! ractor links a child to its supervisor and reports its end, but ships no restart strategy. This crate adds
//! it: a [`Supervisor`] actor with one-for-one and rest-for-one strategies, a restart intensity window, back-off
//! and escalation to the parent, and the [`Tree`] that records path, kind, status, restarts and last error of
//! everything supervised on a node. The decision (`step`) is pure; the actor only performs it.
//!
//! Supervision is local to a node. Across nodes it is desired state in the control log, not links.

mod child;
mod error;
mod handle;
mod policy;
mod snapshot;
mod step;
mod supervisor;
mod tree;

pub use child::{ChildSpec, StartFn, StartFuture};
pub use error::Error;
pub use handle::SupervisorHandle;
pub use policy::{BackOff, Intensity, Options, Restart, Strategy};
pub use snapshot::{Status, TreeNode};
pub use supervisor::Supervisor;
pub use tree::Tree;
