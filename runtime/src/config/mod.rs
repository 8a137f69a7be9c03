//! `cluster.toml`: what it may say, how it is read, and what is refused.
//!
//! [`load`] merges the file with `NBOS_…` environment variables, checks everything that can be checked without starting
//! anything, and reports every mistake in one [`Error`] that names the file, the table and the key.

mod check;
mod error;
mod load;
mod table;

pub use self::error::{Error, Problem};
pub use self::load::{BUILT_IN, Loaded, Ports, Source, load};
pub use self::table::{ClusterConfig, ClusterTable, NodeTable, PythonTable, Role};
