//! The Python of a load's cells, and what they say.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::plan::PlannedCell;
use crate::client::{Execute, ExecuteOutcome};

/// Defines what the cells call.
const DEFINITIONS: &str = include_str!("session.py");

/// The line of a cell's output that is meant for us.
const REPORT: &str = "nbos-load ";

/// What a cell that ran to its end says of itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Said {
    /// Seconds of training.
    pub(super) trained: f64,
    /// What of its state was not as the cell before had left it.
    pub(super) wrong: Vec<String>,
    /// GPUs that it was told of.
    pub(super) gpus: u32,
}

/// What the replica that ran it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Told {
    #[serde(default)]
    pub(super) host: Option<String>,
    #[serde(default)]
    pub(super) waited_us: Option<u64>,
    #[serde(default)]
    pub(super) held_us: Option<u64>,
}

/// A session's first cell, which needs no GPU; `seed` makes its weights its own.
pub(super) fn definitions(seed: usize) -> Execute {
    on(0, format!("NBOS_LOAD_SEED = {seed}\n{DEFINITIONS}"))
}

/// A task; `step` counts those that ended well before it.
pub(super) fn task(seed: usize, step: usize, cell: &PlannedCell, gpu_bytes: u64) -> Execute {
    let seconds = cell.trains.as_secs_f64();
    // The first words leave before anything else happens: they are how a user sees that it runs.
    let code = format!("print(\"begins\", flush=True)\nnbos_load_cell({seed}, {step}, {seconds}, {gpu_bytes})");
    on(cell.gpus, code)
}

fn on(gpus: u32, code: String) -> Execute {
    let mut execute = Execute::new(code);
    execute.metadata = json!({"nbos": {"gpus": gpus}});
    execute
}

pub(super) fn said(outcome: &ExecuteOutcome) -> Option<Said> {
    let stdout = outcome.stdout();
    let line = stdout.lines().find_map(|line| line.strip_prefix(REPORT))?;
    serde_json::from_str(line).ok()
}

pub(super) fn told(outcome: &ExecuteOutcome) -> Told {
    let nbos = outcome.metadata.get("nbos").cloned().unwrap_or_default();
    serde_json::from_value(nbos).unwrap_or_default()
}

impl Told {
    pub(super) fn waited(&self) -> Option<Duration> {
        self.waited_us.map(Duration::from_micros)
    }

    pub(super) fn held(&self) -> Option<Duration> {
        self.held_us.map(Duration::from_micros)
    }
}
