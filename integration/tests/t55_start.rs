//! Kernels start from processes that were made ahead: nobody can tell, nobody shares one, and none outlives its node.

use std::collections::BTreeSet;

use nbos::client::{Framing, Kernel as Record, Message, StartOptions, TreeNode};
use nbos_integration::{Cells, Cluster, LONG, SHORT, Shape, eventually, holds, is_alive, kill_9, within};
use serde_json::json;

/// What runs in the warm pool of every host: the zygotes, or the kernels that wait.
async fn of_pools(cluster: &Cluster, kind: &str) -> Vec<TreeNode> {
    let tree = eventually("the tree is told", SHORT, async || cluster.client().tree().await.ok()).await;
    let mut found = Vec::new();
    let mut left = vec![tree];
    while let Some(mut node) = left.pop() {
        left.append(&mut node.children);
        if node.kind == kind && node.status == "running" {
            found.push(node);
        }
    }
    found
}

/// Process ids of the kernels that wait, once every host has its one.
async fn warm(cluster: &Cluster) -> BTreeSet<u32> {
    let hosts = cluster.nodes().count();
    eventually("every host has a kernel ready", LONG, async || {
        let waiting = of_pools(cluster, "warm-kernel").await;
        let pids: BTreeSet<u32> = waiting
            .iter()
            .filter_map(|node| node.path.rsplit('/').next()?.parse().ok())
            .collect();
        (pids.len() == hosts).then_some(pids)
    })
    .await
}

fn pids(record: &Record) -> BTreeSet<u32> {
    record.replicas.iter().filter_map(|replica| replica.pid).collect()
}

/// Sends a cell that runs until it is interrupted; returns when it runs.
async fn endless(cells: &mut Cells) -> Message {
    let code = "print('begun')\nwhile True: pass";
    let content =
        json!({"code": code, "silent": false, "store_history": true, "allow_stdin": false, "stop_on_error": true});
    let session = cells.connection.session();
    let request = Message::request(nbos::client::Channel::Shell, "execute_request", session, None, content);
    cells.connection.send(&request).await.expect("sent");
    until(cells, |message| message.msg_type() == "stream").await;
    request
}

