//! Our policy: a host is added the moment one is missing, and taken away when it has not been for a while.

use std::time::Duration;

use super::Autoscale;
use super::event::{Action, Event};
use super::fleet::{Bounds, Fleet};
use crate::policy::Ratio;

/// Cells whose wait is not reported for so long do not wait any more; reports come every second.
const STILL_WAITING: Duration = Duration::from_secs(3);

/// A host that is missed so often gets so many times the cool-down at most.
const MAX_PATIENCE: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnOptions {
    /// What the hosts that stay must be able to hold, over what there is.
    pub headroom: Ratio,
    /// For so long everything must have fitted into fewer hosts before one goes.
    pub cool_down: Duration,
    /// Cells may wait so long before a host is added for them.
    pub waits: Duration,
}

/// Adds as many hosts as are missing when a placement fails or a cell waits that no host can take; drains one host at a time when the
/// others have held everything for the cool-down. Whenever it is proved wrong, a host being missed soon after one went, the cool-down
/// doubles; a host that goes and is not missed halves it again.
#[derive(Clone, Debug)]
pub struct Own {
    fleet: Fleet,
    options: OwnOptions,
    /// Since when cells wait, and when that was last said.
    waiting: Option<(Duration, Duration)>,
    /// Since when there is a host too many.
    spare: Option<Duration>,
    /// When a host was last drained.
    drained: Option<Duration>,
    /// Factor of the cool-down.
    patience: u32,
}

impl Own {
    pub fn new(bounds: Bounds, options: OwnOptions) -> Self {
        Self {
            fleet: Fleet::new(bounds),
            options,
            waiting: None,
            spare: None,
            drained: None,
            patience: 1,
        }
    }

    fn missing(&mut self, now: Duration, hosts: u32, actions: &mut Vec<Action>) {
        self.spare = None;
        if let Some(drained) = self.drained.take() {
            let soon = now.saturating_sub(drained) < self.cool_down() * 2;
            self.patience = match soon {
                true => (self.patience * 2).min(MAX_PATIENCE),
                false => (self.patience / 2).max(1),
            };
        }
        let missing = hosts.saturating_sub(self.fleet.coming_soon());
        self.fleet.add(now, missing, actions);
    }

    fn cool_down(&self) -> Duration {
        self.options.cool_down * self.patience
    }

    fn cell_waits(&mut self, now: Duration, gpus: u32, actions: &mut Vec<Action>) {
        let since = match self.waiting {
            Some((since, last)) if now.saturating_sub(last) < STILL_WAITING => since,
            Some(_) | None => now,
        };
        self.waiting = Some((since, now));
        self.spare = None;
        if now.saturating_sub(since) >= self.options.waits {
            let hosts = gpus.div_ceil(self.fleet.bounds.gpus.max(1));
            self.missing(now, hosts, actions);
        }
    }

    fn scale_in(&mut self, now: Duration, limit: Ratio, actions: &mut Vec<Action>) {
        // One at a time: what a drained host gave away is counted before the next one goes.
        if self.fleet.coming_soon() > 0 || self.fleet.draining() > 0 {
            return;
        }
        let spare = self.fleet.removable().into_iter().map(|(host, _)| host).find(|host| {
            self.fleet
                .without(host)
                .holds(&self.fleet, self.options.headroom, limit)
        });
        let Some(host) = spare else {
            self.spare = None;
            return;
        };
        let since = *self.spare.get_or_insert(now);
        if now.saturating_sub(since) >= self.cool_down() {
            self.drained = Some(now);
            actions.push(Action::DrainHost(host));
        }
    }
}

impl Autoscale for Own {
    fn step(&mut self, now: Duration, event: Event, actions: &mut Vec<Action>) {
        self.fleet.note(now, &event);
        match event {
            // A kernel that wants more GPUs than a new host has would not fit there either.
            Event::PlacementFailed { hosts, gpus } if gpus <= self.fleet.bounds.gpus => {
                self.missing(now, hosts, actions);
            }
            Event::CellWaiting { gpus } => self.cell_waits(now, gpus, actions),
            Event::Tick { limit } => {
                self.fleet.keep_house(now, actions);
                self.scale_in(now, limit, actions);
            }
            Event::PlacementFailed { .. }
            | Event::HostComing { .. }
            | Event::HostUp { .. }
            | Event::HostDraining { .. }
            | Event::HostDown { .. }
            | Event::Load { .. } => {}
        }
    }
}
