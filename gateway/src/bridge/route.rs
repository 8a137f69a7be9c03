//! Which replica to talk to. Pure.

use std::collections::{BTreeMap, BTreeSet};

use nbos_mesh::NodeName;

use super::event::Health;

/// Redirects followed in a row before a pause: two replicas that each name the other must not be asked in a loop.
const MAX_HOPS: u32 = 3;

#[derive(Debug)]
pub(crate) struct Route {
    local: NodeName,
    /// In order of preference.
    hosts: Vec<NodeName>,
    peers: BTreeMap<NodeName, Health>,
    /// The host that last behaved as the executor.
    executor: Option<NodeName>,
    /// Hosts that failed in this round.
    avoid: BTreeSet<NodeName>,
    hops: u32,
}

impl Route {
    pub(crate) fn new(local: NodeName) -> Self {
        Self {
            local,
            hosts: Vec::new(),
            peers: BTreeMap::new(),
            executor: None,
            avoid: BTreeSet::new(),
            hops: 0,
        }
    }

    /// Returns whether anything changed.
    pub(crate) fn placed(&mut self, hosts: Vec<NodeName>) -> bool {
        let changed = self.hosts != hosts;
        self.hosts = hosts;
        if changed {
            self.new_round();
        }
        changed
    }

    /// `None` when nothing changed, else the hosts whose process, as far as known, is not the one it was.
    pub(crate) fn peers(&mut self, peers: BTreeMap<NodeName, Health>) -> Option<Vec<NodeName>> {
        if self.peers == peers {
            return None;
        }
        let lost = self
            .peers
            .iter()
            .filter(|(host, before)| {
                let same = peers.get(*host) == Some(*before);
                matches!(before, Health::Up { .. }) && !same
            })
            .map(|(host, _)| host.clone())
            .collect();
        self.new_round();
        self.peers = peers;
        Some(lost)
    }

    /// The host to ask now: the executor while it is fine, else the best of the others that has not failed yet.
    pub(crate) fn target(&self) -> Option<&NodeName> {
        let executor = self
            .executor
            .as_ref()
            .filter(|host| self.is_up(host) && !self.avoid.contains(*host));
        // `min_by_key` takes the first of equals, so ties go to the scheduler's order of preference.
        let best = |avoiding: bool| {
            let usable = self
                .hosts
                .iter()
                .filter(move |host| !avoiding || !self.avoid.contains(*host));
            usable.min_by_key(|host| self.rank(host))
        };
        executor.or_else(|| best(true)).or_else(|| best(false))
    }

    /// `host` acted as the executor. Returns whether that is news.
    pub(crate) fn is_executor(&mut self, host: &NodeName) -> bool {
        self.new_round();
        let news = self.executor.as_ref() != Some(host);
        self.executor = Some(host.clone());
        news
    }

    /// `from` named another executor. Returns whether that one is worth asking now.
    pub(crate) fn redirected(&mut self, from: &NodeName, to: &NodeName) -> bool {
        let follow = from != to && self.is_up(to) && self.hops < MAX_HOPS;
        if follow {
            self.hops += 1;
            self.executor = Some(to.clone());
            self.avoid.remove(to);
        } else {
            self.avoid.insert(from.clone());
        }
        follow
    }

    pub(crate) fn failed(&mut self, host: &NodeName) {
        self.avoid.insert(host.clone());
    }

    /// Whether every host that is up has failed in this round; if so a new round begins.
    pub(crate) fn round_is_over(&mut self) -> bool {
        let over = !self
            .hosts
            .iter()
            .any(|host| self.is_up(host) && !self.avoid.contains(host));
        if over {
            self.new_round();
        }
        over
    }

    pub(crate) fn is_up(&self, host: &NodeName) -> bool {
        *host == self.local || matches!(self.peers.get(host), Some(Health::Up { .. }))
    }

    fn new_round(&mut self) {
        self.avoid.clear();
        self.hops = 0;
    }

    fn rank(&self, host: &NodeName) -> u8 {
        match self.peers.get(host) {
            _ if *host == self.local => 0,
            Some(Health::Up { .. }) => 0,
            Some(Health::Suspected) => 1,
            Some(Health::Down) | None => 2,
        }
    }
}