async fn until(cells: &mut Cells, found: impl Fn(&Message) -> bool) -> Message {
    within("a message", LONG, async {
        loop {
            let message = cells.connection.recv().await.expect("the gateway stays");
            if found(&message) {
                return message;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_kernel_from_the_pool_is_like_any_other() {
    let cluster = Cluster::start().await;
    let ready = warm(&cluster).await;
    let place = cluster.path("notebooks");
    std::fs::create_dir(&place).expect("a directory");
    let options = StartOptions {
        path: Some(place.display().to_string()),
        env: [("KERNEL_USERNAME".to_owned(), "ada".to_owned())].into(),
        ..StartOptions::default()
    };
    let kernel = cluster.kernel_with(&options).await;
    let mut cells = kernel.open(Framing::V1).await;
    let seen = cells
        .value("(lambda os, sys: [os.environ['KERNEL_USERNAME'], os.getcwd(), sys.path[0], str(_dh[0]), os.getpid()])(__import__('os'), __import__('sys'))")
        .await;
    let here = place.display().to_string();
    assert_eq!(
        seen.as_array().map(|seen| &seen[..4]),
        Some(&json!(["ada", here, here, here]).as_array().expect("a list")[..])
    );
    let record = kernel.settled().await;
    assert_eq!(
        pids(&record),
        ready,
        "each replica's process waited in the pool of its host"
    );
    assert!(ready.iter().any(|pid| json!(pid) == seen[4]));

    // What every replica was given is its start, so that what the notebook does to it travels.
    cells
        .ok("import os; os.mkdir('below'); os.chdir('below'); os.environ['KERNEL_USERNAME'] = 'grace'")
        .await;
    kernel.handover(None).await;
    let moved = cells
        .value("[os.getcwd(), os.environ['KERNEL_USERNAME'], os.getpid()]")
        .await;
    assert_eq!(
        (&moved[0], &moved[1]),
        (&json!(format!("{here}/below")), &json!("grace"))
    );
    assert_ne!(moved[2], seen[4]);

    endless(&mut cells).await;
    kernel.interrupt().await;
    let reply = until(&mut cells, |message| message.msg_type() == "execute_reply").await;
    assert_eq!(reply.content["ename"], "KeyboardInterrupt");

    let next = warm(&cluster).await;
    assert!(next.is_disjoint(&ready), "nothing goes back");
    within("it restarts", LONG, cluster.client().restart(&kernel.id))
        .await
        .expect("restarted");
    let mut cells = kernel.open(Framing::V1).await;
    assert_eq!(cells.value("__import__('os').getcwd()").await, json!(here));
    assert_eq!(pids(&kernel.settled().await), next, "a restart takes the next ones");
    assert!(ready.iter().all(|pid| !is_alive(*pid)), "and ends those before");
}

#[tokio::test]
async fn kernels_never_share_a_process() {
    let shape = Shape {
        extra: "[kernel]\npool = { policy = \"minimum\", size = 2 }\n".to_owned(),
        ..Shape::default()
    };
    let cluster = Cluster::shaped(shape).await;
    let mut used = BTreeSet::new();
    let mut alive = Vec::new();
    for number in 0..6 {
        let kernel = cluster.kernel().await;
        let mut cells = kernel.open(Framing::V1).await;
        assert_eq!(
            cells.fails("before").await.ename,
            "NameError",
            "kernel {number} is fresh"
        );
        cells.ok(&format!("before = {number}")).await;
        for pid in pids(&kernel.settled().await) {
            assert!(used.insert(pid), "process {pid} has served another kernel");
        }
        if number % 2 == 0 {
            kernel.delete().await;
        } else {
            alive.push((number, cells));
        }
    }
    for (number, cells) in &mut alive {
        assert_eq!(cells.value("before").await, json!(*number));
    }
}

#[tokio::test]
async fn what_waits_ends_with_its_node() {
    let mut cluster = Cluster::start().await;
    let ready = warm(&cluster).await;
    let node = cluster.node("h1");
    let old = node.kill_9();
    let ended = async || ready.iter().filter(|pid| !is_alive(**pid)).count() == 1;
    holds("the killed node's kernel ends", SHORT, ended).await;
    node.restarted(old).await;
    cluster.whole().await;
    let again = warm(&cluster).await;
    assert_eq!(again.intersection(&ready).count(), 2, "the others' wait on");
    cluster.kill_9_everything().await;
    cluster.all_gone().await;
}

#[tokio::test]
async fn a_zygote_that_dies_is_not_missed() {
    let shape = Shape {
        extra: "[kernel]\npool = { policy = \"minimum\", size = 0 }\n".to_owned(),
        ..Shape::default()
    };
    let cluster = Cluster::shaped(shape).await;
    let zygotes = async || {
        let processes = cluster.processes().into_iter();
        let found: BTreeSet<u32> = processes
            .filter(|process| process.command.contains("nbos_kernel.zygote"))
            .map(|process| process.pid)
            .collect();
        found
    };
    holds("every host has a zygote", LONG, async || {
        of_pools(&cluster, "zygote").await.len() == 3
    })
    .await;
    let first = zygotes().await;
    assert_eq!(first.len(), 3, "and nothing else was forked");
    let forked = cluster.kernel().await;
    let mut cells = forked.open(Framing::V1).await;
    cells.ok("kept = 1").await;
    let processes = pids(&forked.settled().await);
    assert!(processes.is_subset(&zygotes().await), "its processes are forks");
    first.iter().for_each(|pid| kill_9(*pid));
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("1").await;
    assert_eq!(cells.value("kept").await, json!(1), "forked kernels go on");
    assert_eq!(pids(&forked.settled().await), processes);

    // The end of a process whose parent is gone is noticed all the same.
    let executor = cells.value("__import__('os').getpid()").await;
    kill_9(u32::try_from(executor.as_u64().expect("a number")).expect("a process id"));
    let replaced = async || !pids(&forked.settled().await).contains(&(executor.as_u64().unwrap_or_default() as u32));
    holds("another process takes its place", LONG, replaced).await;
    assert_eq!(cells.value("kept").await, json!(1));

    holds("there are zygotes again", LONG, async || {
        of_pools(&cluster, "zygote").await.len() == 3
    })
    .await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("1").await;
    assert!(
        pids(&kernel.settled().await).is_subset(&zygotes().await),
        "and they fork"
    );
}
