//! What a load's records mean. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use nbos_trace::Distribution;
use serde::Serialize;

use super::drive::Outcome;
use super::plan::Plan;
use super::record::{CellRecord, Ending, Sampled};

/// A grant within this of the question was not waited for: a free device is lent in microseconds, and on a busy machine the question
/// itself may lie in a mailbox for some tens of milliseconds.
const NOT_WAITED: Duration = Duration::from_millis(50);

/// Whatever the host says, a cell whose first words come later than this did not get its GPUs at once: moves and elections count.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Everything `nbos load` reports, as its JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub speed: f64,
    pub sessions: usize,
    /// Sessions that were open and submitted nothing.
    pub idle_sessions: usize,
    pub cells: Cells,
    /// Seconds.
    pub lasted_s: f64,
    /// GPUs of the cluster.
    pub devices: u32,
    pub gpu_hours: GpuHours,
    /// GPU-hours that a reservation would have held and leases did not, as a share of them.
    pub saved_vs_reservation: Option<f64>,
    /// Share of the cells with GPUs that got them at once: the host that lent them says that the cell did not wait there (50 ms at most), and
    /// its first words came within 2 s.
    pub immediate_commit: Option<f64>,
    /// Shares of the cells whose first words came within these times.
    pub within_100_ms: Option<f64>,
    pub within_1_s: Option<f64>,
    /// Share of the cells that ran where their session's cell before did.
    pub executor_reuse: Option<f64>,
    pub migrations: usize,
    /// Ready until first words, seconds.
    pub delay_s: Distribution,
    /// Ready until reply, seconds.
    pub tct_s: Distribution,
    pub state_errors: usize,
    pub errors: Vec<ErrorKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cells {
    pub planned: usize,
    pub well: usize,
    pub failed: usize,
    pub not_run: usize,
    /// Needed more GPUs than allowed and got as many as allowed.
    pub clamped: usize,
}

/// Hours of the run, not of the trace: that is `speed` times as long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GpuHours {
    /// What the trace asks of the cells that ended well.
    pub asked: f64,
    /// Training, as the cells say.
    pub active: f64,
    /// Lent, as the hosts say in the cells' replies. What a cell that ended without one held is not known, and not in it.
    pub held: f64,
    /// Lent, by looking at the hosts several times a second.
    pub held_sampled: f64,
    /// Every session's largest cell for as long as the session is open.
    pub reservation: f64,
}

/// Errors of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorKind {
    pub kind: String,
    pub count: usize,
    /// Text of the first one.
    pub first: String,
}

impl Report {
    pub fn new(plan: &Plan, outcome: &Outcome, devices: u32) -> Self {
        let cells = &outcome.cells;
        let well = cells.iter().filter(|cell| cell.is_well()).count();
        let gpu_hours = gpu_hours(plan, outcome);
        let wanting = || cells.iter().filter(|cell| cell.gpus > 0);
        let within = |limit: Duration| {
            let quick = cells
                .iter()
                .filter(|cell| cell.delay.is_some_and(|delay| delay <= limit));
            share(quick.count(), cells.len())
        };
        Self {
            speed: plan.speed.times(),
            sessions: plan.sessions.len(),
            idle_sessions: plan.sessions.iter().filter(|session| session.cells.is_empty()).count(),
            cells: Cells {
                planned: plan.cells(),
                well,
                failed: cells.len() - well,
                not_run: plan.cells().saturating_sub(cells.len()),
                clamped: plan.clamped,
            },
            lasted_s: outcome.lasted.as_secs_f64(),
            devices,
            gpu_hours,
            saved_vs_reservation: (gpu_hours.reservation > 0.0).then(|| 1.0 - gpu_hours.held / gpu_hours.reservation),
            immediate_commit: share(wanting().filter(|cell| at_once(cell)).count(), wanting().count()),
            within_100_ms: within(Duration::from_millis(100)),
            within_1_s: within(Duration::from_secs(1)),
            executor_reuse: executor_reuse(cells),
            migrations: outcome.migrations,
            delay_s: Distribution::of(delays(cells)),
            tct_s: Distribution::of(completions(cells)),
            state_errors: wrong(cells).count(),
            errors: errors(outcome),
        }
    }

    /// Whether every cell ran, ended well, and found its state.
    pub fn is_good(&self) -> bool {
        self.cells.well == self.cells.planned && self.errors.is_empty()
    }
}

