//! What the scheduler decides: where replicas go, and how many hosts there are.
//!
//! Pure: integers only, ordered collections, ties by name, no clock. The live scheduler and a simulator run the same code.

pub mod autoscale;
mod host;
mod limit;
mod place;
mod ratio;
mod refusal;

pub use host::{Host, Standing};
pub use limit::Limit;
pub use place::{LimitRule, Want, place};
pub use ratio::Ratio;
pub use refusal::{Reason, Refusal};
