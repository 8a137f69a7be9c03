//! A replica moves to another host while its kernel is in use, whatever is lost on the way.

use std::time::{Duration, Instant};

use nbos::client::{Client, Execute, Framing};
use nbos_integration::{
    Cluster, Kernel, LONG, Ledger, Notebook, SHORT, Seed, Shape, Trace, assert_distinct_hosts, eventually, holds,
    within,
};
use serde_json::json;
use tokio::task::JoinHandle;

/// A move takes its Python process's start and little more; a loaded machine has many of those at once.
const MOVED_WITHIN: Duration = Duration::from_secs(60);

async fn four_hosts() -> Cluster {
    Cluster::shaped(Shape {
        nodes: 4,
        ..Shape::default()
    })
    .await
}

/// Hosts of its replicas.
async fn homes(kernel: &Kernel) -> Vec<String> {
    let record = kernel.settled().await;
    assert_distinct_hosts(&record, 3);
    record.replicas.into_iter().map(|replica| replica.host).collect()
}

/// The host without a replica of the kernel.
async fn spare(cluster: &Cluster, kernel: &Kernel) -> String {
    let homes = homes(kernel).await;
    let homes: Vec<&str> = homes.iter().map(String::as_str).collect();
    cluster.other_than(&homes).name().to_owned()
}

/// Begins a move through the command line's client.
fn migrate(client: Client, kernel: &Kernel, from: Option<&str>, to: Option<&str>) -> JoinHandle<Duration> {
    let (id, from, to) = (kernel.id.clone(), from.map(str::to_owned), to.map(str::to_owned));
    tokio::spawn(async move {
        let began = Instant::now();
        let moved = within(
            "a replica moves",
            MOVED_WITHIN,
            client.migrate(&id, from.as_deref(), to.as_deref()),
        );
        moved
            .await
            .unwrap_or_else(|error| panic!("no move from {from:?} to {to:?}: {error}"));
        began.elapsed()
    })
}

/// Returns when the kernel's replica is on its way, in this phase or a later one.
async fn under_way(kernel: &Kernel) -> String {
    eventually("a replica is under way", SHORT, async || {
        kernel.record().await.moves.first().map(|moving| moving.to.clone())
    })
    .await
}

/// Runs cells until it is told to stop; gives the notebook and what must be true of it.
fn keep_running(
    mut notebook: Notebook,
    first: u64,
) -> (JoinHandle<(Notebook, Ledger)>, tokio::sync::watch::Sender<bool>) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let task = tokio::spawn(async move {
        let mut ledger = Ledger::default();
        let mut number = first;
        while !*stopped.borrow() {
            ledger.record(number, &notebook.run(&Execute::new(Ledger::cell(number))).await);
            number += 1;
        }
        (notebook, ledger)
    });
    (task, stop)
}

#[tokio::test]
async fn replicas_move_in_a_loop_while_cells_run_and_none_is_lost_or_run_twice() {
    let cluster = four_hosts().await;
    let kernel = cluster.kernel().await;
    let mut notebook = kernel.notebook(cluster.client());
    notebook.ok("log = []").await;
    kernel.settled().await;
    let (cells, stop) = keep_running(notebook, 0);
    let mut took = Vec::new();
    for round in 0..6 {
        let executor = kernel.executor().await;
        let homes = homes(&kernel).await;
        // The executor in every other round.
        let from = homes
            .iter()
            .find(|home| (**home == executor) == (round % 2 == 0))
            .expect("one of three");
        let target = spare(&cluster, &kernel).await;
        took.push(
            migrate(cluster.client(), &kernel, Some(from), None)
                .await
                .expect("no panic"),
        );
        let now = self::homes(&kernel).await;
        assert!(
            now.contains(&target) && !now.contains(from),
            "round {round}: {from} to {target}, now {now:?}"
        );
    }
    stop.send(true).expect("it runs");
    let (mut notebook, ledger) = cells.await.expect("cells run");
    assert_eq!(ledger.refused(), 0, "no cell was cut");
    ledger.check(&notebook.value("log").await);
    println!("{} cells, moves took {took:?}", ledger.acknowledged());
}

