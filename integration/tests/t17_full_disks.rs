//! Disks without room for what a session holds: nothing is acknowledged that is not safe, nothing else stands still, and room heals.

use std::time::{Duration, Instant};

use nbos::client::{Execute, Framing};
use nbos_integration::{Cells, Cluster, Kernel, LONG, Shape, holds, small_disks_work};
use serde_json::json;

/// MiB that the store leaves to the log on every disk (`RESERVE` in `actors/objects/src/store.rs`).
const RESERVE: u64 = 256;

/// Room for a part of what the cell makes.
const SMALL: u64 = RESERVE + 24;

/// Room for all of it.
const ROOMY: u64 = RESERVE + 512;

/// Makes 32 MiB in one piece, of which no two MiB are alike, and 20 MiB in pieces small enough to fill a disk to its last corner.
const LARGE: &str = "
import hashlib, os
big = bytearray(os.urandom(1 << 20)) * 32
for i in range(32): big[i << 20] = i
pieces = [bytearray(os.urandom(100_000)) for _ in range(210)]
def digest():
    return [hashlib.sha256(big).hexdigest(), hashlib.sha256(b''.join(pieces)).hexdigest()]
log.append('large')
print(*digest())";

/// Less than all of it, more than the disks take.
const LARGE_BYTES: u64 = 50 << 20;

/// Small cells of another kernel, each of which adds 300 KB to the log, until `enough`; their number and the slowest.
async fn small_cells(cells: &mut Cells, mut enough: impl AsyncFnMut() -> bool) -> (u32, Duration) {
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while !enough().await {
        let start = Instant::now();
        cells
            .ok("count += 1; a, b, c, d, e, f = (os.urandom(50_000) for _ in range(6))")
            .await;
        slowest = slowest.max(start.elapsed());
        count += 1;
    }
    (count, slowest)
}

/// Returns when the end of a cell waits for room: it is captured and not on a majority of the hosts.
async fn waits_for_room(kernel: &Kernel) {
    let waits = async || {
        let replicating = kernel.record().await.replicating;
        replicating.is_some_and(|replicating| replicating.total > LARGE_BYTES && replicating.done < replicating.total)
    };
    holds("the end of the cell waits", LONG, waits).await;
}

#[tokio::test]
async fn what_fits_on_too_few_disks_is_refused_in_time_and_taken_once_there_is_room() {
    if !small_disks_work() {
        return;
    }
    let cluster = Cluster::shaped(Shape {
        extra: "[kernel]\nstore_within = 4\ndefer_above = 1_000_000\n".to_owned(),
        small_disks: vec![("h2".to_owned(), SMALL), ("h3".to_owned(), SMALL)],
        ..Shape::default()
    })
    .await;
    let (kernel, other) = (cluster.kernel().await, cluster.kernel().await);
    let mut small = other.open(Framing::V1).await;
    small.ok("import os; count = 0").await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("log = ['before']").await;
    kernel.settled().await;
    kernel.handover(Some("h1")).await;

    let run = Execute::new(LARGE);
    let begun = Instant::now();
    let work = async {
        let outcome = cells.run(&run).await;
        (outcome, begun.elapsed())
    };
    let beside = async {
        waits_for_room(&kernel).await;
        let shown = cluster.nbos(&["kernel", &kernel.id]).await;
        assert!(shown.stdout.contains("replicating the last cell"), "{}", shown.stdout);
        let waiting = async || kernel.record().await.replicating.is_none();
        small_cells(&mut small, waiting).await
    };
    let ((outcome, took), (count, slowest)) = tokio::join!(work, beside);
    println!("refused after {took:?}; {count} cells of another kernel meanwhile, the slowest took {slowest:?}");
    let error = outcome.error().expect("what is not safe is not acknowledged");
    assert_eq!(error.ename, "StateNotStored");
    for part in ["NB0409", "NB0802", "no space left"] {
        assert!(error.evalue.contains(part), "`{part}` is missing in: {}", error.evalue);
    }
    assert!(
        outcome.stderr().contains("NB0802"),
        "told while it waited: {}",
        outcome.stderr()
    );
    assert!(
        count >= 5 && slowest < Duration::from_secs(3),
        "{count} cells, slowest {slowest:?}"
    );
    assert_eq!(
        cells.value("[log, 'big' in globals()]").await,
        json!([["before"], false]),
        "the session is as before"
    );

    // The same again, and room is made while it waits.
    let make_room = async {
        waits_for_room(&kernel).await;
        cluster.leave_room("h2", ROOMY);
        cluster.leave_room("h3", ROOMY);
    };
    let (said, ()) = tokio::join!(cells.ok(LARGE), make_room);
    let digests: Vec<&str> = said.split_whitespace().collect();
    kernel.settled().await;
    for host in ["h2", "h3"] {
        kernel.handover(Some(host)).await;
        assert_eq!(cells.value("digest()").await, json!(digests), "at {host}");
        assert_eq!(cells.value("log").await, json!(["before", "large"]));
    }
    // The disk of the host that runs the cell is full.
    cluster.leave_room("h3", RESERVE + 4);
    let make_room = async {
        let full = async || cluster.room_mib("h3") < RESERVE;
        holds("the disk is full", LONG, full).await;
        cluster.leave_room("h3", ROOMY);
    };
    let run = Execute::new(LARGE);
    let (outcome, ()) = tokio::join!(cells.run(&run), make_room);
    assert!(outcome.is_ok(), "{:?}", outcome.reply);
    let digests: Vec<String> = outcome.stdout().split_whitespace().map(str::to_owned).collect();
    kernel.settled().await;
    kernel.handover(Some("h1")).await;
    assert_eq!(cells.value("digest()").await, json!(digests));
    assert_eq!(cells.value("len(log)").await, 3);
}
