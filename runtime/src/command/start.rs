//! What `up` and `run` need before the first node starts.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use crate::config::{Loaded, Ports, PythonTable, Source, load};
use crate::program::program;
use crate::python::PythonEnv;
use crate::secrets::Secrets;
use crate::show::PythonProgress;
use crate::state_dir::{Lock, StateDir};
use crate::up::Plan;

/// The cluster that a command asks for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) source: Source,
    pub(super) ports: Ports,
    pub(super) token: Option<&'a str>,
    pub(super) python: Option<&'a Path>,
}

impl Wanted<'_> {
    /// Reads the configuration, makes the Python environment and the secrets. Blocks for minutes on the very first start.
    pub(super) fn prepare(&self, state: StateDir, lock: Lock) -> anyhow::Result<Plan> {
        let loaded: Loaded = load(&self.source, &environment(), self.ports)?;
        let python = python(&state, self.python, &loaded.config.python)?;
        let secrets = Secrets::open(&state, self.token)?;
        let program = program().context("cannot find the nbos program itself")?;
        Ok(Plan {
            state,
            lock,
            loaded,
            secrets,
            python,
            program,
        })
    }
}

/// `--python` before `[python] interpreter` before a private environment.
pub(super) fn python(state: &StateDir, asked: Option<&Path>, table: &PythonTable) -> anyhow::Result<PythonEnv> {
    let own = asked.or(table.interpreter.as_deref());
    let mut progress = PythonProgress::default();
    Ok(PythonEnv::prepare(state, own, &table.packages, &mut |step| {
        progress.show(step)
    })?)
}

/// Variables that are not Unicode cannot be ours.
pub(super) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// `--token` before `NBOS_TOKEN`, which does not show up in process listings.
pub(super) fn token(asked: Option<&String>) -> Option<String> {
    asked
        .cloned()
        .or_else(|| std::env::var("NBOS_TOKEN").ok())
        .filter(|token| !token.is_empty())
}

/// Logs go to standard error; `NBOS_LOG` chooses what (`debug`, `nbos_mesh=trace`, …).
pub(super) fn log_to_stderr(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("NBOS_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // A program that embeds us may have its own.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}
