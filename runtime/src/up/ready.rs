//! Waits until a kernel can start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::Error;
use super::log_file::tail;
use crate::client::{Client, Host};

/// Nodes start in about a second; a loaded two-core machine that also recovers a large log gets plenty.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
const POLL_WITHIN: Duration = Duration::from_secs(3);
/// Enough of a log for the lines around the first error.
const TAIL_BYTES: u64 = 3_000;

/// Polls `GET /api/cluster/hosts` until `replicas` hosts are up. `logs` are the nodes' log files, by name.
pub(super) async fn wait(client: &Client, replicas: usize, logs: &BTreeMap<&str, PathBuf>) -> Result<(), Error> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (up, problem) = match client.hosts(POLL_WITHIN).await {
            Ok(hosts) => (
                hosts.into_iter().filter(Host::is_up).map(|host| host.name).collect(),
                None,
            ),
            Err(error) => (BTreeSet::new(), Some(error.to_string())),
        };
        if up.len() >= replicas {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let seen = problem.unwrap_or_else(|| format!("{} of {replicas} hosts are up", up.len()));
            return Err(Error::NotReady {
                within: DEADLINE,
                seen,
                log: telling_log(logs, &up),
            });
        }
        sleep(POLL).await;
    }
}

/// The end of the log of the first node that is not up.
fn telling_log(logs: &BTreeMap<&str, PathBuf>, up: &BTreeSet<String>) -> String {
    let Some((name, path)) = logs.iter().find(|(name, _)| !up.contains(**name)) else {
        return String::new();
    };
    format!(
        "\nlast lines of node {name} ({}):\n{}",
        path.display(),
        tail(path, TAIL_BYTES)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_node_that_is_down_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["h1", "h2"].map(|name| (name, dir.path().join(name)));
        for (name, path) in &paths {
            std::fs::write(path, format!("{name} says so\n")).unwrap();
        }
        let logs = BTreeMap::from(paths);
        assert!(telling_log(&logs, &BTreeSet::from(["h1".to_owned()])).ends_with("h2 says so"));
        assert!(telling_log(&logs, &BTreeSet::new()).ends_with("h1 says so"));
        assert_eq!(
            telling_log(&logs, &BTreeSet::from(["h1".to_owned(), "h2".to_owned()])),
            ""
        );
    }
}
