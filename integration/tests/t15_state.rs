//! What a session holds, and that it is the same on whichever host the next cell runs.

use nbos::client::{Execute, Framing};
use nbos_integration::Cluster;
use serde_json::json;

#[tokio::test]
async fn state_follows_the_session_from_host_to_host_after_every_cell() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    let steps = [
        (
            "a = [1]; b = a; c = {'list': a}",
            "[a, b is a, c['list'] is a]",
            json!([[1], true, true]),
        ),
        ("b.append(2)", "[a, c['list'], b is a]", json!([[1, 2], [1, 2], true])),
        (
            "def double(x): return 2 * x * factor\nfactor = 10",
            "double(2)",
            json!(40),
        ),
        (
            "class Point:\n    def __init__(self, x): self.x = x\n    def twice(self): return double(self.x)\np = Point(3)",
            "[p.twice(), type(p) is Point, type(p).__name__]",
            json!([60, true, "Point"]),
        ),
        (
            "import math as m, collections\nfrom datetime import date",
            "[m.floor(2.5), collections.Counter('aa')['a'], date(2026, 1, 2).day]",
            json!([2, 2, 2]),
        ),
        (
            "p.x = 5; del factor; factor = 1",
            "[p.twice(), 'gone' in dir()]",
            json!([10, false]),
        ),
        ("gone = 1", "gone", json!(1)),
        (
            "del gone; a = None",
            "['gone' in globals(), a, c['list']]",
            json!([false, null, [1, 2]]),
        ),
        (
            "import os; os.environ['NB_HERE'] = 'yes'; import random; random.seed(7)",
            "os.environ['NB_HERE']",
            json!("yes"),
        ),
        (
            "draws = [random.random() for _ in range(3)]",
            "draws == [(random.seed(7), random.random())[1], random.random(), random.random()]",
            json!(true),
        ),
    ];
    let mut hosts = Vec::new();
    for (number, (code, expression, expected)) in steps.into_iter().enumerate() {
        cells.ok(code).await;
        kernel.settled().await;
        hosts.push(kernel.handover(None).await);
        assert_eq!(cells.value(expression).await, expected, "after step {number}: {code}");
    }
    hosts.dedup();
    assert!(hosts.len() > 5, "the session did not move: {hosts:?}");
    let counts = cells.value("[len(In) - 1, In[1][:7]]").await;
    assert_eq!(counts, json!([21, "a = [1]"]), "twenty cells and this one");
}

#[tokio::test]
async fn what_cannot_be_copied_is_named_and_pinned() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    let outcome = cells
        .run(&Execute::new(
            "numbers = (n for n in range(5)); plain = 3; next(numbers)",
        ))
        .await;
    assert!(outcome.is_ok(), "{:?}", outcome.reply);
    assert!(
        outcome.stderr().contains("numbers"),
        "stderr names it: {:?}",
        outcome.stderr()
    );
    let record = kernel.settled().await;
    let pinned: Vec<_> = record.pinned.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(pinned, ["numbers"]);
    assert_eq!(record.pinned[0].home, record.executor, "at the host that made it");
    assert_eq!(cells.ok("print(next(numbers))").await, "1\n", "at home it works");

    kernel.handover(None).await;
    assert_eq!(cells.value("plain").await, 3);
    assert_ne!(Some(kernel.executor().await), record.executor, "it was not asked for");
    assert_eq!(cells.value("next(numbers)").await, 2, "the cell goes where it lives");
    assert_eq!(Some(kernel.executor().await), record.executor);
}

#[tokio::test]
async fn large_state_survives_too() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells
        .ok("import hashlib, random\nbig = bytearray(random.Random(1).randbytes(20_000_000))")
        .await;
    let digest = cells.value("hashlib.sha256(big).hexdigest()").await;
    kernel.settled().await;
    kernel.handover(None).await;
    assert_eq!(
        cells.value("[len(big), hashlib.sha256(big).hexdigest()]").await,
        json!([20_000_000, digest])
    );
    cells.ok("big[5] ^= 0xff").await;
    kernel.settled().await;
    kernel.handover(None).await;
    assert_ne!(cells.value("hashlib.sha256(big).hexdigest()").await, digest);
    cells.ok("big[5] ^= 0xff").await;
    assert_eq!(cells.value("hashlib.sha256(big).hexdigest()").await, digest);
}

#[tokio::test]
async fn what_a_cell_did_before_its_error_stays() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("items = [1]; alias = items; old = 'old'; gone = 1").await;
    let error = cells
        .fails("items.append(2)\nold = 'new'; del gone\ndef late(): return items\nbig = bytearray(b'b') * 3_000_000\n1 / 0\nnever = 3")
        .await;
    assert_eq!(error.ename, "ZeroDivisionError");
    kernel.settled().await;
    let before = kernel.executor().await;
    assert_ne!(kernel.handover(None).await, before);
    assert_eq!(
        cells
            .value("[items, alias is items, old, late() is items, len(big), 'gone' in dir(), 'never' in dir()]")
            .await,
        json!([[1, 2], true, "new", true, 3_000_000, false, false])
    );
}
