//! Raft groups: what the replicas of a kernel, and of the scheduler, agree on.
//!
//! A node runs many groups. Each is a supervised actor around openraft ([`Group`] is its handle), with the
//! application's [`StateMachine`] in memory and snapshots on disk. All of them share one write-ahead log, so one fsync
//! serves everything that waits ([`LogOptions`], [`Health`]). Replicas reach each other through a [`Transport`]: the
//! mesh, or one inside the process for tests. Idle groups are parked and use no CPU.
//!
//! No type of openraft leaves this crate.

mod actor;
mod calm;
mod campaigns;
mod error;
mod founding;
mod group;
mod groups;
mod id;
mod machine;
mod members;
mod mesh;
mod network;
mod options;
mod park;
mod receive;
mod replica;
mod snapshot;
mod state_machine;
mod status;
mod transport;
mod types;
mod wal;
mod wire;
mod work;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use group::{Group, MAX_COMMAND};
pub use groups::Groups;
pub use id::{GroupId, LogIndex, ReplicaId};
pub use options::{GroupOptions, Rest};
pub use state_machine::StateMachine;
pub use status::{Member, Role, Status};
pub use transport::{CallError, Transport};
pub use wal::{Health, LogOptions};
pub use wire::{Newcomers, Shape};
