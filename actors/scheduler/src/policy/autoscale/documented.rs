//! The original system's policy, by its formulas (`policy/default.go`), with minimum and maximum enforced.

use std::time::Duration;

use super::Autoscale;
use super::event::{Action, Event};
use super::fleet::{Bounds, Fleet};
use crate::policy::Ratio;

/// Between two looks: the original's compose set-up.
const INTERVAL: Duration = Duration::from_secs(15);

/// `scaling_factor` and `scaling_limit`: hosts for so many times the GPUs that cells hold are there, and above so many times they go.
const FACTOR: Ratio = Ratio::from_millis(1_050);
const LIMIT: Ratio = Ratio::from_millis(1_100);

/// `scaling-in-limit`: hosts that may go at once.
const AT_ONCE: u32 = 2;

/// Hosts above the minimum that are always there.
const BUFFER: u32 = 3;

/// A host with more replicas is not emptied.
const MAX_REPLICAS: u32 = 4;

/// Every interval: `target = ⌈held · factor / G⌉`, the minimum and a buffer at least; fewer hosts than that are added at once, more than
/// `⌈held · limit / G⌉` go, two at a time, idle ones with few replicas. A placement that failed adds hosts between.
#[derive(Clone, Debug)]
pub struct Documented {
    fleet: Fleet,
    looked: Option<Duration>,
}

impl Documented {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            fleet: Fleet::new(bounds),
            looked: None,
        }
    }

    /// Hosts for this load with this factor.
    fn hosts_for(&self, factor: Ratio) -> u32 {
        let gpus = u64::from(self.fleet.bounds.gpus.max(1));
        let hosts = factor.times_up(self.fleet.leased()).div_ceil(gpus);
        u32::try_from(hosts).unwrap_or(u32::MAX)
    }

    fn look(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let Bounds { min, max, replicas, .. } = self.fleet.bounds;
        let target = self.hosts_for(FACTOR).max(min.saturating_add(BUFFER)).min(max);
        let there = self.fleet.active() + self.fleet.coming_soon();
        if there < target {
            return self.fleet.add(now, target - there, actions);
        }
        let mut limit = self.hosts_for(LIMIT);
        if min < replicas {
            limit = limit.max(min.saturating_add(replicas));
        }
        if limit < min {
            limit = min.saturating_add(BUFFER);
        }
        // The original lets hosts go below its own target, and adds them again at the next look.
        let limit = limit.max(target);
        let surplus = self.fleet.active().saturating_sub(limit);
        let go = surplus.min(AT_ONCE.saturating_sub(self.fleet.draining()));
        let few = self.fleet.removable().into_iter();
        let few = few.filter(|(_, now)| now.replicas <= MAX_REPLICAS);
        let go = usize::try_from(go).unwrap_or(0);
        actions.extend(few.take(go).map(|(host, _)| Action::DrainHost(host)));
    }
}

impl Autoscale for Documented {
    fn step(&mut self, now: Duration, event: Event, actions: &mut Vec<Action>) {
        self.fleet.note(now, &event);
        match event {
            Event::PlacementFailed { hosts, gpus } if gpus <= self.fleet.bounds.gpus => {
                let missing = hosts.saturating_sub(self.fleet.coming_soon());
                self.fleet.add(now, missing, actions);
            }
            Event::Tick { .. } => {
                self.fleet.keep_house(now, actions);
                let due = self.looked.is_none_or(|looked| now.saturating_sub(looked) >= INTERVAL);
                if due {
                    self.looked = Some(now);
                    self.look(now, actions);
                }
            }
            // The original does not know of them.
            Event::CellWaiting { .. }
            | Event::PlacementFailed { .. }
            | Event::HostComing { .. }
            | Event::HostUp { .. }
            | Event::HostDraining { .. }
            | Event::HostDown { .. }
            | Event::Load { .. } => {}
        }
    }
}
