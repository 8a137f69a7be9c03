//! One node's process: spawned, its output logged, restarted when it dies, ended on request.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::back_off::BackOff;
use super::log_file::LogFile;
use crate::stop::Stop;

/// How long nodes may take to end after SIGTERM before they are killed; docker and systemd give the same or more.
const GRACE: Duration = Duration::from_secs(10);

/// What one node is started with.
#[derive(Clone, Debug)]
pub(super) struct NodeProcess {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<std::ffi::OsString>,
    pub(super) log: PathBuf,
}

/// Keeps a node running until `stop` fires; `started` hears of each new process id.
pub(super) async fn keep_running(node: NodeProcess, started: impl Fn(&str, u32), stop: Stop) {
    let log = match LogFile::open(&node.log) {
        Ok(log) => Arc::new(Mutex::new(log)),
        Err(error) => {
            error!(node = node.name, path = %node.log.display(), %error, "cannot open the node's log");
            return;
        }
    };
    let mut back_off = BackOff::default();
    while !stop.has_fired() {
        let since = Instant::now();
        match spawn(&node, &log) {
            Ok((child, pid)) => {
                info!(node = node.name, pid = pid.as_raw(), "node started");
                started(&node.name, pid.as_raw().unsigned_abs());
                let Some(status) = until_death(child, pid, &stop).await else {
                    return;
                };
                warn!(node = node.name, pid = pid.as_raw(), %status, "node died, restarting it");
            }
            Err(error) => error!(node = node.name, %error, "cannot start the node"),
        }
        let pause = back_off.after(since.elapsed());
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.wait() => {}
        }
    }
}

fn spawn(node: &NodeProcess, log: &Arc<Mutex<LogFile>>) -> io::Result<(Child, Pid)> {
    let mut child = Command::new(&node.program)
        // What process listings show; the path may be a link of the kernel's.
        .arg0("nbos")
        .args(&node.arguments)
        // Never written to: its end tells the node that this process is gone, `kill -9` included.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C reaches this process alone, which then ends the nodes in order; and what user code
        // left running can be ended with its node.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id().ok_or_else(|| io::Error::other("ended while it started"))?;
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(copy(stdout, log.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(copy(stderr, log.clone()));
    }
    Ok((child, Pid::from_raw(pid.cast_signed())))
}

/// How it died; `None` when it was asked to.
async fn until_death(mut child: Child, pid: Pid, stop: &Stop) -> Option<ExitStatus> {
    // `wait` would close it, and with it tell the node that we are gone.
    let _stdin = child.stdin.take();
    let died = tokio::select! {
        status = child.wait() => Some(status.unwrap_or_default()),
        () = stop.wait() => None,
    };
    if died.is_none() {
        let _ = kill(pid, Signal::SIGTERM);
        if timeout(GRACE, child.wait()).await.is_err() {
            warn!(pid = pid.as_raw(), "node ignored SIGTERM, killing it");
            let _ = child.kill().await;
        }
    }
    // Whatever is left of its group: Python children of a node that was killed, processes that user code started.
    let _ = killpg(pid, Signal::SIGKILL);
    died
}

/// Ends when the last holder of the pipe's other end is gone, which may be a child of a node that is already dead.
async fn copy(mut from: impl AsyncRead + Unpin, log: Arc<Mutex<LogFile>>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        // A full disk must not stop the node by filling its pipe: what cannot be written is dropped.
        let _ = log.lock().append(&buffer[..read]);
    }
}

#[cfg(test)]
#[path = "child_tests.rs"]
mod tests;
