//! The executor's node hangs: it is silent, but it is not dead.

use std::time::{Duration, Instant};

use nbos::client::{Execute, Framing};
use nbos_integration::{Cluster, LONG, Ledger, Trace, holds, within};
use serde_json::json;

/// How long it hangs.
const FROZEN_FOR: Duration = Duration::from_secs(6);

/// Silence is noticed within 1.5 s; then another replica takes over.
const MOVES_ON_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_node_that_hangs_during_a_cell_loses_it_and_rejoins() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("log = ['before']").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let trace = Trace::new(cluster.path("trace"));
    let mut notebook = kernel.notebook(cluster.client_of(cluster.other_than(&[&executor]).name()));

    let cell = Execute::new(format!("log.append('cut')\n{}", trace.cell(3_000)));
    let running = tokio::spawn(async move { (notebook.run(&cell).await, notebook) });
    holds("the cell runs", LONG, async || trace.steps() > 10).await;
    let (frozen, since) = (cluster.node(&executor).freeze().await, Instant::now());
    let (outcome, mut notebook) = running.await.expect("the cell ends");
    assert_eq!(outcome.error().expect("it is cut").ename, "ExecutorLost");
    notebook.ok(&format!("log.append('next')\n{}", trace.cell(20))).await;
    assert!(
        since.elapsed() < MOVES_ON_WITHIN,
        "moved on after {:?}",
        since.elapsed()
    );
    println!("moved on after {:?}", since.elapsed());
    tokio::time::sleep(FROZEN_FOR.saturating_sub(since.elapsed())).await;

    frozen.wake().await;
    notebook.ok(&trace.cell(20)).await;
    cluster.whole().await;
    kernel.settled().await;
    let writers = trace.assert_no_overlap();
    assert!(writers >= 2, "the session moved: {writers}");
    within("the woken node has the session", LONG, kernel.handover(Some(&executor))).await;
    assert_eq!(
        notebook.value("log").await,
        json!(["before", "next"]),
        "what it had done alone is discarded"
    );
}

#[tokio::test]
async fn a_node_that_hangs_between_cells_is_passed_over() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("log = [1]").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let mut notebook = kernel.notebook(cluster.client_of(cluster.other_than(&[&executor]).name()));
    notebook.ok("log.append(2)").await;

    let (frozen, since) = (cluster.node(&executor).freeze().await, Instant::now());
    notebook.ok("log.append(3)").await;
    println!("the next cell ended after {:?}", since.elapsed());
    assert!(
        since.elapsed() < MOVES_ON_WITHIN,
        "moved on after {:?}",
        since.elapsed()
    );
    tokio::time::sleep(FROZEN_FOR.saturating_sub(since.elapsed())).await;
    frozen.wake().await;
    notebook.ok("log.append(4)").await;
    cluster.whole().await;
    kernel.settled().await;
    kernel.handover(Some(&executor)).await;
    assert_eq!(notebook.value("log").await, json!([1, 2, 3, 4]));
}

#[tokio::test]
async fn without_a_majority_nothing_is_acknowledged() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("log = []").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let mut notebook = kernel.notebook(cluster.client_of(&executor));
    let mut ledger = Ledger::default();
    for number in 0..10 {
        ledger.record(number, &notebook.run(&Execute::new(Ledger::cell(number))).await);
    }
    let mut frozen = Vec::new();
    for node in cluster.nodes().filter(|node| node.name() != executor) {
        frozen.push(node.freeze().await);
    }
    let mut running = tokio::spawn(async move { (notebook.run(&Execute::new(Ledger::cell(10))).await, notebook) });
    let early = tokio::time::timeout(Duration::from_secs(4), &mut running).await;
    if let Ok(answered) = early {
        let error = answered.expect("no panic").0.error();
        panic!("answered while two of three hosts hang: {error:?}");
    }
    for node in frozen {
        node.wake().await;
    }
    let (outcome, mut notebook) = running.await.expect("the cell ends");
    ledger.record(10, &outcome);
    for number in 11..20 {
        ledger.record(number, &notebook.run(&Execute::new(Ledger::cell(number))).await);
    }
    ledger.check(&notebook.value("log").await);
    cluster.whole().await;
    kernel.settled().await;
}
