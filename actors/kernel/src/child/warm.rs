//! Kernels that were started ahead: they have booted, answer, and belong to nobody until a replica takes one, for good.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nbos_supervision::{Status, Tree};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::PythonOptions;
use super::boot::{Booted, boot};
use super::fit::Fit;
use super::guard::Guard;
use super::launch::{Given, Launcher};
use super::zygote::Zygote;
use crate::options::Options;

/// Files that IPython reads from the directory it boots in; a kernel that starts where one is boots there.
const LOCAL_CONFIGURATION: [&str; 4] = [
    "ipython_config.py",
    "ipython_config.json",
    "ipython_kernel_config.py",
    "ipython_kernel_config.json",
];

/// How a host's kernels get their processes. Cheap to clone.
#[derive(Clone)]
pub struct WarmPool {
    shared: Arc<Shared>,
}

struct Shared {
    launcher: Launcher,
    /// What a kernel boots with that belongs to nobody yet.
    nobody: Given,
    /// Starts that leave the machine to nobody else.
    at_once: usize,
    tree: Tree,
    path: String,
    state: Mutex<State>,
    /// Kernels that started so far and could have been taken from here.
    wanted: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    idle: VecDeque<Booted>,
    closed: bool,
}

impl WarmPool {
    /// Starts the zygote, unless the options say otherwise; the pool is empty. `path` is its place in the tree.
    pub fn new(python: PythonOptions, options: &Options, guard: Guard, tree: &Tree, path: &str) -> Self {
        let zygote = options.zygote.then(|| {
            let path = format!("{path}/zygote");
            Zygote::start(python.clone(), options.env.clone(), guard.clone(), tree.clone(), path)
        });
        let launcher = Launcher {
            python,
            env: options.env.clone(),
            audit: options.audit,
            starts: Arc::new(Semaphore::new(options.starts_at_once)),
            guard,
            zygote,
        };
        Self {
            shared: Arc::new(Shared {
                launcher,
                nobody: Given {
                    cwd: options.working_dir.clone(),
                    ..Given::default()
                },
                at_once: options.starts_at_once,
                tree: tree.clone(),
                path: path.to_owned(),
                state: Mutex::default(),
                wanted: watch::Sender::new(0),
            }),
        }
    }

    /// Tells of every kernel that starts and could be taken from here: how many there were.
    pub fn wanted(&self) -> watch::Receiver<u64> {
        self.shared.wanted.subscribe()
    }

    /// Kernels that wait here.
    pub fn idle(&self) -> usize {
        self.shared.state.lock().idle.len()
    }

    /// The zygote is on its way: a kernel started now would be started the slow way, and keep more memory for itself.
    pub fn is_coming(&self) -> bool {
        let zygote = self.shared.launcher.zygote.as_ref();
        zygote.is_some_and(Zygote::is_starting)
    }

    /// Starting one more now would be in nobody's way.
    pub fn is_calm(&self) -> bool {
        self.shared.launcher.starts.available_permits() == self.shared.at_once
    }

    /// Starts one more; returns what it took.
    ///
    /// # Errors
    /// Why it did not come up.
    pub async fn add(&self) -> Result<Duration, String> {
        let began = Instant::now();
        let booted = boot(&self.shared.launcher, &self.shared.nobody, &CancellationToken::new()).await?;
        let took = began.elapsed();
        let id = booted.process.id();
        let refused = {
            let mut state = self.shared.state.lock();
            if state.closed {
                Some(booted)
            } else {
                state.idle.push_back(booted);
                None
            }
        };
        match refused {
            Some(booted) => booted.end().await,
            None => self.note(id),
        }
        Ok(took)
    }

    /// Ends those that have ended by themselves, and all but so many of the others; returns how many there were.
    pub async fn keep(&self, most: usize) -> usize {
        let dropped = {
            let mut state = self.shared.state.lock();
            let (mut kept, mut dropped) = (VecDeque::new(), Vec::new());
            for mut booted in std::mem::take(&mut state.idle) {
                if kept.len() < most && !booted.process.has_ended() {
                    kept.push_back(booted);
                } else {
                    dropped.push(booted);
                }
            }
            state.idle = kept;
            dropped
        };
        let count = dropped.len();
        for booted in dropped {
            self.forget(booted.process.id());
            booted.end().await;
        }
        count
    }

    /// After a [`WarmPool::close`].
    pub fn open(&self) {
        self.shared.state.lock().closed = false;
    }

    /// Ends them all; what is still being started ends as it comes up.
    pub async fn close(&self) {
        self.shared.state.lock().closed = true;
        self.keep(0).await;
    }

    /// A kernel's process: from here if one waits and the kernel allows it, else a new one.
    pub(super) async fn take_or_boot(&self, given: &Given, killed: &CancellationToken) -> Result<Booted, String> {
        if self.could_be_warm(given) {
            self.shared.wanted.send_modify(|wanted| *wanted += 1);
            while let Some(mut booted) = self.take() {
                match booted.begin(given).await {
                    Ok(()) => return Ok(booted),
                    Err(why) => {
                        tracing::info!(why, "kernel that was started ahead is of no use");
                        booted.end().await;
                    }
                }
            }
        }
        boot(&self.shared.launcher, given, killed).await
    }

    fn take(&self) -> Option<Booted> {
        let booted = self.shared.state.lock().idle.pop_front()?;
        self.forget(booted.process.id());
        Some(booted)
    }

    fn could_be_warm(&self, given: &Given) -> bool {
        let same_place = given.cwd == self.shared.nobody.cwd;
        let configures = |cwd: &PathBuf| LOCAL_CONFIGURATION.iter().any(|name| cwd.join(name).exists());
        self.shared.launcher.fit(given) == Fit::Warm && (same_place || !given.cwd.as_ref().is_some_and(configures))
    }

    fn note(&self, id: u32) {
        self.shared
            .tree
            .note(&self.entry(id), "warm-kernel", Status::Running, None);
    }

    fn forget(&self, id: u32) {
        self.shared.tree.forget(&self.entry(id));
    }

    fn entry(&self, id: u32) -> String {
        format!("{}/{id}", self.shared.path)
    }
}
