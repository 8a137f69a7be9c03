//! The zygote: a Python process that has imported what kernels need and forks one in milliseconds.
//!
//! A keeper task owns it: it starts it again when it ended, asks it in turns, and tells through a watch whether asking is of
//! any use. Kernels outlive a zygote that crashed; those that start meanwhile start the ordinary way.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nbos_supervision::{Status, Tree};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::PythonOptions;
use super::guard::{Guard, kill_group};
use super::launch::python_path;
use super::sys::watched;

/// Its imports take a third of a second; a loaded two-core machine needs some seconds.
const START_WITHIN: Duration = Duration::from_secs(30);

/// A fork takes two milliseconds, of a zygote that waits for a processor a few tens.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A kernel that starts while the zygote does waits for it: by itself it would import the same, beside it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Pause before it is started again, doubled after each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One that lived so long did not fail at its start.
const LIVED: Duration = Duration::from_secs(10);

/// Asks waiting for their turn; each is a kernel that starts or ended.
const MAX_ASKS: usize = 256;

/// Asks the zygote. Cheap to clone; the last clone ends it.
#[derive(Clone)]
pub(crate) struct Zygote {
    asks: mpsc::Sender<Ask>,
    condition: watch::Receiver<Condition>,
    _ends: Arc<DropGuard>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Starting,
    /// Which of those that there were.
    Ready(u64),
    Down,
}

enum Ask {
    Fork {
        line: String,
        reply: oneshot::Sender<Result<(u32, OwnedFd), String>>,
    },
    Reap {
        line: String,
        reply: oneshot::Sender<Option<i32>>,
    },
}

/// What the zygote is asked; the contract is in `nbos_kernel/zygote.py`.
#[derive(Serialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Order<'a> {
    Fork {
        argv: &'a [&'a Path],
        env: &'a BTreeMap<String, String>,
        cwd: Option<&'a Path>,
        log: &'a Path,
    },
    Reap {
        pid: u32,
    },
}

#[derive(Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Answer {
    Ready {},
    Forked { pid: u32 },
    Failed { why: String },
    Reaped { status: Option<i32> },
}

impl Zygote {
    /// Starts it in the background, and again whenever it ends. `env` is that of all kernels; `path` its place in the tree.
    pub(crate) fn start(
        python: PythonOptions,
        env: BTreeMap<String, String>,
        guard: Guard,
        tree: Tree,
        path: String,
    ) -> Self {
        let (asks, inbox) = mpsc::channel(MAX_ASKS);
        let (told, condition) = watch::channel(Condition::Starting);
        let ended = CancellationToken::new();
        let keeper = Keeper {
            python,
            env,
            guard,
            tree,
            path,
            inbox,
            told,
            ended: ended.clone(),
            generation: 0,
        };
        tokio::spawn(keeper.keep());
        Self {
            asks,
            condition,
            _ends: Arc::new(ended.drop_guard()),
        }
    }

    /// A process like one that was started with these arguments, variables (beyond those of all kernels) and directory.
    ///
    /// # Errors
    /// Why it cannot be had from here; it may be started the ordinary way.
    pub(super) async fn fork(
        &self,
        argv: &[&Path],
        env: &BTreeMap<String, String>,
        cwd: Option<&Path>,
        log: &Path,
    ) -> Result<Forked, String> {
        let generation = self.ready().await.ok_or("the zygote is not there")?;
        let order = Order::Fork { argv, env, cwd, log };
        let line = serde_json::to_string(&order).map_err(|error| error.to_string())?;
        let (reply, answer) = oneshot::channel();
        self.asks
            .try_send(Ask::Fork { line, reply })
            .map_err(|_| "the zygote has too much to do")?;
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(Ok((pid, process)))) => Forked::new(pid, process, self.clone(), generation),
            Ok(Ok(Err(why))) => Err(why),
            Ok(Err(_)) => Err("the zygote ended".to_owned()),
            Err(_) => Err("the zygote did not answer in time".to_owned()),
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        *self.condition.borrow() == Condition::Starting
    }

    async fn ready(&self) -> Option<u64> {
        let mut condition = self.condition.clone();
        let decided = condition.wait_for(|condition| !matches!(condition, Condition::Starting));
        match tokio::time::timeout(PATIENCE, decided).await.ok()?.ok().as_deref()? {
            Condition::Ready(generation) => Some(*generation),
            Condition::Starting | Condition::Down => None,
        }
    }

    /// How a process ended; not known when its zygote is gone.
    async fn reap(&self, pid: u32, generation: u64) -> Option<ExitStatus> {
        if *self.condition.borrow() != Condition::Ready(generation) {
            return None;
        }
        let line = serde_json::to_string(&Order::Reap { pid }).ok()?;
        let (reply, answer) = oneshot::channel();
        self.asks.try_send(Ask::Reap { line, reply }).ok()?;
        let status = tokio::time::timeout(ANSWER_WITHIN, answer).await.ok()?.ok()??;
        Some(ExitStatus::from_raw(status))
    }
}

