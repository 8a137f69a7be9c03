//! One session of the trace: a kernel, and its cells one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::cell;
use super::live::Live;
use super::plan::{PlannedCell, PlannedSession};
use super::record::{CellRecord, Ending, Life};
use crate::client::{Client, ExecuteOutcome, Framing, KernelSession, StartOptions};
use crate::stop::Stop;

/// A user opens a notebook a moment before running its first cell: the kernel is asked for this long before. What it takes longer
/// counts as the first cell's delay.
pub(super) const LEAD: Duration = Duration::from_secs(2);

/// On top of a cell's own time: the cluster's longest wait for GPUs (`[kernel] gpu_wait`, 600 s) and a minute.
const PATIENCE: Duration = Duration::from_secs(660);

/// Pauses before a kernel that could not be deleted is deleted again, and how often.
const DELETE_AGAIN: Duration = Duration::from_secs(1);
const DELETES: usize = 3;

/// What all sessions of a load share.
pub(super) struct Around {
    pub(super) client: Client,
    pub(super) live: Arc<Live>,
    pub(super) stop: Stop,
    /// The load's start, once it has come.
    pub(super) clock: watch::Receiver<Option<Instant>>,
    /// Kernels that may be there at once.
    pub(super) kernels: Semaphore,
    /// Kernels that may be starting at once.
    pub(super) starts: Semaphore,
    pub(super) gpu_bytes: u64,
    /// Ids of the kernels that are there.
    pub(super) ours: Mutex<BTreeMap<String, usize>>,
}

/// When a session's kernel is started.
pub(super) enum Opening {
    /// Before the load's start, which waits for word of it.
    Before(oneshot::Sender<()>),
    /// When its time has come.
    InTime,
}

/// What became of a session.
pub(super) struct Done {
    pub(super) life: Life,
    pub(super) cells: Vec<CellRecord>,
}

struct Running {
    around: Arc<Around>,
    session: PlannedSession,
    notebook: KernelSession,
    start: Instant,
    /// Cells that ended well.
    steps: usize,
    cells: Vec<CellRecord>,
}

/// Whether a session can go on after a cell.
enum After {
    GoesOn,
    /// What became of its state is not known, or the load ends.
    Over,
}

/// Runs a session to its end, or to the load's.
pub(super) async fn run(around: Arc<Around>, session: PlannedSession, opening: Opening) -> Done {
    let mut done = Done {
        life: Life {
            session: session.number,
            gpus: session.gpus,
            opened: session.opens,
            closed: session.opens,
            failures: Vec::new(),
        },
        cells: Vec::new(),
    };
    if !its_time(&around, &session, &opening).await {
        return done;
    }
    let permit = tokio::select! {
        permit = around.kernels.acquire() => permit.expect("invariant: never closed"),
        () = around.stop.wait() => return done,
    };
    // Not cut short by the load's end: a kernel that is on its way would stay behind.
    let kernel = match start(&around, &session).await {
        Ok(kernel) => kernel,
        Err((kind, what)) => {
            done.life.failures.push((kind, what));
            return done;
        }
    };
    around.ours.lock().insert(kernel.clone(), session.number);
    around.live.opened();
    if let Err(failure) = work(&around, session, &kernel, opening, &mut done).await {
        done.life.failures.push(failure);
    }
    around.live.closed();
    around.ours.lock().remove(&kernel);
    if let Err(failure) = delete(&around.client, &kernel).await {
        done.life.failures.push(failure);
    }
    drop(permit);
    done
}

/// Waits until the kernel is to be started; false when the load ends first.
async fn its_time(around: &Around, session: &PlannedSession, opening: &Opening) -> bool {
    match opening {
        Opening::Before(_) => !around.stop.has_fired(),
        Opening::InTime => {
            let Some(start) = started(around).await else {
                return false;
            };
            tokio::select! {
                () = sleep_until(start + session.opens.saturating_sub(LEAD)) => true,
                () = around.stop.wait() => false,
            }
        }
    }
}

/// The load's start; `None` when the load ends before it.
async fn started(around: &Around) -> Option<Instant> {
    let mut clock = around.clock.clone();
    tokio::select! {
        start = clock.wait_for(Option::is_some) => start.ok().and_then(|start| *start),
        () = around.stop.wait() => None,
    }
}

async fn start(around: &Around, session: &PlannedSession) -> Result<String, (String, String)> {
    let _turn = around.starts.acquire().await.expect("invariant: never closed");
    let options = StartOptions {
        gpus: Some(session.gpus),
        env: BTreeMap::from([("KERNEL_USERNAME".to_owned(), session.user.clone())]),
        ..StartOptions::default()
    };
    match around.client.start_kernel(&options).await {
        Ok(kernel) => Ok(kernel.id),
        Err(error) => Err(("kernel not started".to_owned(), error.to_string())),
    }
}

