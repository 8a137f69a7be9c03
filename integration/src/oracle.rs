//! What must be true of a cluster.

use std::collections::BTreeSet;

use nbos::client::{Client, Kernel};

use crate::wait::{LONG, SHORT, holds};

/// Invariant 1: the replicas of a kernel are on distinct hosts, as many as there should be.
pub fn assert_distinct_hosts(kernel: &Kernel, replicas: usize) {
    let hosts: BTreeSet<&str> = kernel.replicas.iter().map(|replica| replica.host.as_str()).collect();
    assert_eq!(
        hosts.len(),
        replicas,
        "distinct hosts of kernel {}: {:?}",
        kernel.id,
        kernel.replicas
    );
    assert_eq!(
        kernel.replicas.len(),
        replicas,
        "replicas of kernel {}: {:?}",
        kernel.id,
        kernel.replicas
    );
}

/// Returns when as many hosts are up.
pub async fn whole(client: &Client, hosts: usize) {
    holds("every host is up", LONG, async || {
        let seen = client.hosts(SHORT).await.unwrap_or_default();
        seen.iter().filter(|host| host.is_up()).count() == hosts
    })
    .await;
}
