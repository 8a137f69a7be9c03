//! Workloads: what sessions of notebooks asked for and when, read from files.
//!
//! Nothing here knows a cluster. `nbos load` replays what this crate reads against a live one; a simulator can do the same.

mod distribution;
mod error;
mod session;
mod tasks;
mod window;

pub use distribution::Distribution;
pub use error::Error;
pub use session::{Cell, Session};
pub use tasks::read_tasks;
pub use window::{Idle, Window, excerpt, spread};
