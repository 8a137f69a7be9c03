//! The guard: one small process a node that ends the node's Python processes when the node cannot.
//!
//! A node that is killed or stopped leaves its Python processes running user code while another replica takes over. The
//! guard prevents that (invariant 3): it reads a pipe from the node. End of file means that the node is gone: every
//! process is killed, and the directory of their sockets removed. Silence for longer than [`SILENCE`] means that the node is stopped: every process that runs a
//! cell is killed.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Equal to the silence after which a replica gives up its own cell, for the same reason.
const SILENCE: Duration = Duration::from_millis(1_200);

/// The node says that it is alive this often: five may be lost.
const BEAT: Duration = Duration::from_millis(200);

/// Attempts to remove the sockets, half a second in all: a killed process is gone long before.
const REMOVALS: u32 = 10;
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// Orders to the guard in flight; each is a few bytes and the guard reads at once.
const MAX_ORDERS: usize = 1_024;

/// Tells the guard about a node's Python processes. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    orders: mpsc::Sender<String>,
    lost: CancellationToken,
}

impl Guard {
    /// Starts the guard process: `program guard SOCKETS`. That directory is this life's of the node alone: it goes with the node.
    pub fn start(program: &Path, sockets: &Path) -> std::io::Result<Self> {
        let mut child = tokio::process::Command::new(program)
            .arg("guard")
            .arg(sockets)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // A guard must outlive a signal to the node's group.
            .process_group(0)
            .spawn()?;
        let mut pipe = child
            .stdin
            .take()
            .ok_or_else(|| std::io::Error::other("the guard has no input"))?;
        let (orders, mut inbox) = mpsc::channel::<String>(MAX_ORDERS);
        let lost = CancellationToken::new();
        let told = lost.clone();
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(BEAT);
            beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let line = tokio::select! {
                    order = inbox.recv() => match order {
                        Some(order) => order,
                        None => break,
                    },
                    _ = beat.tick() => "beat\n".to_owned(),
                    _ = child.wait() => break,
                };
                if pipe.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
            }
            told.cancel();
        });
        Ok(Self { orders, lost })
    }

    /// Kill this process group when the node is gone.
    pub async fn watch(&self, pid: u32) {
        self.order(format!("watch {pid}\n")).await;
    }

    /// It ended.
    pub async fn forget(&self, pid: u32) {
        self.order(format!("forget {pid}\n")).await;
    }

    /// It runs a cell: kill it when the node falls silent.
    pub async fn arm(&self, pid: u32) {
        self.order(format!("arm {pid}\n")).await;
    }

    pub async fn disarm(&self, pid: u32) {
        self.order(format!("disarm {pid}\n")).await;
    }

    /// Resolves when the guard process ended: without it the node must not run cells.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    async fn order(&self, order: String) {
        // A closed channel means that the guard is gone, which `lost` tells.
        let _ = self.orders.send(order).await;
    }
}

/// The guard process itself: reads orders from `input` until its end. Blocking; returns when there is nothing left to guard.
pub fn run_guard<R: Read + AsFd>(mut input: R, sockets: &Path) -> std::io::Result<()> {
    let mut watched = Watched::default();
    let mut buffer = [0_u8; 4_096];
    let mut text = String::new();
    let mut last_word = Instant::now();
    loop {
        let wait = PollTimeout::try_from(SILENCE.saturating_sub(last_word.elapsed())).unwrap_or(PollTimeout::ZERO);
        let wait = if watched.armed.is_empty() {
            PollTimeout::NONE
        } else {
            wait
        };
        let ready = poll(&mut [PollFd::new(input.as_fd(), PollFlags::POLLIN)], wait)?;
        if ready == 0 {
            watched.kill_armed();
            last_word = Instant::now();
            continue;
        }
        let read = input.read(&mut buffer)?;
        if read == 0 {
            watched.kill_all();
            remove(sockets);
            return Ok(());
        }
        last_word = Instant::now();
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        while let Some(end) = text.find('\n') {
            let line: String = text.drain(..=end).collect();
            watched.obey(line.trim());
        }
    }
}

#[derive(Default)]
struct Watched {
    all: BTreeSet<i32>,
    armed: BTreeSet<i32>,
}

impl Watched {
    fn obey(&mut self, line: &str) {
        let mut words = line.split(' ');
        let order = words.next().unwrap_or_default();
        let Some(pid) = words
            .next()
            .and_then(|word| word.parse::<i32>().ok())
            .filter(|pid| *pid > 1)
        else {
            return;
        };
        match order {
            "watch" => {
                self.all.insert(pid);
            }
            "forget" => {
                self.all.remove(&pid);
                self.armed.remove(&pid);
            }
            "arm" if self.all.contains(&pid) => {
                self.armed.insert(pid);
            }
            "disarm" => {
                self.armed.remove(&pid);
            }
            _ => {}
        }
    }

    fn kill_armed(&mut self) {
        for pid in std::mem::take(&mut self.armed) {
            kill_group(pid);
        }
    }

    fn kill_all(&mut self) {
        for pid in std::mem::take(&mut self.all) {
            kill_group(pid);
        }
    }
}

/// Tried again while a process that was just killed still writes there. What stays is removed at the node's next start.
fn remove(sockets: &Path) {
    for _ in 0..REMOVALS {
        match std::fs::remove_dir_all(sockets) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => std::thread::sleep(REMOVAL_PAUSE),
            Ok(()) | Err(_) => return,
        }
    }
}

/// Each Python process leads a group of its own; its subprocesses are in it.
pub(super) fn kill_group(pid: i32) {
    // It may have ended a moment ago.
    let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
}
