//! The executor's node is killed.

use std::time::Duration;

use nbos::client::{Channel, Execute, Framing, Kernel as Record};
use nbos_integration::{Cluster, LONG, Seed, failover, holds, is_alive, kill_9, within};
use serde_json::json;

/// Cells of one run.
const CELLS: u64 = 200;

/// Runs of the short version; `just faults` makes ten.
const RUNS: usize = 2;

/// The promise, for the median of ten runs or more.
const NEXT_ANSWER: Duration = Duration::from_secs(2);

fn runs() -> usize {
    std::env::var("NBOS_RUNS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(RUNS)
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn two_hundred_cells_outlive_the_node_that_runs_them() {
    let mut seed = Seed::announced();
    let cluster = Cluster::start().await;
    let mut seen = Vec::new();
    for run in 0..runs() {
        let failover = failover(&cluster, CELLS, &mut seed).await;
        println!("run {run}: {failover:?}");
        seen.push(failover);
    }
    let answered = median(seen.iter().map(|failover| failover.answered));
    let carried_on = median(seen.iter().map(|failover| failover.carried_on));
    println!(
        "median of {} runs: next answer after {answered:?}, next good cell after {carried_on:?}",
        seen.len()
    );
    if seen.len() >= 10 {
        assert!(answered <= NEXT_ANSWER, "next answer after {answered:?} in the median");
    }
}

#[tokio::test]
async fn a_cell_cut_in_mid_run_ends_with_executor_lost_and_leaves_the_state_before_it() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("x = 'before'; y = [1]").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let gateway = cluster.other_than(&[&executor]).name().to_owned();
    let mut cells = kernel.open_at(&cluster.client_of(&gateway), Framing::Legacy).await;

    let cut = "x = 'after'; y.append(2)\nimport time\nprint('running', flush=True)\ntime.sleep(600)";
    let content =
        json!({"code": cut, "silent": false, "store_history": true, "allow_stdin": false, "stop_on_error": true});
    let request = nbos::client::Message::request(
        Channel::Shell,
        "execute_request",
        cells.connection.session(),
        None,
        content,
    );
    cells.connection.send(&request).await.expect("sent");
    let (mut announced, mut reply) = (false, None);
    within("the cell is cut", LONG, async {
        while reply.is_none() || !announced {
            let message = cells.connection.recv().await.expect("the gateway stays");
            match message.msg_type() {
                "stream" if message.content["text"] == "running\n" => drop(cluster.node(&executor).kill_9()),
                "error" => announced = message.content["ename"] == "ExecutorLost",
                "execute_reply" => reply = Some(message.content),
                _ => {}
            }
        }
    })
    .await;
    let reply = reply.expect("the loop ends with one");
    assert_eq!(
        (&reply["status"], &reply["ename"]),
        (&json!("error"), &json!("ExecutorLost"))
    );
    assert_eq!(cells.value("[x, y]").await, json!(["before", [1]]));
    assert_ne!(kernel.executor().await, executor);
    cluster.whole().await;
    kernel.settled().await;
}

#[tokio::test]
async fn losing_a_standby_or_a_gateway_is_not_noticed() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("log = []").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let standby = cluster.other_than(&[&executor]);
    let mut notebook = kernel.notebook(cluster.client_first_at(standby.name()));
    let cell = Execute::new("import time; time.sleep(1); log.append(1); print('done')");
    let running = tokio::spawn(async move { (notebook.run(&cell).await, notebook) });
    let sockets = cluster.socket_dirs();
    let old = standby.kill_9();
    let (outcome, mut notebook) = running.await.expect("the cell ends");
    assert_eq!(
        (outcome.is_ok(), outcome.stdout().as_str()),
        (true, "done\n"),
        "{:?}",
        outcome.reply
    );
    assert_eq!(notebook.value("log").await, json!([1]));
    standby.restarted(old).await;
    cluster.whole().await;
    let standby = standby.name().to_owned();
    kernel.settled().await;
    kernel.handover(Some(&standby)).await;
    assert_eq!(
        notebook.value("log").await,
        json!([1]),
        "the restarted replica has it too"
    );
    let left = cluster.socket_dirs();
    let kept = left.iter().filter(|dir| sockets.contains(dir)).count();
    assert_eq!((left.len(), kept), (3, 2), "before {sockets:?}, now {left:?}");
}

#[tokio::test]
async fn a_python_process_that_dies_costs_its_cell_and_nothing_else() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut notebook = kernel.notebook(cluster.client());
    notebook.ok("x = ['kept']; import os, signal").await;
    for number in 0..3 {
        let record = kernel.settled().await;
        let executor = record.executor.clone().expect("a cell has run");
        let own = |record: &Record| {
            record
                .replicas
                .iter()
                .find(|replica| replica.host == executor)
                .and_then(|replica| replica.pid)
        };
        let pid = own(&record).expect("its Python process");
        kill_9(pid);
        let replaced = async || own(&kernel.settled().await) != Some(pid);
        holds("another process takes its place", LONG, replaced).await;
        assert_eq!(
            notebook.value("x").await,
            json!(["kept"]),
            "killed between cells, round {number}"
        );
        let outcome = notebook
            .run(&Execute::new("x.append('lost'); os.kill(os.getpid(), signal.SIGKILL)"))
            .await;
        let error = outcome.error().expect("it killed itself");
        assert!(error.evalue.contains("NB04"), "{error:?}");
        println!("round {number}: {error:?}");
        assert_eq!(
            notebook.value("x").await,
            json!(["kept"]),
            "killed in a cell, round {number}"
        );
    }
    kernel.settled().await;
    assert_eq!(cluster.nodes().filter(|node| is_alive(node.pid())).count(), 3);
}