/// A process that the zygote made. Dropping it kills its group.
pub(super) struct Forked {
    pid: u32,
    /// Readable when it has ended, whoever its parent is by then.
    process: AsyncFd<OwnedFd>,
    zygote: Zygote,
    generation: u64,
    status: Option<String>,
}

impl Forked {
    fn new(pid: u32, process: OwnedFd, zygote: Zygote, generation: u64) -> Result<Self, String> {
        match watched(process) {
            Ok(process) => Ok(Self {
                pid,
                process,
                zygote,
                generation,
                status: None,
            }),
            Err(error) => {
                kill_group(pid.cast_signed());
                Err(format!("its end cannot be watched: {error}"))
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.pid
    }

    pub(super) fn has_ended(&self) -> bool {
        let process = PollFd::new(self.process.get_ref().as_fd(), PollFlags::POLLIN);
        !matches!(poll(&mut [process], PollTimeout::ZERO), Ok(0))
    }

    /// Returns when it has ended, and how. May be called again.
    pub(super) async fn wait(&mut self) -> String {
        if let Some(status) = &self.status {
            return status.clone();
        }
        if let Err(error) = self.process.readable().await {
            tracing::warn!(pid = self.pid, %error, "end of a python process cannot be watched");
        }
        let status = self.zygote.reap(self.pid, self.generation).await;
        let status = status.map_or_else(
            || "its exit status is not known".to_owned(),
            |status| status.to_string(),
        );
        self.status.insert(status).clone()
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if self.status.is_none() {
            kill_group(self.pid.cast_signed());
        }
    }
}

struct Keeper {
    python: PythonOptions,
    env: BTreeMap<String, String>,
    guard: Guard,
    tree: Tree,
    path: String,
    inbox: mpsc::Receiver<Ask>,
    told: watch::Sender<Condition>,
    ended: CancellationToken,
    generation: u64,
}

/// A zygote that has said that it is ready.
struct Running {
    process: tokio::process::Child,
    pid: u32,
    orders: OwnedWriteHalf,
    answers: BufReader<OwnedReadHalf>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut failures = 0_u32;
        while !self.ended.is_cancelled() {
            self.told.send_replace(Condition::Starting);
            self.note(Status::Starting, None);
            let began = Instant::now();
            let ended = self.ended.clone();
            let why = tokio::select! {
                why = self.live() => why,
                () = ended.cancelled() => break,
            };
            tracing::warn!(why, "zygote ended");
            self.told.send_replace(Condition::Down);
            self.note(Status::Restarting, Some(&why));
            failures = if began.elapsed() > LIVED { 0 } else { failures + 1 };
            // Whoever asked starts the ordinary way.
            while self.inbox.try_recv().is_ok() {}
            let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.ended.cancelled() => break,
            }
        }
        self.tree.forget(&self.path);
    }

    /// One life of the zygote; says why it ended.
    async fn live(&mut self) -> String {
        let mut running = match tokio::time::timeout(START_WITHIN, self.launch()).await {
            Ok(Ok(running)) => running,
            Ok(Err(why)) => return why,
            Err(_) => return format!("it did not come up within {} s", START_WITHIN.as_secs()),
        };
        self.guard.watch(running.pid).await;
        self.generation += 1;
        self.note(Status::Running, None);
        self.told.send_replace(Condition::Ready(self.generation));
        let why = loop {
            tokio::select! {
                ask = self.inbox.recv() => {
                    let Some(ask) = ask else { break "the node is stopping".to_owned() };
                    if let Err(why) = running.answer(ask).await {
                        break why;
                    }
                }
                status = running.process.wait() => {
                    break status.map_or_else(|error| error.to_string(), |status| status.to_string());
                }
            }
        };
        self.guard.forget(running.pid).await;
        why
    }

