use tokio::sync::mpsc;

use super::*;

fn shell(dir: &std::path::Path, script: &str) -> NodeProcess {
    NodeProcess {
        name: "h1".into(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        log: dir.join("node.log"),
    }
}

/// Runs a script as a node; gives its process ids as they come.
fn run(node: NodeProcess, stop: Stop) -> (mpsc::UnboundedReceiver<u32>, tokio::task::JoinHandle<()>) {
    let (sender, pids) = mpsc::unbounded_channel();
    let task = tokio::spawn(keep_running(
        node,
        move |_, pid| sender.send(pid).unwrap_or_default(),
        stop,
    ));
    (pids, task)
}

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_killed_node_is_back_at_once_with_a_new_pid() {
    // `cat` ends when its standard input does, as a node would.
    let dir = tempfile::tempdir().unwrap();
    let (handle, stop) = Stop::manual();
    let (mut pids, task) = run(shell(dir.path(), "exec cat"), stop);
    let first = pids.recv().await.unwrap();
    let killed = Instant::now();
    kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).unwrap();
    let second = timeout(SOON, pids.recv()).await.unwrap().unwrap();
    assert_ne!(first, second);
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
    handle.fire();
    timeout(SOON, task).await.unwrap().unwrap();
    assert!(
        kill(Pid::from_raw(second.cast_signed()), None).is_err(),
        "still running"
    );
}

#[tokio::test]
async fn the_whole_group_ends_with_its_node() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("left");
    let script = format!(
        "sleep 1000 & echo $! > {0}.tmp; mv {0}.tmp {0}; exec sleep 1000",
        marker.display()
    );
    let (handle, stop) = Stop::manual();
    let (mut pids, task) = run(shell(dir.path(), &script), stop);
    pids.recv().await.unwrap();
    let left = timeout(SOON, async {
        loop {
            match std::fs::read_to_string(&marker) {
                Ok(pid) => break pid.trim().parse::<i32>().unwrap(),
                Err(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    });
    let left = Pid::from_raw(left.await.unwrap());
    handle.fire();
    timeout(SOON, task).await.unwrap().unwrap();
    let gone = timeout(SOON, async {
        // Killed, it stays a zombie until init reaps it.
        while std::fs::read_to_string(format!("/proc/{left}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            sleep(Duration::from_millis(5)).await;
        }
    });
    gone.await
        .expect("a process that the node had started is still running");
}

#[tokio::test]
async fn output_goes_to_the_log_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, stop) = Stop::manual();
    let (mut pids, task) = run(shell(dir.path(), "echo out; echo err >&2; exit 3"), stop);
    for _ in 0..3 {
        timeout(SOON, pids.recv()).await.unwrap().unwrap();
    }
    handle.fire();
    timeout(SOON, task).await.unwrap().unwrap();
    let log = dir.path().join("node.log");
    let complete = timeout(SOON, async {
        loop {
            let text = std::fs::read_to_string(&log).unwrap();
            if text.matches("out").count() >= 2 && text.matches("err").count() >= 2 {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
    });
    complete.await.expect("output is missing in the log");
}

#[tokio::test]
async fn stop_ends_the_wait_for_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = shell(dir.path(), "");
    node.program = "/nonexistent".into();
    let (handle, stop) = Stop::manual();
    let (_, task) = run(node, stop);
    handle.fire();
    timeout(SOON, task).await.unwrap().unwrap();
}
