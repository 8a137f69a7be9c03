//! Who holds which GPU at every moment, and what must never be so (invariant 4).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

/// A lease that nobody renews ends after this (the ledger's term).
const TERM: Duration = Duration::from_secs(10);

/// A holder has GPUs of two hosts no longer than a conditional lease lives. The winner of an election holds its own from then on.
const CONDITIONAL: Duration = Duration::from_secs(2);

/// Looks come late, and the clock of a lease starts before it is seen.
const SLACK: Duration = Duration::from_millis(1_500);

/// What all hosts say of their GPUs at one time.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Since the watch began.
    pub(crate) at: Duration,
    /// Of hosts that answered.
    pub(crate) gpus: Vec<Gpu>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gpu {
    pub(crate) host: String,
    pub(crate) index: u64,
    pub(crate) uuid: String,
    pub(crate) state: String,
    pub(crate) lease: Option<Lease>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lease {
    pub(crate) holder: String,
    pub(crate) epoch: u64,
    /// Unix time in milliseconds.
    pub(crate) since: u64,
}

/// What the users know of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A cell was sent and is not answered.
    Busy,
    /// No cell since.
    Idle(Duration),
    /// Deleted at.
    Gone(Duration),
}

/// Looks at leases one after the other and finds what is wrong with them.
#[derive(Debug)]
pub(crate) struct LeaseOracle {
    gpus_per_host: usize,
    gpus_per_cell: usize,
    /// Holders with GPUs of more than one host, and since when.
    twofold: BTreeMap<String, Duration>,
    /// Most leased devices in one look.
    pub(crate) most_leased: usize,
}

impl Look {
    /// From `GET /api/cluster/hosts`.
    pub(crate) fn parse(at: Duration, hosts: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let hosts = hosts.as_array().into_iter().flatten();
        let gpus = hosts.flat_map(|host| {
            let gpus = host["gpus"].as_array().into_iter().flatten();
            gpus.map(move |gpu| Gpu {
                host: text(&host["name"]),
                index: number(&gpu["index"]),
                uuid: text(&gpu["uuid"]),
                state: text(&gpu["state"]),
                lease: gpu["lease"].is_object().then(|| Lease {
                    holder: text(&gpu["lease"]["holder"]),
                    epoch: number(&gpu["lease"]["epoch"]),
                    since: number(&gpu["lease"]["since"]),
                }),
            })
        });
        Self {
            at,
            gpus: gpus.collect(),
        }
    }

    /// No device is lent, or on its way from one holder to the next.
    pub(crate) fn all_free(&self) -> bool {
        self.gpus.iter().all(|gpu| gpu.state == "free" && gpu.lease.is_none())
    }
}

impl LeaseOracle {
    pub(crate) fn new(gpus_per_host: usize, gpus_per_cell: usize) -> Self {
        Self {
            gpus_per_host,
            gpus_per_cell,
            twofold: BTreeMap::new(),
            most_leased: 0,
        }
    }

    /// What is wrong now. Looks must come in the order of their time.
    pub(crate) fn see(&mut self, look: &Look, users: &BTreeMap<String, Use>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut hosts: BTreeMap<&str, Vec<&Gpu>> = BTreeMap::new();
        for gpu in &look.gpus {
            hosts.entry(&gpu.host).or_default().push(gpu);
        }
        let uuids: BTreeSet<&str> = look.gpus.iter().map(|gpu| gpu.uuid.as_str()).collect();
        if uuids.len() < look.gpus.len() {
            wrong.push("two devices have one uuid".to_owned());
        }
        let mut held: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (host, gpus) in &hosts {
            if gpus.len() != self.gpus_per_host {
                wrong.push(format!("{host} has {} devices", gpus.len()));
            }
            // By lease: a kernel's old lease may end beside its new one.
            let mut leases: BTreeMap<&Lease, usize> = BTreeMap::new();
            for gpu in gpus {
                if (gpu.state == "leased") != gpu.lease.is_some() {
                    wrong.push(format!("{} is {} with lease {:?}", gpu.uuid, gpu.state, gpu.lease));
                }
                if let Some(lease) = &gpu.lease {
                    *leases.entry(lease).or_default() += 1;
                    held.entry(&lease.holder).or_default().insert(host);
                }
            }
            if let Some((lease, count)) = leases.into_iter().find(|(_, count)| *count > self.gpus_per_cell) {
                wrong.push(format!("{host}: {count} devices for one cell: {lease:?}"));
            }
        }
        let leased = look.gpus.iter().filter(|gpu| gpu.lease.is_some()).count();
        self.most_leased = self.most_leased.max(leased);
        for (holder, hosts) in &held {
            if let Some(why) = leftover(look.at, users.get(*holder)) {
                wrong.push(format!("{holder} holds GPUs of {hosts:?}: {why}"));
            }
        }
        self.check_twofold(look.at, &held, &mut wrong);
        wrong
    }

