//! GPUs that fail or do not come back clean are lent to nobody, and cells go elsewhere.

use nbos::client::{Execute, Framing};
use nbos_integration::{Answer, Cells, Cluster, Http, Kernel, LONG, SHORT, Shape, eventually, holds, within};
use serde_json::json;

/// One GPU on each of three hosts, and a kernel whose cells run on h1.
async fn scene() -> (Cluster, Kernel, Cells) {
    let cluster = Cluster::shaped(Shape {
        gpus: 1,
        ..Shape::default()
    })
    .await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("kept = [1]").await;
    kernel.settled().await;
    if kernel.executor().await != "h1" {
        kernel.handover(Some("h1")).await;
    }
    (cluster, kernel, cells)
}

fn on_a_gpu(code: &str) -> Execute {
    let mut cell = Execute::new(code);
    cell.metadata = json!({"nbos": {"gpus": 1}});
    cell
}

/// Asks the gateway of another host.
async fn fault(cluster: &Cluster, host: &str, gpu: u32, fault: &str) -> Answer {
    let http = Http::new(cluster.node("h3").gateway_address(), &cluster.connection().token);
    let body = json!({"fault": fault}).to_string();
    http.send(
        "POST",
        &format!("/api/cluster/hosts/{host}/gpus/{gpu}/fault"),
        body.as_bytes(),
    )
    .await
}

async fn state_of(cluster: &Cluster, host: &str) -> Option<String> {
    let hosts = cluster.client().hosts(SHORT).await.ok()?;
    let host = hosts.into_iter().find(|it| it.name == host)?;
    host.gpus.into_iter().next().map(|gpu| gpu.state)
}

async fn becomes(cluster: &Cluster, host: &str, state: &str) {
    let what = format!("the gpu of {host} is {state}");
    holds(&what, LONG, async || {
        state_of(cluster, host).await.as_deref() == Some(state)
    })
    .await;
}

#[tokio::test]
async fn leaked_memory_keeps_a_gpu_from_others_until_it_is_repaired() {
    let (cluster, kernel, mut cells) = scene().await;
    let mut events = cluster.events("h2").await;
    assert_eq!(fault(&cluster, "h1", 0, "leak").await.status, 200);
    assert_eq!(
        cells.run(&on_a_gpu("kept.append(2); print(kept)")).await.stdout(),
        "[1, 2]\n"
    );
    assert_eq!(kernel.executor().await, "h1", "nothing is wrong with it yet");
    becomes(&cluster, "h1", "quarantined").await;
    let told = events.next("gpu_quarantined").await;
    assert_eq!((&told["host"], &told["gpu"]), (&json!("h1"), &json!(0)), "{told}");
    assert!(told["memory_used"].as_u64() > Some(0), "{told}");

    // Its last holder may: what is left there can only be its own.
    assert_eq!(
        cells.run(&on_a_gpu("kept.append(3); print(kept)")).await.stdout(),
        "[1, 2, 3]\n"
    );
    assert_eq!(kernel.executor().await, "h1");
    let other = cluster.kernel().await;
    let mut others = other.open(Framing::V1).await;
    others.ok("kept = []").await;
    other.settled().await;
    if other.executor().await != "h1" {
        other.handover(Some("h1")).await;
    }
    assert_eq!(
        others.run(&on_a_gpu("kept.append(1); print(kept)")).await.stdout(),
        "[1]\n"
    );
    assert_ne!(other.executor().await, "h1");
    becomes(&cluster, "h1", "quarantined").await;
    let shown = cluster.nbos(&["hosts"]).await;
    assert!(shown.stdout.contains("quarantined"), "{}", shown.stdout);

    assert_eq!(fault(&cluster, "h1", 0, "repair").await.status, 200);
    becomes(&cluster, "h1", "free").await;
    assert_eq!(events.next("gpu_working").await["host"], "h1");
    other.settled().await;
    other.handover(Some("h1")).await;
    assert_eq!(others.run(&on_a_gpu("print(len(kept))")).await.stdout(), "1\n");
    assert_eq!(other.executor().await, "h1");
}

#[tokio::test]
async fn a_gpu_that_falls_off_the_bus_ends_the_cell_that_uses_it_and_nothing_else() {
    let (cluster, kernel, mut cells) = scene().await;
    let mut other = cluster.kernel().await.open(Framing::V1).await;
    other.ok("mine = 'kept'").await;
    let mut events = cluster.events("h2").await;
    let began = cluster.path("began");
    let code = format!("kept.append('lost')\nimport time\nopen({began:?}, 'w').close()\ntime.sleep(300)");
    let running = tokio::spawn(async move { (cells.run(&on_a_gpu(&code)).await, cells) });
    eventually("the cell runs", LONG, async || began.exists().then_some(())).await;
    assert_eq!(fault(&cluster, "h1", 0, "fall_off").await.status, 200);
    let (outcome, mut cells) = within("the cell ends", LONG, running).await.expect("no panic");
    let error = outcome.error().expect("its gpu is gone");
    assert_eq!(error.ename, "ExecutorLost", "{error:?}");
    assert!(
        error.evalue.contains("NB0715") && error.evalue.contains("bus"),
        "{error:?}"
    );
    becomes(&cluster, "h1", "failed").await;
    let told = events.next("gpu_failed").await;
    assert!(
        told["host"] == "h1" && told["why"].as_str().is_some_and(|why| why.contains("bus")),
        "{told}"
    );

    assert_eq!(
        cells.run(&on_a_gpu("kept.append(2); print(kept)")).await.stdout(),
        "[1, 2]\n",
        "as it was before the cell that was cut"
    );
    assert_ne!(kernel.executor().await, "h1");
    assert_eq!(other.ok("print(mine)").await, "kept\n");
    assert_eq!(fault(&cluster, "h1", 0, "repair").await.status, 200);
    becomes(&cluster, "h1", "free").await;
}

#[tokio::test]
async fn faults_are_refused_where_there_is_nothing_to_break() {
    let (cluster, _, mut cells) = scene().await;
    for (host, gpu, what, status, code) in [
        ("h1", 1, "leak", 404, "NB0717"),
        ("nowhere", 0, "leak", 404, "NB0518"),
        ("h1", 0, "explode", 400, "NB0504"),
    ] {
        let answer = fault(&cluster, host, gpu, what).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{host} {gpu} {what}: {}",
            answer.body
        );
    }
    assert_eq!(cells.run(&on_a_gpu("print(kept)")).await.stdout(), "[1]\n");
}
