//! The hosts as a scaling policy knows them, and what every policy keeps to.

use std::collections::BTreeMap;
use std::time::Duration;

use nbos_mesh::NodeName;

use super::event::{Action, Event, HostNow, Origin};
use crate::policy::Ratio;

/// An order that is not seen to be carried out after so long is forgotten, and given again if need be. It is one write to the control
/// group.
const ORDER_KEPT: Duration = Duration::from_secs(10);

/// Bounds that no policy leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Fewest hosts, those of the configuration included.
    pub min: u32,
    /// Most hosts.
    pub max: u32,
    /// Replicas of a kernel: fewer hosts could place none.
    pub replicas: u32,
    /// GPUs of a host that is added.
    pub gpus: u32,
    /// A host that was ordered this long ago and has not come never will.
    pub start_within: Duration,
}

impl Bounds {
    /// Hosts that must stay.
    pub(super) fn floor(&self) -> u32 {
        self.min.max(self.replicas)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Coming { since: Duration },
    Up,
    Draining,
}

#[derive(Clone, Debug)]
struct Member {
    stage: Stage,
    origin: Origin,
    gpus: u32,
    now: HostNow,
}

/// What all hosts that take replicas add up to, one of them left out or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) hosts: u32,
    pub(super) gpus: u64,
    pub(super) memory: u64,
    /// A host whose memory is not known makes the sum of it unknown.
    pub(super) memory_known: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Fleet {
    pub(super) bounds: Bounds,
    hosts: BTreeMap<NodeName, Member>,
    /// Hosts that were ordered and are not among the others yet, and when the last one was.
    ordered: u32,
    ordered_at: Duration,
}

impl Fleet {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            hosts: BTreeMap::new(),
            ordered: 0,
            ordered_at: Duration::ZERO,
        }
    }

    /// Takes note of what concerns hosts.
    pub(super) fn note(&mut self, now: Duration, event: &Event) {
        match event {
            Event::HostComing { host } => self.coming(now, host),
            Event::HostUp { host, gpus, origin } => {
                let load = self.hosts.get(host).map_or_else(HostNow::default, |member| member.now);
                let member = Member {
                    stage: Stage::Up,
                    origin: *origin,
                    gpus: *gpus,
                    now: load,
                };
                self.hosts.insert(host.clone(), member);
            }
            Event::HostDraining { host } => {
                if let Some(member) = self.hosts.get_mut(host) {
                    member.stage = Stage::Draining;
                }
            }
            Event::HostDown { host } => {
                self.hosts.remove(host);
            }
            Event::Load { host, now } => {
                if let Some(member) = self.hosts.get_mut(host) {
                    member.now = *now;
                }
            }
            Event::PlacementFailed { .. } | Event::CellWaiting { .. } => {}
            Event::Tick { .. } => {
                if now.saturating_sub(self.ordered_at) >= ORDER_KEPT {
                    self.ordered = 0;
                }
            }
        }
    }

    fn coming(&mut self, now: Duration, host: &NodeName) {
        if self.hosts.contains_key(host) {
            return;
        }
        self.ordered = self.ordered.saturating_sub(1);
        let member = Member {
            stage: Stage::Coming { since: now },
            origin: Origin::Ordered,
            gpus: self.bounds.gpus,
            now: HostNow::default(),
        };
        self.hosts.insert(host.clone(), member);
    }

    /// Orders as many hosts as the maximum allows.
    pub(super) fn add(&mut self, now: Duration, hosts: u32, actions: &mut Vec<Action>) {
        let hosts = hosts.min(self.bounds.max.saturating_sub(self.total()));
        if hosts > 0 {
            self.ordered += hosts;
            self.ordered_at = now;
            actions.push(Action::AddHosts(hosts));
        }
    }

    /// What every policy does at every tick: as many hosts as the minimum says, and an end for hosts that are drained or never came.
    pub(super) fn keep_house(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for (host, member) in &self.hosts {
            let ends = match member.stage {
                Stage::Coming { since } => now.saturating_sub(since) >= self.bounds.start_within,
                Stage::Draining => {
                    member.origin == Origin::Ordered && member.now.replicas == 0 && member.now.is_quiet()
                }
                Stage::Up => false,
            };
            if ends {
                actions.push(Action::RemoveHost(host.clone()));
            }
        }
        let there = self.active() + self.coming_soon();
        self.add(now, self.bounds.floor().saturating_sub(there), actions);
    }

    /// All hosts, those ordered included: what the maximum counts.
    pub(super) fn total(&self) -> u32 {
        self.count(|_| true) + self.ordered
    }

    /// Hosts that take replicas.
    pub(super) fn active(&self) -> u32 {
        self.count(|stage| stage == Stage::Up)
    }

    /// Hosts on their way.
    pub(super) fn coming_soon(&self) -> u32 {
        self.count(|stage| matches!(stage, Stage::Coming { .. })) + self.ordered
    }

    /// Ordered hosts on their way out. Those of the configuration are drained by people, or lost, and may stay so.
    pub(super) fn draining(&self) -> u32 {
        let leaves = |member: &&Member| member.stage == Stage::Draining && member.origin == Origin::Ordered;
        u32::try_from(self.hosts.values().filter(leaves).count()).unwrap_or(u32::MAX)
    }

    /// GPUs that cells hold.
    pub(super) fn leased(&self) -> u64 {
        self.hosts.values().map(|member| u64::from(member.now.leased)).sum()
    }

    /// GPUs that the cells of all replicas would want together.
    pub(super) fn wanted(&self) -> u64 {
        self.hosts.values().map(|member| member.now.wanted).sum()
    }

    pub(super) fn claimed(&self) -> u64 {
        self.hosts
            .values()
            .fold(0, |sum, member| sum.saturating_add(member.now.claimed))
    }

    /// Hosts that could be drained now without disturbing anybody: the one with the fewest replicas first, the youngest name first among
    /// equals.
    pub(super) fn removable(&self) -> Vec<(NodeName, HostNow)> {
        if self.active() <= self.bounds.floor() {
            return Vec::new();
        }
        let mut quiet: Vec<(NodeName, HostNow)> = self
            .hosts
            .iter()
            .filter(|(_, member)| {
                member.stage == Stage::Up && member.origin == Origin::Ordered && member.now.is_quiet()
            })
            .map(|(host, member)| (host.clone(), member.now))
            .collect();
        quiet.sort_by_key(|(host, now)| (now.replicas, std::cmp::Reverse((host.as_str().len(), host.clone()))));
        quiet
    }

    /// What is left when one host goes.
    pub(super) fn without(&self, gone: &NodeName) -> Sum {
        let mut sum = Sum {
            memory_known: true,
            ..Sum::default()
        };
        for (host, member) in &self.hosts {
            if member.stage == Stage::Up && host != gone {
                sum.hosts += 1;
                sum.gpus += u64::from(member.gpus);
                sum.memory = sum.memory.saturating_add(member.now.memory);
                sum.memory_known &= member.now.memory > 0;
            }
        }
        sum
    }

    fn count(&self, of: impl Fn(Stage) -> bool) -> u32 {
        let count = self.hosts.values().filter(|member| of(member.stage)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

impl Sum {
    /// Whether everything that is there now fits into what is left, with room to spare.
    pub(super) fn holds(&self, fleet: &Fleet, headroom: Ratio, limit: Ratio) -> bool {
        let bounds = &fleet.bounds;
        let replicas = usize::try_from(bounds.replicas).unwrap_or(usize::MAX);
        let subscription = Ratio::subscription(headroom.times_up(fleet.wanted()), self.gpus, replicas);
        self.hosts >= bounds.floor()
            && headroom.times_up(fleet.leased()) <= self.gpus
            && subscription < limit
            && (!self.memory_known || headroom.times_up(fleet.claimed()) <= self.memory)
    }
}
