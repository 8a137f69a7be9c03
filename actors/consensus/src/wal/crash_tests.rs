//! A process that acknowledges writes is killed again and again; nothing it acknowledged may be missing.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;

use super::tests::{all, append, entry, log_id, owner, vote};
use super::{Log, LogOptions};

const DIR: &str = "NBOS_TEST_CRASH_DIR";
const REPLICAS: u64 = 4;

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 64 << 10,
        cache_bytes: 4 << 10,
    }
}

/// The child: four replicas append at once and each prints what has been acknowledged. Runs only when asked to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_process() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let log = Log::open(&PathBuf::from(dir), &options()).unwrap();
    let mut running = Vec::new();
    for replica in 0..REPLICAS {
        let mut store = log.store(&owner(replica));
        running.push(tokio::spawn(async move {
            let last = store.get_log_state().await.unwrap().last_log_id;
            let mut index = last.map_or(0, |last| last.index + 1);
            let term = store.read_vote().await.unwrap().map_or(0, |vote| vote.leader_id.term) + 1;
            store.save_vote(&vote(term)).await.unwrap();
            loop {
                append(&mut store, vec![entry(1, index, 300)]).await.unwrap();
                // One write call a line: a line is whole or not there.
                let line = format!("ack {replica} {index} {term}\n");
                std::io::stdout().write_all(line.as_bytes()).unwrap();
                if index % 16 == 15 {
                    store.purge(log_id(1, index - 8)).await.unwrap();
                    store.save_committed(Some(log_id(1, index))).await.unwrap();
                }
                index += 1;
            }
        }));
    }
    // They end when the process is killed, or when one of them fails.
    let (ended, ..) = futures_util::future::select_all(running).await;
    ended.unwrap();
}

/// Runs the child until it has acknowledged `acks` writes, kills it, and returns all it acknowledged.
fn run_and_kill(dir: &Path, acks: usize) -> Vec<(u64, u64, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "wal::crash_tests::child_process", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
    {
        // What was in the pipe when it was killed had been acknowledged too.
        let Some(at) = line.find("ack ") else { continue };
        let numbers: Vec<u64> = line[at + 4..].split(' ').map_while(|word| word.parse().ok()).collect();
        if let [replica, index, term] = numbers[..] {
            acknowledged.push((replica, index, term));
        }
        if acknowledged.len() >= acks && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself");
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..12 {
        let acknowledged = run_and_kill(dir.path(), 50 + round * 37);
        let log = Log::open(dir.path(), &options()).unwrap();
        for replica in 0..REPLICAS {
            let mut store = log.store(&owner(replica));
            let of_this = acknowledged.iter().filter(|(of, ..)| *of == replica);
            let Some((_, index, term)) = of_this.max_by_key(|(_, index, _)| *index) else {
                continue;
            };
            let last = store.get_log_state().await.unwrap().last_log_id.unwrap();
            assert!(
                last.index >= *index,
                "round {round}: replica {replica} lost {index}, has {last}"
            );
            assert_eq!(store.read_vote().await.unwrap(), Some(vote(*term)), "round {round}");
            let found = all(&mut store).await;
            assert!(found.iter().all(|found| *found == entry(1, found.log_id.index, 300)));
        }
    }
}
