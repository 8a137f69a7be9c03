//! The way between the clients of one kernel and its executor.
//!
//! One bridge per kernel with clients on this gateway. The core decides; the actor carries calls and timers.

mod actor;
mod bridges;
mod clients;
mod core;
mod endpoint;
mod event;
mod own;
mod pending;
mod route;
mod stream;

pub(crate) use actor::{BridgeRef, Needs};
pub(crate) use bridges::{Attached, Bridges, Registry};
pub(crate) use endpoint::{Endpoint, EndpointArguments};
pub(crate) use event::{ClientId, SocketId};
