//! Runs a plan against a cluster.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::live::Live;
use super::plan::Plan;
use super::record::{CellRecord, Life, Sampled};
use super::session::{self, Around, Done, LEAD, Opening};
use super::watch::{Watched, watch as look};
use crate::client::Client;
use crate::stop::Stop;

/// Kernels that start at once: a start is three Python processes, and more would only slow each other down.
const STARTS: usize = 3;

/// Everything that is known after a load.
#[derive(Debug, Default)]
pub struct Outcome {
    pub cells: Vec<CellRecord>,
    pub lives: Vec<Life>,
    pub samples: Vec<Sampled>,
    pub migrations: usize,
    /// From the start, when the kernels that are there from the beginning are ready, to the end of the last cell or kernel.
    pub lasted: Duration,
}

/// Runs every session; ends early, with its kernels deleted, when `stop` fires. At most `kernels` kernels are there at once.
pub async fn drive(
    client: Client,
    plan: &Plan,
    kernels: usize,
    gpu_bytes: u64,
    live: Arc<Live>,
    stop: Stop,
) -> Outcome {
    let (begin, clock) = watch::channel(None);
    let around = Arc::new(Around {
        client,
        live,
        stop: stop.clone(),
        clock,
        kernels: Semaphore::new(kernels),
        starts: Semaphore::new(STARTS),
        gpu_bytes,
        ours: Mutex::default(),
    });
    let (mut tasks, mut first) = (JoinSet::new(), Vec::new());
    for session in &plan.sessions {
        let opening = if session.opens <= LEAD && first.len() < kernels {
            let (ready, waits) = oneshot::channel();
            first.push(waits);
            Opening::Before(ready)
        } else {
            Opening::InTime
        };
        tasks.spawn(session::run(Arc::clone(&around), session.clone(), opening));
    }
    tokio::select! {
        // One that could not be started does not hold up the others.
        _ = join_all(first) => {}
        () = stop.wait() => {}
    }
    let start = Instant::now();
    begin.send_replace(Some(start));

    let (mut seen, mut outcome) = (Watched::default(), Outcome::default());
    {
        let mut watching = std::pin::pin!(look(around, start, plan.lasts(), &mut seen));
        loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    Some(Ok(Done { life, cells })) => {
                        outcome.lives.push(life);
                        outcome.cells.extend(cells);
                    }
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    None => break,
                },
                () = &mut watching => {}
            }
        }
    }
    outcome.lasted = start.elapsed();
    outcome.cells.sort_by_key(|cell| (cell.ready, cell.session));
    outcome.lives.sort_by_key(|life| (life.opened, life.session));
    (outcome.samples, outcome.migrations) = (seen.samples, seen.migrations);
    outcome
}