/// Whether a cell got its GPUs without waiting for anyone.
pub(super) fn at_once(cell: &CellRecord) -> bool {
    cell.waited.is_some_and(|waited| waited <= NOT_WAITED) && cell.delay.is_some_and(|delay| delay <= AT_ONCE)
}

/// Seconds from ready to first words, of the cells that began.
pub(super) fn delays(cells: &[CellRecord]) -> Vec<f64> {
    let delays = cells.iter().filter_map(|cell| cell.delay);
    delays.map(|delay| delay.as_secs_f64()).collect()
}

/// Seconds from ready to reply, of the cells that ended well.
pub(super) fn completions(cells: &[CellRecord]) -> Vec<f64> {
    let well = cells.iter().filter(|cell| cell.is_well());
    well.map(|cell| cell.took.as_secs_f64()).collect()
}

fn wrong(cells: &[CellRecord]) -> impl Iterator<Item = &[String]> {
    cells.iter().filter_map(|cell| match &cell.ending {
        Ending::Well { wrong } if !wrong.is_empty() => Some(wrong.as_slice()),
        Ending::Well { .. } | Ending::Failed { .. } => None,
    })
}

fn gpu_hours(plan: &Plan, outcome: &Outcome) -> GpuHours {
    let hours = |gpus: u32, time: Duration| f64::from(gpus) * time.as_secs_f64() / 3_600.0;
    let well = || outcome.cells.iter().filter(|cell| cell.is_well());
    let asked: BTreeMap<usize, Vec<Duration>> = plan
        .sessions
        .iter()
        .map(|session| {
            let trains = session.cells.iter().map(|cell| cell.trains);
            (session.number, trains.collect())
        })
        .collect();
    // A session's records are in the order of its plan.
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut total = 0.0;
    for cell in &outcome.cells {
        let place = places.entry(cell.session).or_default();
        let trains = asked.get(&cell.session).and_then(|trains| trains.get(*place));
        *place += 1;
        if cell.is_well() {
            total += hours(cell.gpus, trains.copied().unwrap_or_default());
        }
    }
    GpuHours {
        asked: total,
        active: well().map(|cell| hours(cell.gpus, cell.trained)).sum(),
        held: outcome
            .cells
            .iter()
            .filter_map(|cell| Some(hours(cell.gpus, cell.held?)))
            .sum(),
        held_sampled: sampled(&outcome.samples),
        reservation: outcome
            .lives
            .iter()
            .map(|life| hours(life.gpus, life.closed.saturating_sub(life.opened)))
            .sum(),
    }
}

/// GPU-hours below the line through the samples.
fn sampled(samples: &[Sampled]) -> f64 {
    let pieces = samples.windows(2).map(|pair| {
        let between = pair[1].at.saturating_sub(pair[0].at).as_secs_f64();
        f64::from(pair[0].held + pair[1].held) / 2.0 * between
    });
    pieces.sum::<f64>() / 3_600.0
}

fn executor_reuse(cells: &[CellRecord]) -> Option<f64> {
    let mut last: BTreeMap<usize, &str> = BTreeMap::new();
    let (mut same, mut all) = (0, 0);
    for cell in cells {
        let Some(host) = cell.host.as_deref() else {
            continue;
        };
        if let Some(before) = last.insert(cell.session, host) {
            all += 1;
            same += usize::from(before == host);
        }
    }
    share(same, all)
}

fn errors(outcome: &Outcome) -> Vec<ErrorKind> {
    let failed = outcome.cells.iter().filter_map(|cell| match &cell.ending {
        Ending::Failed { kind, what } => Some((kind.clone(), what.clone())),
        Ending::Well { .. } => None,
    });
    let state = wrong(&outcome.cells).map(|wrong| ("state error".to_owned(), wrong.join("; ")));
    let lives = outcome.lives.iter().flat_map(|life| life.failures.iter().cloned());
    let mut kinds: BTreeMap<String, ErrorKind> = BTreeMap::new();
    for (kind, what) in failed.chain(state).chain(lives) {
        let entry = kinds.entry(kind.clone()).or_insert(ErrorKind {
            kind,
            count: 0,
            first: what,
        });
        entry.count += 1;
    }
    kinds.into_values().collect()
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