    async fn launch(&self) -> Result<Running, String> {
        let broken = |error: std::io::Error| format!("it cannot be started: {error}");
        let place = Place::new(&self.python.socket_dir);
        let listener = UnixListener::bind(&place.0).map_err(broken)?;
        let mut process = tokio::process::Command::new(&self.python.interpreter)
            .args(["-m", "nbos_kernel.zygote"])
            .arg(&place.0)
            .env("PYTHONHASHSEED", self.python.hash_seed.to_string())
            .envs(&self.env)
            .env(
                "PYTHONPATH",
                python_path(&self.python.shim_path, self.env.get("PYTHONPATH")),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(broken)?;
        let pid = process.id().ok_or("it ended at once")?;
        let (stream, _) = tokio::select! {
            stream = listener.accept() => stream.map_err(broken)?,
            status = process.wait() => {
                return Err(format!("it ended while starting ({})", status.map_err(broken)?));
            }
        };
        let (answers, orders) = stream.into_split();
        let mut running = Running {
            process,
            pid,
            orders,
            answers: BufReader::new(answers),
        };
        match running.read().await? {
            Answer::Ready {} => Ok(running),
            Answer::Forked { .. } | Answer::Failed { .. } | Answer::Reaped { .. } => {
                Err("it did not say first that it is ready".to_owned())
            }
        }
    }

    fn note(&self, status: Status, error: Option<&str>) {
        self.tree.note(&self.path, "zygote", status, error);
    }
}

impl Running {
    /// # Errors
    /// It cannot be asked any more.
    async fn answer(&mut self, ask: Ask) -> Result<(), String> {
        match ask {
            // Whoever asked has given up: nobody would own the process.
            Ask::Fork { reply, .. } if reply.is_closed() => {}
            Ask::Fork { line, reply } => {
                let answer = match self.ask(&line).await? {
                    Answer::Forked { pid } => held(pid),
                    Answer::Failed { why } => Err(why),
                    Answer::Ready {} | Answer::Reaped { .. } => return Err(out_of_turn()),
                };
                if let Err(Ok((pid, _))) = reply.send(answer) {
                    kill_group(pid.cast_signed());
                }
            }
            Ask::Reap { line, reply } => match self.ask(&line).await? {
                Answer::Reaped { status } => drop(reply.send(status)),
                Answer::Ready {} | Answer::Forked { .. } | Answer::Failed { .. } => return Err(out_of_turn()),
            },
        }
        Ok(())
    }

    async fn ask(&mut self, line: &str) -> Result<Answer, String> {
        let asked = async {
            let line = format!("{line}\n");
            self.orders
                .write_all(line.as_bytes())
                .await
                .map_err(|error| error.to_string())?;
            self.read().await
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        answer.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
    }

    async fn read(&mut self) -> Result<Answer, String> {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .await
            .map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| format!("its answer {line:?} is not readable: {error}"))
    }
}

/// The zygote keeps a process that ended until it is told to reap it, so the number is still that of its child.
fn held(pid: u32) -> Result<(u32, OwnedFd), String> {
    let number = Pid::from_raw(pid.cast_signed()).ok_or("its process id is out of range")?;
    match pidfd_open(number, PidfdFlags::empty()) {
        Ok(process) => Ok((pid, process)),
        Err(error) => {
            kill_group(pid.cast_signed());
            Err(format!("its end cannot be watched: {error}"))
        }
    }
}

fn out_of_turn() -> String {
    "it answered what it was not asked".to_owned()
}

/// The socket's path while the zygote connects.
struct Place(PathBuf);

impl Place {
    fn new(socket_dir: &Path) -> Self {
        Self(socket_dir.join(format!("z{}", &uuid::Uuid::new_v4().simple().to_string()[..11])))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Best effort: what holds it goes with the node anyway.
        let _ = std::fs::remove_file(&self.0);
    }
}
