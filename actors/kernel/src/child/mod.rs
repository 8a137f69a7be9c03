//! The replica's Python process and the sockets to it. Everything that comes from it is an event for the replica actor.
//!
//! Sockets are made new for every process: a ZMQ client that outlives its peer loses messages silently.

mod buffers;
mod connection;
mod guard;
mod process;
mod side;
mod wire;

pub use guard::{Guard, run_guard};
pub(crate) use process::{ChildHandle, Flow, Incarnation, Sink, Start, spawn};
pub(crate) use side::Order;

use std::path::PathBuf;

/// How Python is started on this host.
#[derive(Clone, Debug)]
pub struct PythonOptions {
    pub interpreter: PathBuf,
    /// Directory that holds the `nbos_kernel` package.
    pub shim_path: PathBuf,
    /// Short directory for sockets (a Unix socket's path has 107 bytes at most); private to this life of the node.
    pub socket_dir: PathBuf,
}
