//! Everything is killed, or the one that decides.

use std::collections::BTreeSet;
use std::time::Duration;

use nbos::client::{Execute, Framing, StartOptions};
use nbos_integration::{Cluster, LONG, Ledger, Seed, assert_distinct_hosts, holds, within};
use serde_json::json;

#[tokio::test]
async fn every_acknowledged_cell_is_back_after_everything_was_killed() {
    let mut seed = Seed::announced();
    let mut cluster = Cluster::start().await;
    let (first, second) = (cluster.kernel().await, cluster.kernel().await);
    second
        .open(Framing::Legacy)
        .await
        .ok("class Kept:\n    value = 7\nkept = Kept()")
        .await;
    let mut cells = first.open(Framing::V1).await;
    cells.ok("log = []").await;
    let mut ledger = Ledger::default();
    let last = seed.between(20, 60);
    for number in 0..last {
        ledger.record(number, &cells.run(&Execute::new(Ledger::cell(number))).await);
    }
    // Nothing waits between the last reply and the kill.
    assert_eq!(cluster.socket_dirs().len(), 3, "one a node");
    cluster.kill_9_everything().await;
    assert_eq!(ledger.acknowledged() as u64, last);
    assert_eq!(cluster.socket_dirs(), [""; 0], "their guards removed them");

    cluster.up().await;
    let mut notebook = first.notebook(cluster.client());
    ledger.check(&notebook.value("log").await);
    assert_eq!(second.notebook(cluster.client()).value("kept.value").await, 7);
    notebook.ok("log.append(1000)").await;
    first.settled().await;
    cluster.kill_9_everything().await;
    cluster.up().await;
    assert_eq!(
        first.notebook(cluster.client()).value("log[-1]").await,
        json!(1000),
        "a second time"
    );
    first.settled().await;
    second.settled().await;
}

#[tokio::test]
async fn kernels_are_created_once_while_the_control_leader_dies() {
    let mut seed = Seed::announced();
    let cluster = Cluster::start().await;
    for victim in ["h1", "h2", "h3"] {
        let client = cluster.client_of(cluster.other_than(&[victim]).name());
        let creating: Vec<_> = (0..2)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.start_kernel(&StartOptions::default()).await })
            })
            .collect();
        // A moment of the creation, not a wait for it.
        tokio::time::sleep(seed.up_to(Duration::from_millis(30))).await;
        let old = cluster.node(victim).kill_9();
        let mut created = BTreeSet::new();
        for creation in creating {
            let model = within("a kernel is created", LONG, creation).await.expect("no panic");
            created.insert(model.unwrap_or_else(|error| panic!("without {victim}: {error}")).id);
        }
        cluster.node(victim).restarted(old).await;
        cluster.whole().await;
        for node in cluster.nodes() {
            let client = cluster.client_of(node.name());
            let as_created = async || {
                let listed = client.cluster_kernels().await.unwrap_or_default();
                listed.iter().map(|kernel| kernel.id.clone()).collect::<BTreeSet<_>>() == created && listed.len() == 2
            };
            holds(
                &format!("node {} knows each kernel once", node.name()),
                LONG,
                as_created,
            )
            .await;
        }
        for id in created {
            let kernel = nbos_integration::Kernel::new(cluster.client(), id);
            assert_distinct_hosts(&kernel.settled().await, 3);
            assert_eq!(kernel.open(Framing::V1).await.ok("print(1)").await, "1\n");
            kernel.settled().await;
            kernel.delete().await;
        }
    }
}
