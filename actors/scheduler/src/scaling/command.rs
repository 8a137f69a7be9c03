//! A provider's commands: split into words, filled in, run with a deadline, their output logged.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use nbos_mesh::NodeName;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Output that is still on its way when the command ends. What it left running may hold the pipes for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the command is empty or a quote in it is not closed")]
    Words,
    #[error("the command cannot be run: {0}")]
    Start(#[from] io::Error),
    #[error("the command did not end within {} s", .0.as_secs())]
    Late(Duration),
    #[error("the command failed: {0}")]
    Failed(std::process::ExitStatus),
}

/// The words of a command, with `{name}` and `{mesh}` filled in after they were split: no value can add a word.
fn words(template: &str, host: &NodeName, mesh: SocketAddr) -> Result<Vec<String>, Error> {
    let words = shlex::split(template)
        .filter(|words| !words.is_empty())
        .ok_or(Error::Words)?;
    let mesh = mesh.to_string();
    let filled = words
        .iter()
        .map(|word| word.replace("{name}", host.as_str()).replace("{mesh}", &mesh));
    Ok(filled.collect())
}

/// Whether a template can be run at all.
pub fn is_command(template: &str) -> bool {
    shlex::split(template).is_some_and(|words| !words.is_empty())
}

/// Runs a command to its end. Gives the address that the last line of its standard output is, if it is one.
pub(super) async fn run(
    template: &str,
    host: &NodeName,
    mesh: SocketAddr,
    within: Duration,
) -> Result<Option<SocketAddr>, Error> {
    let words = words(template, host, mesh)?;
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What it leaves running must outlive this node.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let (out, last) = log(host, child.stdout.take());
    let (err, _) = log(host, child.stderr.take());
    let status = timeout(within, child.wait()).await.map_err(|_| Error::Late(within))??;
    let _ = timeout(LAST_WORDS, async { tokio::join!(out, err) }).await;
    if !status.success() {
        return Err(Error::Failed(status));
    }
    let address = last.borrow().trim().parse().ok();
    Ok(address)
}

/// Copies lines to the log until nobody writes any more; shows the last one.
fn log(
    host: &NodeName,
    from: Option<impl AsyncRead + Unpin + Send + 'static>,
) -> (JoinHandle<()>, watch::Receiver<String>) {
    let (said, last) = watch::channel(String::new());
    let host = host.clone();
    let copies = tokio::spawn(async move {
        let Some(from) = from else { return };
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            tracing::info!(%host, line, "provider says");
            said.send_replace(line);
        }
    });
    (copies, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> (NodeName, SocketAddr) {
        (NodeName::from("auto-1; rm -rf /"), "127.0.0.1:7700".parse().unwrap())
    }

    #[test]
    fn values_never_become_words() {
        let (name, mesh) = host();
        let split = words("start '{name} x' {mesh} --at={mesh}", &name, mesh).unwrap();
        assert_eq!(
            split,
            ["start", "auto-1; rm -rf / x", "127.0.0.1:7700", "--at=127.0.0.1:7700"]
        );
        assert!(words("", &name, mesh).is_err());
        assert!(words("start 'half", &name, mesh).is_err());
    }

    #[tokio::test]
    async fn ends_well_badly_or_late() {
        let (name, mesh) = host();
        let within = Duration::from_secs(20);
        let address = run("printf 'starting\\n10.0.0.7:7601\\n'", &name, mesh, within)
            .await
            .unwrap();
        assert_eq!(address, "10.0.0.7:7601".parse().ok());
        assert_eq!(run("echo {mesh} is up", &name, mesh, within).await.unwrap(), None);
        assert!(matches!(run("false", &name, mesh, within).await, Err(Error::Failed(_))));
        assert!(matches!(
            run("/nonexistent/start", &name, mesh, within).await,
            Err(Error::Start(_))
        ));
        let soon = Duration::from_millis(50);
        assert!(matches!(run("sleep 60", &name, mesh, soon).await, Err(Error::Late(_))));
    }

    #[tokio::test]
    async fn what_it_leaves_running_does_not_hold_it_up() {
        let (name, mesh) = host();
        let began = std::time::Instant::now();
        let template = "sh -c 'sleep 5 & echo 10.0.0.7:7601'";
        let address = run(template, &name, mesh, Duration::from_secs(20)).await.unwrap();
        assert_eq!(address, "10.0.0.7:7601".parse().ok());
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}