#[tokio::test]
async fn a_small_session_moves_fast() {
    let cluster = four_hosts().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("kept = {'a': [1, 2, 3]}; alias = kept['a']").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let mut took = Vec::new();
    for _ in 0..5 {
        let homes = homes(&kernel).await;
        let from = homes.iter().find(|home| **home != executor).expect("a standby");
        took.push(
            migrate(cluster.client(), &kernel, Some(from), None)
                .await
                .expect("no panic"),
        );
    }
    took.sort_unstable();
    println!("small session: median {:?} of {took:?}", took[took.len() / 2]);
    let new = spare(&cluster, &kernel).await;
    migrate(cluster.client(), &kernel, Some(&executor), Some(&new))
        .await
        .expect("no panic");
    kernel.handover(Some(&new)).await;
    cells.ok("alias.append(4)").await;
    assert_eq!(cells.value("kept").await, json!({"a": [1, 2, 3, 4]}));
}

/// MiB of a large session; `just migration` takes a gibibyte.
fn large_mib() -> u64 {
    std::env::var("NBOS_MIB")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(128)
}

#[tokio::test]
async fn a_large_session_is_usable_while_it_moves() {
    let cluster = four_hosts().await;
    let kernel = cluster.kernel().await;
    let mut notebook = kernel.notebook(cluster.client());
    let mib = large_mib();
    notebook
        .ok(&format!(
            "import os, hashlib; log = []; big = bytearray(os.urandom(1 << 20) * {mib}); big[::4096] = os.urandom(len(big[::4096]))"
        ))
        .await;
    let digest = notebook.value("hashlib.blake2b(big).hexdigest()").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let homes = homes(&kernel).await;
    let from = homes.iter().find(|home| **home != executor).expect("a standby");
    let target = spare(&cluster, &kernel).await;
    let moving = migrate(cluster.client(), &kernel, Some(from), Some(&target));
    let (mut number, mut longest) = (0, Duration::ZERO);
    let mut ledger = Ledger::default();
    while !moving.is_finished() {
        let began = Instant::now();
        ledger.record(number, &notebook.run(&Execute::new(Ledger::cell(number))).await);
        longest = longest.max(began.elapsed());
        number += 1;
    }
    let took = moving.await.expect("no panic");
    println!("{mib} MiB moved in {took:?}; meanwhile {number} cells, the longest took {longest:?}");
    ledger.check(&notebook.value("log").await);
    kernel.handover(Some(&target)).await;
    assert_eq!(notebook.value("hashlib.blake2b(big).hexdigest()").await, digest);
}

#[tokio::test]
async fn the_executor_does_not_leave_before_its_cell_has_ended() {
    let cluster = four_hosts().await;
    let kernel = cluster.kernel().await;
    let mut notebook = kernel.notebook(cluster.client());
    notebook.ok("log = []").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let trace = Trace::new(cluster.path("trace"));
    let cell = Execute::new(format!("log.append(1)\n{}", trace.cell(300)));
    let running = tokio::spawn(async move { (notebook.run(&cell).await, notebook) });
    holds("the cell runs", LONG, async || trace.steps() > 10).await;
    let target = spare_of_running(&cluster, &kernel).await;
    let moving = migrate(cluster.client(), &kernel, Some(&executor), Some(&target));
    assert_eq!(under_way(&kernel).await, target);
    let (outcome, mut notebook) = running.await.expect("the cell ends");
    assert!(outcome.is_ok(), "it was not cut: {:?}", outcome.reply);
    moving.await.expect("it moves afterwards");
    assert_ne!(kernel.executor().await, executor);
    notebook.ok(&format!("log.append(2)\n{}", trace.cell(10))).await;
    assert_eq!(notebook.value("log").await, json!([1, 2]));
    trace.assert_no_overlap();
    assert!(homes(&kernel).await.contains(&target));
}