    fn check_twofold(&mut self, at: Duration, held: &BTreeMap<&str, BTreeSet<&str>>, wrong: &mut Vec<String>) {
        self.twofold
            .retain(|holder, _| held.get(holder.as_str()).is_some_and(|hosts| hosts.len() > 1));
        for (holder, hosts) in held.iter().filter(|(_, hosts)| hosts.len() > 1) {
            let since = *self.twofold.entry((*holder).to_owned()).or_insert(at);
            if at.saturating_sub(since) > CONDITIONAL + SLACK {
                wrong.push(format!("{holder} holds GPUs of {hosts:?} for {:?}", at - since));
            }
        }
    }
}

/// Why a kernel should have no lease any more.
fn leftover(at: Duration, user: Option<&Use>) -> Option<String> {
    match user {
        None => Some("nobody knows that kernel".to_owned()),
        Some(Use::Busy) => None,
        Some(Use::Idle(since)) => {
            let idle = at.saturating_sub(*since);
            (idle > TERM + SLACK).then(|| format!("it has had no cell for {idle:?}"))
        }
        Some(Use::Gone(since)) => {
            let gone = at.saturating_sub(*since);
            (gone > TERM + SLACK).then(|| format!("it was deleted {gone:?} ago"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look(at_ms: u64, leases: [Option<&str>; 4]) -> Look {
        let gpu = |index: usize| {
            let lease = leases[index].map(|holder| json!({"holder": holder, "epoch": 3, "since": 1_000}));
            let state = if lease.is_some() { "leased" } else { "free" };
            json!({"index": index % 2, "uuid": format!("GPU-{index}"), "state": state, "lease": lease})
        };
        let hosts = json!([
            {"name": "h1", "gpus": [gpu(0), gpu(1)]},
            {"name": "h2", "gpus": [gpu(2), gpu(3)]},
            {"name": "h3", "gpus": []},
        ]);
        Look::parse(Duration::from_millis(at_ms), &hosts)
    }

    fn users(used: Use) -> BTreeMap<String, Use> {
        BTreeMap::from([("a".to_owned(), used), ("b".to_owned(), Use::Busy)])
    }

    #[test]
    fn leases_as_they_should_be() {
        let mut oracle = LeaseOracle::new(2, 2);
        for (at, leases) in [
            (0, [Some("a"), Some("a"), Some("b"), None]),
            // An election.
            (50, [Some("a"), Some("b"), Some("b"), None]),
            (2_000, [Some("a"), None, Some("b"), None]),
            (9_000, [None; 4]),
        ] {
            let wrong = oracle.see(&look(at, leases), &users(Use::Busy));
            assert!(wrong.is_empty(), "at {at}: {wrong:?}");
        }
        assert_eq!(oracle.most_leased, 3);
        assert!(look(0, [None; 4]).all_free());
        assert!(!look(0, [None, None, None, Some("a")]).all_free());
    }

    #[test]
    fn every_kind_of_damage_is_found() {
        let mut oracle = LeaseOracle::new(2, 1);
        let both = [Some("a"), None, Some("a"), None];
        let (busy, idle) = (users(Use::Busy), users(Use::Idle(Duration::ZERO)));
        assert!(oracle.see(&look(0, both), &busy).is_empty());
        assert!(oracle.see(&look(2_100, both), &busy).is_empty(), "looks are late");
        assert_eq!(oracle.see(&look(3_600, both), &busy).len(), 1, "on two hosts");
        let one = [Some("a"), None, None, None];
        assert!(oracle.see(&look(9_000, one), &idle).is_empty(), "within its term");
        assert_eq!(oracle.see(&look(12_000, one), &idle).len(), 1, "leaked");
        let gone = users(Use::Gone(Duration::ZERO));
        assert_eq!(
            oracle.see(&look(12_000, one), &gone).len(),
            1,
            "leaked by a deleted kernel"
        );
        assert_eq!(
            oracle.see(&look(12_000, [Some("c"), None, None, None]), &busy).len(),
            1,
            "of nobody"
        );
        let two = [Some("a"), Some("a"), None, None];
        assert_eq!(
            oracle.see(&look(12_000, two), &busy).len(),
            1,
            "more than a cell can ask for"
        );
        let mut twins = look(12_000, [None; 4]);
        twins.gpus[1].uuid = twins.gpus[0].uuid.clone();
        assert_eq!(oracle.see(&twins, &busy).len(), 1, "one device twice");
        let mut lying = look(12_000, [None; 4]);
        lying.gpus[1].state = "leased".to_owned();
        assert_eq!(oracle.see(&lying, &busy).len(), 1, "lent to nobody");
        let mut fewer = look(12_000, [None; 4]);
        fewer.gpus.remove(0);
        assert_eq!(oracle.see(&fewer, &busy).len(), 1, "a device is missing");
    }
}
