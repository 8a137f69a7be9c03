//! GPUs are lent for one cell at a time, and a cell goes to where they are.

use std::path::Path;
use std::time::{Duration, Instant};

use nbos::client::{Execute, Framing};
use nbos_integration::{Cells, Cluster, Kernel, LONG, SHORT, Shape, eventually, holds, within};
use serde_json::json;
use tokio::task::JoinHandle;

/// One GPU on each of three hosts.
async fn three_gpus() -> Cluster {
    Cluster::shaped(Shape {
        gpus: 1,
        ..Shape::default()
    })
    .await
}

/// A cell that holds GPUs until a file is there.
fn holding(gpus: u32, flag: &Path) -> Execute {
    let mut cell = Execute::new(format!(
        "import os, time\nwhile not os.path.exists({flag:?}):\n    time.sleep(0.01)"
    ));
    cell.metadata = json!({"nbos": {"gpus": gpus}});
    cell
}

fn on_gpus(gpus: u32, code: &str) -> Execute {
    let mut cell = Execute::new(code);
    cell.metadata = json!({"nbos": {"gpus": gpus}});
    cell
}

/// Names of hosts by the kernel that holds their GPU.
async fn lent(cluster: &Cluster) -> Vec<(String, String)> {
    let hosts = eventually("the hosts are listed", SHORT, async || {
        cluster.client().hosts(SHORT).await.ok()
    })
    .await;
    let gpus = hosts
        .iter()
        .flat_map(|host| host.gpus.iter().map(|gpu| (host.name.clone(), gpu)));
    gpus.filter(|(_, gpu)| !gpu.lease.is_null())
        .map(|(host, gpu)| (host, gpu.lease["holder"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// The kernel's cell runs, and holds a GPU of its executor's host.
async fn runs(cluster: &Cluster, kernel: &Kernel) -> String {
    eventually("the cell holds its GPU", LONG, async || {
        let held = lent(cluster).await;
        held.into_iter()
            .find(|(_, holder)| *holder == kernel.id)
            .map(|(host, _)| host)
    })
    .await
}

/// A kernel with a variable and its executor on this host.
async fn kernel_on(cluster: &Cluster, host: &str) -> (Kernel, Cells) {
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("kept = [1]; alias = kept").await;
    kernel.settled().await;
    if kernel.executor().await != host {
        kernel.handover(Some(host)).await;
    }
    (kernel, cells)
}

fn spawn(mut cells: Cells, cell: Execute) -> JoinHandle<(nbos::client::ExecuteOutcome, Cells)> {
    tokio::spawn(async move { (cells.run(&cell).await, cells) })
}

#[tokio::test]
async fn a_cell_runs_at_once_where_a_gpu_is_free() {
    let cluster = three_gpus().await;
    let flag = cluster.path("go-on");
    let (first, first_cells) = kernel_on(&cluster, "h1").await;
    let (second, mut cells) = kernel_on(&cluster, "h1").await;
    let holder = spawn(first_cells, holding(1, &flag));
    assert_eq!(runs(&cluster, &first).await, "h1", "its executor's host has a GPU");

    let began = Instant::now();
    let outcome = cells.run(&on_gpus(1, "kept.append(2); print(alias)")).await;
    let took = began.elapsed();
    assert_eq!(outcome.stdout(), "[1, 2]\n", "{:?}", outcome.reply);
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    let there = second.executor().await;
    assert_ne!(there, "h1");
    // It stays where it is: the next one needs no election.
    assert_eq!(cells.run(&on_gpus(1, "print(len(kept))")).await.stdout(), "2\n");
    assert_eq!(second.executor().await, there);

    std::fs::write(&flag, "").expect("the flag");
    assert!(holder.await.expect("the cell ends").0.is_ok());
    holds("nothing stays lent", SHORT, async || lent(&cluster).await.is_empty()).await;
    first.settled().await;
    second.settled().await;
}

#[tokio::test]
async fn a_cell_waits_for_its_turn_and_can_be_interrupted() {
    let cluster = three_gpus().await;
    let mut holders = Vec::new();
    for host in ["h1", "h2", "h3"] {
        let flag = cluster.path(&format!("go-on-{host}"));
        let (kernel, cells) = kernel_on(&cluster, host).await;
        let cell = spawn(cells, holding(1, &flag));
        assert_eq!(runs(&cluster, &kernel).await, host);
        holders.push((kernel, cell, flag));
    }
    let (kernel, cells) = kernel_on(&cluster, "h1").await;
    let waiting = spawn(cells, on_gpus(1, "print('ran')"));
    holds("it waits", SHORT, async || kernel.record().await.state == "busy").await;
    kernel.interrupt().await;
    let (outcome, cells) = within("the interrupted cell ends", SHORT, waiting)
        .await
        .expect("it ends");
    assert_eq!(outcome.error().expect("interrupted").ename, "KeyboardInterrupt");

    let waiting = spawn(cells, on_gpus(1, "kept.append(2); print(alias)"));
    holds("it waits again", SHORT, async || kernel.record().await.state == "busy").await;
    assert_eq!(lent(&cluster).await.len(), 3, "three devices, three leases");
    // Not the host it waits on by itself: whoever has room first.
    let (_, second, flag) = holders.remove(1);
    std::fs::write(&flag, "").expect("the flag");
    assert!(second.await.expect("it ends").0.is_ok());
    let (outcome, _) = within("the waiting cell runs", LONG, waiting).await.expect("it ends");
    assert_eq!(outcome.stdout(), "[1, 2]\n", "{:?}", outcome.reply);
    assert_eq!(kernel.executor().await, "h2");
    for (_, cell, flag) in holders {
        std::fs::write(&flag, "").expect("the flag");
        assert!(cell.await.expect("it ends").0.is_ok());
    }
    holds("nothing stays lent", SHORT, async || lent(&cluster).await.is_empty()).await;
}

#[tokio::test]
async fn a_silent_host_does_not_keep_a_cell_from_its_gpu() {
    let cluster = three_gpus().await;
    let flag = cluster.path("go-on");
    let (first, first_cells) = kernel_on(&cluster, "h1").await;
    let (second, mut cells) = kernel_on(&cluster, "h1").await;
    let holder = spawn(first_cells, holding(1, &flag));
    assert_eq!(runs(&cluster, &first).await, "h1");
    let frozen = cluster.node("h3").freeze().await;
    let began = Instant::now();
    let outcome = cells.run(&on_gpus(1, "print(kept)")).await;
    let took = began.elapsed();
    assert_eq!(outcome.stdout(), "[1]\n", "{:?}", outcome.reply);
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert_eq!(second.executor().await, "h2");
    frozen.wake().await;
    cluster.whole().await;
    std::fs::write(&flag, "").expect("the flag");
    assert!(holder.await.expect("it ends").0.is_ok());
    holds("nothing stays lent", LONG, async || lent(&cluster).await.is_empty()).await;
}

#[tokio::test]
async fn a_cell_says_what_it_needs_and_learns_what_it_got() {
    let cluster = three_gpus().await;
    let mut cells = cluster.kernel().await.open(Framing::V1).await;
    let told = cells
        .ok("%%gpu 1\nimport os, nbos_kernel\n\
             mine = nbos_kernel.gpus()\n\
             print(len(mine), os.environ['NBOS_GPUS'] == mine[0].uuid == os.environ['CUDA_VISIBLE_DEVICES'])")
        .await;
    assert_eq!(told, "1 True\n");
    let told = cells
        .ok("print(nbos_kernel.gpus(), 'NBOS_GPUS' in os.environ, In[1].splitlines()[0])")
        .await;
    assert_eq!(told, "[] False # %%gpu 1\n", "nothing of it outlives the cell");
    let mut pretends = Execute::new("print(nbos_kernel.gpus(), 'NBOS_GPUS' in os.environ)");
    pretends.metadata = json!({"nbos": {"gpus": 0, "devices": [{"index": 0, "uuid": "GPU-of-others"}]}});
    assert_eq!(
        cells.run(&pretends).await.stdout(),
        "[] False\n",
        "nobody lends to themselves"
    );
    let error = cells.fails("%%gpu many\nprint('ran')").await;
    assert!(error.evalue.contains("NB0414"), "{error:?}");
}

#[tokio::test]
async fn more_gpus_than_any_host_has_are_refused_at_once() {
    let cluster = three_gpus().await;
    let mut cells = cluster.kernel().await.open(Framing::V1).await;
    let error = cells
        .run(&on_gpus(2, "print('ran')"))
        .await
        .error()
        .expect("no host has two");
    assert_eq!(error.ename, "NoGpus");
    assert!(error.evalue.contains("NB0701"), "{error:?}");
    assert_eq!(cells.ok("print('still here')").await, "still here\n");
}