/// As [`spare`], for a kernel that runs a cell.
async fn spare_of_running(cluster: &Cluster, kernel: &Kernel) -> String {
    let record = kernel.record().await;
    let homes: Vec<&str> = record.replicas.iter().map(|replica| replica.host.as_str()).collect();
    cluster.other_than(&homes).name().to_owned()
}

#[tokio::test]
async fn a_replica_of_a_dead_host_is_replaced_by_hand_and_by_itself() {
    let cluster = four_hosts().await;
    let (first, second) = (cluster.kernel().await, cluster.kernel().await);
    for kernel in [&first, &second] {
        kernel.open(Framing::V1).await.ok("kept = [1]").await;
        kernel.settled().await;
    }
    let executors = [first.executor().await, second.executor().await];
    // A host with a replica of both, that runs neither's cells and is not the gateway in use.
    let (one, two) = (homes(&first).await, homes(&second).await);
    let common = one
        .iter()
        .find(|home| two.contains(home) && !executors.contains(home))
        .expect("four hosts, twice three");
    let client = cluster.client_first_at(cluster.other_than(&[common]).name());
    let gone = cluster.node(common).kill_for_good().await;
    migrate(client.clone(), &first, Some(common), None)
        .await
        .expect("no panic");
    for kernel in [&first, &second] {
        let kernel = Kernel::new(client.clone(), kernel.id.clone());
        holds("every replica is on a living host", LONG, async || {
            let record = kernel.record().await;
            record.moves.is_empty() && record.replicas.iter().all(|replica| replica.host != *common)
        })
        .await;
        assert_distinct_hosts(&kernel.settled().await, 3);
        assert_eq!(kernel.notebook(client.clone()).value("kept").await, json!([1]));
    }
    gone.back().await;
    cluster.whole().await;
}

#[tokio::test]
async fn a_target_that_is_killed_costs_nothing_and_the_move_is_tried_again() {
    let cluster = four_hosts().await;
    let kernel = cluster.kernel().await;
    let mut notebook = kernel.notebook(cluster.client());
    notebook.ok("log = []").await;
    let target = spare(&cluster, &kernel).await;
    let gateway = cluster.other_than(&[&target]).name().to_owned();
    let client = cluster.client_of(&gateway);
    let (cells, stop) = keep_running(kernel.notebook(client.clone()), 0);
    let moving = migrate(client, &kernel, None, None);
    assert_eq!(under_way(&kernel).await, target);
    let old = cluster.node(&target).kill_9();
    cluster.node(&target).restarted(old).await;
    moving.await.expect("it moves in the end");
    cluster.whole().await;
    stop.send(true).expect("it runs");
    let (mut notebook, ledger) = cells.await.expect("cells run");
    assert_eq!(ledger.refused(), 0, "no cell was cut");
    ledger.check(&notebook.value("log").await);
    assert!(homes(&kernel).await.contains(&target));
}

#[tokio::test]
async fn a_move_goes_on_when_those_who_lead_it_are_killed() {
    let mut seed = Seed::announced();
    let cluster = four_hosts().await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("kept = ['here']").await;
    // One of the first three leads the control group; all of them do without the others' help.
    for victim in ["h1", "h2", "h3"] {
        let target = spare(&cluster, &kernel).await;
        let gateway = cluster.other_than(&[victim]).name().to_owned();
        let client = cluster.client_of(&gateway);
        let moving = migrate(client.clone(), &kernel, None, None);
        let known = Kernel::new(client.clone(), kernel.id.clone());
        under_way(&known).await;
        // A moment of the move, not a wait for it.
        tokio::time::sleep(seed.up_to(Duration::from_millis(300))).await;
        let old = cluster.node(victim).kill_9();
        moving.await.expect("it moves in the end");
        cluster.node(victim).restarted(old).await;
        cluster.whole().await;
        let now = homes(&known).await;
        println!("without {victim}: to {target}, now {now:?}");
        assert_eq!(known.notebook(client).value("kept").await, json!(["here"]));
    }
}

