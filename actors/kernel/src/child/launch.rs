//! Makes a Python process: forked by the zygote where that makes no difference, else started the ordinary way.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::PythonOptions;
use super::connection::ConnectionFile;
use super::fit::Fit;
use super::guard::{Guard, kill_group};
use super::zygote::{Forked, Zygote};

/// What processes of a host have in common.
#[derive(Clone)]
pub(crate) struct Launcher {
    pub(crate) python: PythonOptions,
    /// Variables of all kernels.
    pub(crate) env: BTreeMap<String, String>,
    /// Each change is checked in a scratch process.
    pub(crate) audit: bool,
    /// At most so many processes of a host boot at once.
    pub(crate) starts: Arc<Semaphore>,
    pub(crate) guard: Guard,
    pub(crate) zygote: Option<Zygote>,
}

/// What a process of one kernel is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// The kernel's own variables.
    pub(crate) env: BTreeMap<String, String>,
    /// Without it, the node's own.
    pub(crate) cwd: Option<PathBuf>,
}

/// A running process; dropping it kills it.
pub(super) enum Process {
    Started { child: tokio::process::Child, id: u32 },
    Forked(Forked),
}

impl Process {
    pub(super) fn id(&self) -> u32 {
        match self {
            Self::Started { id, .. } => *id,
            Self::Forked(forked) => forked.id(),
        }
    }

    pub(super) fn has_ended(&mut self) -> bool {
        match self {
            Self::Started { child, .. } => !matches!(child.try_wait(), Ok(None)),
            Self::Forked(forked) => forked.has_ended(),
        }
    }

    /// Returns when it has ended, and how. May be cancelled and called again.
    pub(super) async fn wait(&mut self) -> String {
        match self {
            Self::Started { child, .. } => {
                let status = child.wait().await;
                status.map_or_else(|error| error.to_string(), |status| status.to_string())
            }
            Self::Forked(forked) => forked.wait().await,
        }
    }

    /// Ends it and its subprocesses, which are in its group.
    pub(super) async fn end(mut self) {
        kill_group(self.id().cast_signed());
        self.wait().await;
    }
}

impl Launcher {
    /// Which start this leaves possible.
    pub(super) fn fit(&self, given: &Given) -> Fit {
        Fit::of(&given.env, &self.env)
    }

    pub(super) async fn launch(&self, given: &Given, files: &ConnectionFile) -> Result<Process, String> {
        let cwd = given.cwd.as_deref().filter(|cwd| cwd.is_dir());
        let mut argv = vec![
            Path::new("-f"),
            files.path.as_path(),
            Path::new("--side"),
            files.side.as_path(),
        ];
        if self.audit {
            argv.push(Path::new("--audit"));
        }
        if let Some(zygote) = self.zygote.as_ref().filter(|_| self.fit(given) >= Fit::Fork) {
            match zygote.fork(&argv, &given.env, cwd, &files.log).await {
                Ok(forked) => return Ok(Process::Forked(forked)),
                Err(why) => tracing::info!(why, "kernel not forked; started the ordinary way"),
            }
        }
        self.start(given, cwd, &argv, files)
    }

    fn start(
        &self,
        given: &Given,
        cwd: Option<&Path>,
        argv: &[&Path],
        files: &ConnectionFile,
    ) -> Result<Process, String> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&files.log)
            .map_err(|error| format!("its log cannot be opened: {error}"))?;
        let log_again = log
            .try_clone()
            .map_err(|error| format!("its log cannot be opened: {error}"))?;
        let path = given.env.get("PYTHONPATH").or_else(|| self.env.get("PYTHONPATH"));
        let mut command = tokio::process::Command::new(&self.python.interpreter);
        command
            .args(["-m", "nbos_kernel"])
            .args(argv)
            // Sets iterate alike on every replica of a kernel, forked or not.
            .env("PYTHONHASHSEED", self.python.hash_seed.to_string())
            .envs(&self.env)
            .envs(&given.env)
            .env("PYTHONPATH", python_path(&self.python.shim_path, path))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_again)
            .process_group(0)
            .kill_on_drop(true);
        if let Some(cwd) = cwd {
            command.current_dir(cwd);
        }
        let child = command
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", self.python.interpreter.display()))?;
        let id = child.id().ok_or("it ended at once")?;
        Ok(Process::Started { child, id })
    }
}

pub(super) fn python_path(shim: &Path, users: Option<&String>) -> std::ffi::OsString {
    let inherited = users
        .map(std::ffi::OsString::from)
        .or_else(|| std::env::var_os("PYTHONPATH"));
    let mut path = shim.as_os_str().to_owned();
    if let Some(inherited) = inherited.filter(|inherited| !inherited.is_empty()) {
        path.push(":");
        path.push(inherited);
    }
    path
}
