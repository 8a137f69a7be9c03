//! Keeps as many hosts as the scaling policy says, on the control group's leader.
//!
//! `observe` tells the policy what changed, `keeper` carries out what it orders, `command` runs a provider's commands. Nothing of it is
//! kept in memory alone: what is ordered, started and retired is in the control state, and whoever leads next goes on from there.

mod command;
mod keeper;
mod observe;

pub use command::is_command;
pub(crate) use keeper::keep;
pub use keeper::{Scaling, ScalingInfo};
