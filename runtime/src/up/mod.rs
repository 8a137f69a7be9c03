//! Every node of `cluster.toml` on this machine, one child process each: started, restarted, stopped.

mod back_off;
mod child;
mod cluster;
mod error;
mod log_file;
mod ports;
mod ready;
mod scaled;

pub use self::cluster::{Cluster, Plan};
pub use self::error::Error;