#[tokio::test]
async fn a_host_is_emptied_and_filled_again() {
    let cluster = four_hosts().await;
    let mut kernels = Vec::new();
    for _ in 0..3 {
        let kernel = cluster.kernel().await;
        kernel.open(Framing::V1).await.ok("kept = 7").await;
        kernels.push(kernel);
    }
    let host = kernels[0].executor().await;
    let drained = cluster.nbos(&["drain", &host]).await;
    assert_eq!(drained.code, Some(0), "{drained:?}");
    assert_eq!(drained.stdout, format!("host {host} is empty\n"));
    for kernel in &kernels {
        let homes = homes(kernel).await;
        assert!(!homes.contains(&host), "{homes:?}");
        assert_eq!(kernel.notebook(cluster.client()).value("kept").await, json!(7));
    }
    let listed = cluster.nbos(&["hosts"]).await.stdout;
    let line = listed
        .lines()
        .find(|line| line.starts_with(&host))
        .expect("it is listed");
    assert!(line.contains("draining"), "{listed}");
    let fresh = cluster.kernel().await;
    assert!(!homes(&fresh).await.contains(&host), "nothing new goes there");

    let other = homes(&fresh).await.remove(0);
    let stuck = cluster.nbos(&["drain", &other]).await;
    assert_eq!(stuck.code, Some(1), "{stuck:?}");
    assert!(stuck.stdout.contains("is being drained"), "it says why: {stuck:?}");
    for name in [&host, &other] {
        let undone = cluster.nbos(&["drain", name, "--undo"]).await;
        assert_eq!(undone.code, Some(0), "{undone:?}");
    }
    let moved = cluster.nbos(&["migrate", &fresh.id, "--to", &host]).await;
    assert_eq!(moved.code, Some(0), "{moved:?}");
    assert!(homes(&fresh).await.contains(&host));
    let refused = cluster.nbos(&["migrate", &fresh.id, "--to", &host]).await;
    assert_ne!(refused.code, Some(0), "it has one already");
    assert!(refused.stderr.contains("has one already"), "{refused:?}");
}

/// A cell that holds a GPU until a file is there.
fn holding(flag: &std::path::Path) -> Execute {
    let mut cell = Execute::new(format!(
        "import os, time\nwhile not os.path.exists({flag:?}):\n    time.sleep(0.01)"
    ));
    cell.metadata = json!({"nbos": {"gpus": 1}});
    cell
}

#[tokio::test]
async fn a_waiting_cell_draws_a_replica_to_where_gpus_are_free() {
    let cluster = Cluster::shaped(Shape {
        nodes: 4,
        gpus: 1,
        ..Shape::default()
    })
    .await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("kept = [1]").await;
    let flag = cluster.path("go-on");
    let mut holders = Vec::new();
    for home in homes(&kernel).await {
        let holder = cluster.kernel().await;
        if !homes(&holder).await.contains(&home) {
            migrate(cluster.client(), &holder, None, Some(&home))
                .await
                .expect("no panic");
        }
        holder.handover(Some(&home)).await;
        let mut notebook = holder.notebook(cluster.client());
        let cell = holding(&flag);
        holders.push(tokio::spawn(async move { notebook.run(&cell).await }));
        holds("its cell holds the GPU", LONG, async || {
            let hosts = cluster.client().hosts(SHORT).await.unwrap_or_default();
            let host = hosts.iter().find(|host| host.name == home);
            host.is_some_and(|host| host.gpus.iter().any(|gpu| !gpu.lease.is_null()))
        })
        .await;
    }
    let free = spare(&cluster, &kernel).await;
    let mut cell = Execute::new("kept.append(2); print(kept)");
    cell.metadata = json!({"nbos": {"gpus": 1}});
    let began = Instant::now();
    let outcome = kernel.notebook(cluster.client()).run(&cell).await;
    assert_eq!(outcome.stdout(), "[1, 2]\n", "{:?}", outcome.reply);
    println!(
        "a cell on hosts without a free GPU ran elsewhere after {:?}",
        began.elapsed()
    );
    assert_eq!(kernel.executor().await, free);
    std::fs::write(&flag, "").expect("the flag");
    for holder in holders {
        assert!(holder.await.expect("it ends").is_ok());
    }
}
