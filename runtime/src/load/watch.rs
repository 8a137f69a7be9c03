//! Looks at the cluster while a load runs: who holds GPUs, and which replicas moved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::record::Sampled;
use super::session::Around;
use crate::client::{Host, Kernel};

/// A request to every host; more often would be work that the load does not ask for.
const EVERY: Duration = Duration::from_millis(250);

/// Samples of a whole run; a longer run is looked at less often.
const SAMPLES: u32 = 20_000;

/// Replicas are looked at every so many samples: a move takes longer than a second.
const PLACES_EVERY: u32 = 4;

/// A gateway that takes longer is looked at again next time.
const WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) samples: Vec<Sampled>,
    places: BTreeMap<String, BTreeSet<String>>,
    pub(super) migrations: usize,
}

/// Runs until it is dropped; what was seen is in `seen`.
pub(super) async fn watch(around: Arc<Around>, start: Instant, lasts: Duration, seen: &mut Watched) {
    let mut every = interval(EVERY.max(lasts / SAMPLES));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0_u32.. {
        every.tick().await;
        if let Ok(hosts) = around.client.hosts(WITHIN).await {
            seen.look(&around, &hosts, start.elapsed());
        }
        if round.is_multiple_of(PLACES_EVERY)
            && let Ok(kernels) = around.client.cluster_kernels().await
        {
            let ours = around.ours.lock().clone();
            seen.compare(kernels.iter().filter(|kernel| ours.contains_key(&kernel.id)));
        }
    }
}

impl Watched {
    fn look(&mut self, around: &Around, hosts: &[Host], at: Duration) {
        let gpus = || hosts.iter().flat_map(|host| &host.gpus);
        let ours = around.ours.lock();
        let holders: Vec<&str> = gpus()
            .filter_map(|gpu| gpu.lease.get("holder")?.as_str())
            .filter(|holder| ours.contains_key(*holder))
            .collect();
        let held = count(holders.len());
        let holding: BTreeSet<&str> = holders.into_iter().collect();
        around.live.seen(held, holding.len(), count(gpus().count()));
        self.samples.push(Sampled { at, held });
    }

    /// A host that has a replica it did not have before is a migration.
    fn compare<'a>(&mut self, kernels: impl Iterator<Item = &'a Kernel>) {
        for kernel in kernels {
            let hosts: BTreeSet<String> = kernel.replicas.iter().map(|replica| replica.host.clone()).collect();
            let before = self.places.insert(kernel.id.clone(), hosts.clone());
            if let Some(before) = before.filter(|before| !before.is_empty()) {
                self.migrations += hosts.difference(&before).count();
            }
        }
    }
}

fn count(gpus: usize) -> u32 {
    u32::try_from(gpus).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replica_on_another_host_is_a_migration() {
        let kernel = |id: &str, hosts: &[&str]| {
            let replicas: Vec<_> = hosts
                .iter()
                .map(|host| json!({"host": host, "role": "standby"}))
                .collect();
            let record = json!({"id": id, "state": "idle", "replicas": replicas});
            serde_json::from_value::<Kernel>(record).unwrap()
        };
        let mut seen = Watched::default();
        seen.compare([kernel("a", &["h1", "h2", "h3"]), kernel("b", &[])].iter());
        assert_eq!(seen.migrations, 0);
        seen.compare([kernel("a", &["h1", "h2", "h3", "h4"]), kernel("b", &["h1", "h2"])].iter());
        assert_eq!(seen.migrations, 1, "the first sight of a kernel is none");
        seen.compare([kernel("a", &["h1", "h2", "h4"])].iter());
        assert_eq!(seen.migrations, 1, "neither is the end of the replica that it replaces");
    }
}