async fn delete(client: &Client, kernel: &str) -> Result<(), (String, String)> {
    let mut outcome = client.delete_kernel(kernel).await;
    for _ in 1..DELETES {
        match &outcome {
            Ok(()) => break,
            // It is gone: somebody else deleted it, or the answer to an earlier request was lost.
            Err(error) if error.status() == Some(404) => return Ok(()),
            Err(_) => sleep(DELETE_AGAIN).await,
        }
        outcome = client.delete_kernel(kernel).await;
    }
    outcome.map_err(|error| ("kernel not deleted".to_owned(), error.to_string()))
}

/// The session's cells in its kernel.
async fn work(
    around: &Arc<Around>,
    session: PlannedSession,
    kernel: &str,
    opening: Opening,
    done: &mut Done,
) -> Result<(), (String, String)> {
    let mut notebook = KernelSession::new(around.client.clone(), kernel, Framing::V1);
    let definitions = cell::definitions(session.number);
    let defined = tokio::select! {
        defined = timeout(PATIENCE, notebook.execute(&definitions)) => defined,
        () = around.stop.wait() => return Ok(()),
    };
    let failed = |what: String| Err(("session not prepared".to_owned(), what));
    match defined {
        Ok(Ok(outcome)) => {
            if let Some(error) = outcome.error() {
                return failed(format!("{}: {}", error.ename, error.evalue));
            }
        }
        Ok(Err(error)) => return failed(error.to_string()),
        Err(_) => return failed(format!("no answer within {} s", PATIENCE.as_secs())),
    }
    if let Opening::Before(ready) = opening {
        // Nobody waits for it any more when the load ends already.
        let _ = ready.send(());
    }
    let Some(start) = started(around).await else {
        return Ok(());
    };
    let mut running = Running {
        around: Arc::clone(around),
        session,
        notebook,
        start,
        steps: 0,
        cells: Vec::new(),
    };
    running.all().await;
    done.life.closed = start.elapsed().max(done.life.opened);
    done.cells = running.cells;
    Ok(())
}

impl Running {
    async fn all(&mut self) {
        let mut free = self.start;
        for planned in self.session.cells.clone() {
            let submit = self.start + planned.submit;
            tokio::select! {
                () = sleep_until(submit) => {}
                () = self.around.stop.wait() => return,
            }
            let ready = submit.max(free);
            match self.one(&planned, ready).await {
                After::GoesOn => {}
                After::Over => return,
            }
            free = self.cells.last().map_or(free, |cell| ready + cell.took);
        }
        tokio::select! {
            () = sleep_until(self.start + self.session.closes) => {}
            () = self.around.stop.wait() => {}
        }
    }

    async fn one(&mut self, planned: &PlannedCell, ready: Instant) -> After {
        let execute = cell::task(self.session.number, self.steps, planned, self.around.gpu_bytes);
        self.around.live.submitted();
        let within = planned.trains.saturating_add(PATIENCE);
        let ended = tokio::select! {
            ended = timeout(within, self.notebook.execute(&execute)) => ended,
            () = self.around.stop.wait() => {
                self.around.live.cut();
                return After::Over;
            }
        };
        let total = ready.elapsed();
        let mut record = CellRecord {
            session: self.session.number,
            gpus: planned.gpus,
            ready: ready.duration_since(self.start),
            took: total,
            delay: None,
            waited: None,
            held: None,
            trained: Duration::ZERO,
            host: None,
            ending: Ending::Failed {
                kind: "no answer".to_owned(),
                what: format!("no reply within {} s", within.as_secs()),
            },
        };
        let after = match ended {
            Ok(Ok(outcome)) => {
                self.fill(&mut record, &outcome, total);
                After::GoesOn
            }
            Ok(Err(error)) => {
                record.ending = Ending::Failed {
                    kind: error.code().to_owned(),
                    what: error.to_string(),
                };
                After::Over
            }
            Err(_) => After::Over,
        };
        self.steps += usize::from(record.is_well());
        self.around.live.ended(&record);
        self.cells.push(record);
        after
    }

    /// `total` has passed since the cell was ready.
    fn fill(&self, record: &mut CellRecord, outcome: &ExecuteOutcome, total: Duration) {
        // Earlier attempts over connections that were lost.
        let before = total.saturating_sub(outcome.ended_after);
        let told = cell::told(outcome);
        record.took = before + outcome.replied_after;
        record.delay = outcome.spoke_after.map(|after| before + after);
        (record.waited, record.held) = (told.waited(), told.held());
        record.host = told.host;
        record.ending = match (outcome.error(), cell::said(outcome)) {
            (None, Some(said)) => {
                record.trained = Duration::try_from_secs_f64(said.trained).unwrap_or_default();
                let mut wrong = said.wrong;
                if said.gpus != record.gpus {
                    wrong.push(format!("{} GPUs, not {}", said.gpus, record.gpus));
                }
                Ending::Well { wrong }
            }
            (None, None) => Ending::Failed {
                kind: "output lost".to_owned(),
                what: "the cell ended well and its last line did not arrive".to_owned(),
            },
            (Some(error), _) => Ending::Failed {
                kind: error.ename,
                what: error.evalue,
            },
        };
    }
}
