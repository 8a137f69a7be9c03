//! How a load stands while it runs.

use std::collections::VecDeque;

use nbos_trace::Distribution;
use parking_lot::Mutex;

use super::record::CellRecord;
use super::report::at_once;

/// Delays that the live percentile looks back on.
const RECENT: usize = 500;

/// Shared by all sessions of a load; every method is short and never waits.
#[derive(Debug)]
pub struct Live(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    planned: usize,
    kernels: usize,
    ended: usize,
    failed: usize,
    under_way: usize,
    holding: usize,
    held: u32,
    devices: u32,
    wanting: usize,
    at_once: usize,
    recent: VecDeque<f64>,
}

/// One look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Now {
    pub planned: usize,
    /// Kernels that are open.
    pub kernels: usize,
    /// Cells that ended, well or not.
    pub ended: usize,
    pub failed: usize,
    /// Cells that hold GPUs, at the last look at the hosts.
    pub running: usize,
    /// Cells asked for that do not.
    pub waiting: usize,
    pub held: u32,
    pub devices: u32,
    /// Share of the cells with GPUs that got them at once.
    pub at_once: Option<f64>,
    /// 95th percentile of the last delays, seconds.
    pub p95: Option<f64>,
}

impl Live {
    pub fn new(planned: usize) -> Self {
        Self(Mutex::new(State {
            planned,
            ..State::default()
        }))
    }

    pub fn now(&self) -> Now {
        let state = self.0.lock();
        Now {
            planned: state.planned,
            kernels: state.kernels,
            ended: state.ended,
            failed: state.failed,
            running: state.holding.min(state.under_way),
            waiting: state.under_way.saturating_sub(state.holding),
            held: state.held,
            devices: state.devices,
            at_once: (state.wanting > 0).then(|| state.at_once as f64 / state.wanting as f64),
            p95: Distribution::of(state.recent.iter().copied().collect()).p95,
        }
    }

    pub(super) fn opened(&self) {
        self.0.lock().kernels += 1;
    }

    pub(super) fn closed(&self) {
        self.0.lock().kernels -= 1;
    }

    pub(super) fn submitted(&self) {
        self.0.lock().under_way += 1;
    }

    /// A cell was cut short by the end of the load.
    pub(super) fn cut(&self) {
        self.0.lock().under_way -= 1;
    }

    pub(super) fn ended(&self, cell: &CellRecord) {
        let mut state = self.0.lock();
        state.under_way -= 1;
        state.ended += 1;
        state.failed += usize::from(!cell.is_well());
        if cell.gpus > 0 {
            state.wanting += 1;
            state.at_once += usize::from(at_once(cell));
        }
        if let Some(delay) = cell.delay {
            if state.recent.len() == RECENT {
                state.recent.pop_front();
            }
            state.recent.push_back(delay.as_secs_f64());
        }
    }

    pub(super) fn seen(&self, held: u32, holding: usize, devices: u32) {
        let mut state = self.0.lock();
        (state.held, state.holding, state.devices) = (held, holding, devices);
    }
}
