//! How many hosts there are: two policies behind one interface.

mod documented;
mod event;
mod fleet;
mod own;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use documented::Documented;
pub use event::{Action, Event, HostNow, Origin};
pub use fleet::Bounds;
pub use own::{Own, OwnOptions};

/// Decides by what it is told alone: given the same events at the same times, it orders the same.
///
/// Whoever runs it tells of every host that comes and goes, of loads as they are reported, and ticks once a second; actions are
/// orders that may be given again until the events say that they were carried out.
pub trait Autoscale: Send {
    /// `now` never goes back; where it begins does not matter.
    fn step(&mut self, now: Duration, event: Event, actions: &mut Vec<Action>);
}
