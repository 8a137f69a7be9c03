//! The replica's Python process and the sockets to it. Everything that comes from it is an event for the replica actor.
//!
//! Sockets are made new for every process: a ZMQ client that outlives its peer loses messages silently.

mod boot;
mod buffers;
mod connection;
mod fit;
mod guard;
mod launch;
mod process;
mod side;
mod sys;
mod warm;
mod wire;
mod zygote;

pub use guard::{Guard, run_guard};
pub(crate) use launch::Given;
pub(crate) use process::{ChildHandle, Flow, Incarnation, Sink, Start, spawn};
pub(crate) use side::Order;
pub use warm::WarmPool;

use std::path::PathBuf;

/// How Python is started on this host.
#[derive(Clone, Debug)]
pub struct PythonOptions {
    pub interpreter: PathBuf,
    /// Directory that holds the `nbos_kernel` package.
    pub shim_path: PathBuf,
    /// Short directory for sockets (a Unix socket's path has 107 bytes at most); private to this life of the node.
    pub socket_dir: PathBuf,
    /// `PYTHONHASHSEED` of all kernels: sets iterate alike on every replica. One number for the cluster, since forked processes
    /// have their zygote's; not known outside, since who knows it can make dictionaries slow.
    pub hash_seed: u32,
}
