//! A trace replayed against a live cluster: each session is a kernel, each task a cell that holds its GPUs as long as the task did,
//! divided by the speed.
//!
//! [`Plan`] says what will be asked and when, [`drive`] asks it and keeps what came of it, [`Report`] says what that means. The
//! report and the plan are pure.

mod cell;
mod drive;
mod error;
mod files;
mod live;
mod plan;
mod record;
mod report;
mod session;
mod watch;

pub use self::drive::{Outcome, drive};
pub use self::error::Error;
pub use self::files::write;
pub use self::live::{Live, Now};
pub use self::plan::{Limits, Plan, PlannedCell, PlannedSession, Speed};
pub use self::record::{CellRecord, Ending, Life, Sampled};
pub use self::report::{GpuHours, Report};
