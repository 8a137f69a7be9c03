//! Threads whose work makes way: bulk bytes are hashed, compressed, written and sent on these.
//!
//! A gigabyte keeps every processor of a small host busy for seconds. Heartbeats, the log and small cells of other
//! kernels take milliseconds of it, and get them at once, because the system prefers all other threads to these.

use std::future::Future;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Where processors are short, a tenth of what an ordinary thread gets (the system's weights: 110 of 1024). Not less: on
/// a host that computes on all of them chunks must still move.
const NICE: i32 = 10;
/// One chunk is compressed or hashed while another waits for the disk, on each of two processors.
const WORKERS: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads for work on chunks; they end with the last clone. Who hands it work waits for the result, so no more
/// is queued than there are callers.
#[derive(Clone, Debug)]
pub(crate) struct Workers(mpsc::Sender<Job>);

impl Workers {
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..WORKERS {
            let queue = Arc::clone(&queue);
            thread("objects-work", move || {
                loop {
                    // One waits for the next job, the others for their turn to wait.
                    let next = queue.lock().recv();
                    let Ok(job) = next else { return };
                    job();
                }
            })?;
        }
        Ok(Self(jobs))
    }

    /// The result of work that blocks or takes long.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, result) = oneshot::channel();
        let job = move || {
            // Nobody may want to know any more.
            let _ = answer.send(work());
        };
        let alive = "invariant: work on chunks does not panic";
        self.0.send(Box::new(job)).expect(alive);
        result.await.expect(alive)
    }
}

/// Starts a thread that makes way for all others.
pub(crate) fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let work = move || {
        make_way();
        work();
    };
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Makes the calling thread one of those, for good: what it serves has turned out to be bulk.
pub(crate) fn make_way() {
    // On Linux this is the calling thread's alone. Where it is forbidden, the work is done all the same.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "thread for chunks has an ordinary priority");
    }
}

/// Runs a future to its end on such a thread of its own, with the readiness of its connections.
pub(crate) fn run(name: &str, future: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread(name, move || runtime.block_on(future))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice() -> i32 {
        rustix::process::getpriority_process(None).expect("has one")
    }

    #[tokio::test]
    async fn its_threads_make_way_and_no_others() {
        let before = nice();
        let workers = Workers::start().expect("starts");
        assert_eq!(workers.run(nice).await, NICE.max(before));
        let (answer, result) = oneshot::channel();
        let telling = async move {
            let _ = answer.send(nice());
        };
        run("objects-test", telling).expect("starts");
        assert_eq!(result.await, Ok(NICE.max(before)));
        assert_eq!(nice(), before);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn as_many_jobs_run_at_once_as_there_are_workers() {
        let workers = Workers::start().expect("starts");
        let all = Arc::new(std::sync::Barrier::new(WORKERS));
        let jobs = (0..WORKERS).map(|_| {
            let (workers, all) = (workers.clone(), Arc::clone(&all));
            tokio::spawn(async move { workers.run(move || all.wait().is_leader()).await })
        });
        for job in jobs.collect::<Vec<_>>() {
            job.await.expect("ends");
        }
    }
}
