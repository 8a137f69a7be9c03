//! Large variables, pinned ones, and changes that no cell's capture sees.

use std::time::Duration;

use nbos::client::Framing;
use nbos_integration::{Cluster, LONG, Shape, holds};
use serde_json::json;

/// Everything from a megabyte on counts as large.
fn large_is_small() -> Shape {
    Shape {
        extra: "[kernel]\ndefer_above = 1_000_000\n".to_owned(),
        ..Shape::default()
    }
}

#[tokio::test]
async fn large_variables_arrive_when_a_cell_needs_them_and_outlive_their_host() {
    let cluster = Cluster::shaped(large_is_small()).await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells
        .ok("big = bytearray(range(256)) * 80_000; other = bytearray(b'o') * 9_000_000; small = [1]; alias = small")
        .await;
    kernel.settled().await;
    kernel.handover(None).await;
    assert_eq!(cells.value("[small, small is alias]").await, json!([[1], true]));
    assert_eq!(cells.value("[len(big), big[5]]").await, json!([20_480_000, 5]));
    cells.ok("big[5] = 77; small.append(len(other))").await;
    let record = kernel.settled().await;
    let executor = record.executor.expect("a cell has run");
    cluster.node(&executor).kill_9();
    assert_eq!(
        cells.value("[big[4], big[5], big[-1], other[-1], alias]").await,
        json!([4, 77, 255, 111, [1, 9_000_000]])
    );
}

#[tokio::test]
async fn a_host_that_lost_its_process_gets_everything_back() {
    let cluster = Cluster::shaped(large_is_small()).await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("big = bytearray(range(256)) * 80_000; name = 'n'").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let node = cluster.other_than(&[&executor]);
    let (target, old) = (node.name().to_owned(), node.kill_9());
    cells.ok("big[0] = 9; late = bytearray(b'l') * 5_000_000").await;
    cluster.node(&target).restarted(old).await;
    cluster.whole().await;
    kernel.settled().await;
    assert_eq!(kernel.handover(Some(&target)).await, target);
    assert_eq!(
        cells.value("[name, big[0], big[255], len(late)]").await,
        json!(["n", 9, 255, 5_000_000])
    );
}

#[tokio::test]
async fn a_cell_goes_to_what_is_pinned_and_says_what_to_do_when_that_is_gone() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells
        .ok("numbers = (n for n in range(5)); plain = 3; first = next(numbers)")
        .await;
    let home = kernel.settled().await.executor.expect("a cell has run");
    let away = kernel.handover(None).await;
    assert_ne!(away, home);
    assert_eq!(cells.value("plain").await, 3);
    assert_eq!(kernel.executor().await, away, "what touches nothing pinned stays");
    assert_eq!(cells.value("next(numbers)").await, 1);
    assert_eq!(kernel.executor().await, home, "what touches it goes there");
    let elsewhere = cluster.other_than(&[&home]).name().to_owned();
    let mut cells = kernel.open_at(&cluster.client_of(&elsewhere), Framing::V1).await;
    let old = cluster.node(&home).kill_9();
    let error = cells.fails("next(numbers)").await;
    assert_eq!(error.ename, "PinnedError");
    for part in ["numbers", &home, "[1]"] {
        assert!(error.evalue.contains(part), "`{part}` is missing in: {}", error.evalue);
    }
    assert_eq!(cells.value("plain").await, 3);
    cluster.node(&home).restarted(old).await;
}

#[tokio::test]
async fn a_hand_over_takes_along_what_no_cell_has_seen() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    for round in 0..3 {
        let done = cluster.path(&format!("done-{round}"));
        let code = format!(
            "import threading, time, pathlib\nbox = {{'round': {round}}}\ndef later():\n    time.sleep(1)\n    box['late'] = {round}\n    \
             pathlib.Path({done:?}).touch()\nthreading.Thread(target=later).start()\ndel later"
        );
        cells.ok(&code).await;
        holds("the thread is done", LONG, async || done.exists()).await;
        kernel.handover(None).await;
        assert_eq!(cells.value("box").await, json!({"round": round, "late": round}));
    }
}

#[tokio::test]
async fn a_large_cell_disturbs_no_other_kernel() {
    let cluster = Cluster::start().await;
    let (large, small) = (cluster.kernel().await, cluster.kernel().await);
    let (mut large, mut small) = (large.open(Framing::V1).await, small.open(Framing::V1).await);
    small.ok("x = 0").await;
    let work = async {
        large.ok("import os; big = bytearray(os.urandom(1 << 20)) * 200").await;
        large.value("len(big)").await
    };
    let cells = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let start = std::time::Instant::now();
            small.ok("x += 1").await;
            slowest = slowest.max(start.elapsed());
        }
        slowest
    };
    let (length, slowest) = tokio::join!(work, cells);
    assert_eq!(length, 200 << 20);
    println!("slowest small cell beside 200 MiB: {slowest:?}");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert_eq!(small.value("x").await, 20);
}
