//! `nbos run`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep_until, timeout};

use super::start::{Wanted, log_to_stderr, token};
use super::target::Target;
use crate::client::{CellError, Client, Execute, Framing, KernelSession, StartOptions};
use crate::config::{Ports, Source};
use crate::notebook::{MayFail, Notebook};
use crate::show::CellProgress;
use crate::state_dir::{self, StateDir};
use crate::up::Cluster;

/// After Ctrl-C the running cell gets this long to end with `KeyboardInterrupt`.
const INTERRUPT_WITHIN: Duration = Duration::from_secs(10);
/// What `timeout`, shells and make expect of a program that Ctrl-C ended: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// Execute a notebook on the cluster, starting one if none is running
///
/// Runs every code cell in order and writes the notebook with its outputs. Stops at the first cell that fails, with exit code 1
/// and its traceback on standard error. Ctrl-C interrupts the running cell.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// The notebook; it is not changed
    notebook: PathBuf,
    /// Where the executed notebook goes; NB.out.ipynb beside NB.ipynb otherwise
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// GPUs that each cell leases
    #[arg(long, value_name = "N")]
    gpus: Option<u32>,
    /// Configuration of the cluster that is started if none is running
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Interpreter of the cluster that is started if none is running
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// How a notebook's run ended.
#[derive(Debug)]
enum Ended {
    Finished,
    /// At the cell with this number among the code cells, from 1.
    Failed {
        number: usize,
        error: CellError,
    },
}

impl Run {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        log_to_stderr("warn");
        let output = self.output.clone().unwrap_or_else(|| beside(&self.notebook));
        let mut notebook = Notebook::read(&self.notebook)?;
        let started = self.cluster()?;
        let outcome = match &started {
            None => self.execute(&self.target.client()?, &mut notebook, &output).await,
            Some(cluster) => self.on_own(cluster, &mut notebook, &output).await,
        };
        if let Some(cluster) = started {
            cluster.stop().await;
        }
        outcome
    }

    /// The cluster of this command alone; `None` when there is one to use.
    fn cluster(&self) -> anyhow::Result<Option<Cluster>> {
        if !self.target.url.is_empty() {
            return Ok(None);
        }
        let state = StateDir::open(&self.target.state_dir)?;
        let lock = match state.lock_up() {
            Ok(lock) => lock,
            Err(state_dir::Error::InUse { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let token = token(self.target.token.as_ref());
        let wanted = Wanted {
            source: Source::find(self.config.as_deref()),
            // Nobody else has to find it, and it must not stand in another cluster's way.
            ports: Ports::Free,
            token: token.as_deref(),
            python: self.python.as_deref(),
        };
        eprintln!("no cluster is running, starting one");
        Ok(Some(Cluster::start(wanted.prepare(state, lock)?)?))
    }

    async fn on_own(&self, cluster: &Cluster, notebook: &mut Notebook, output: &Path) -> anyhow::Result<ExitCode> {
        let (_handle, stop) = crate::stop::Stop::on_signals()?;
        tokio::select! {
            ready = cluster.ready() => ready?,
            () = stop.wait() => return Ok(ExitCode::from(INTERRUPTED)),
        }
        self.execute(&cluster.client(), notebook, output).await
    }

    async fn execute(&self, client: &Client, notebook: &mut Notebook, output: &Path) -> anyhow::Result<ExitCode> {
        let began = Instant::now();
        let options = StartOptions {
            gpus: self.gpus,
            ..StartOptions::default()
        };
        let kernel = client.start_kernel(&options).await.context("cannot start a kernel")?;
        let session = KernelSession::new(client.clone(), &kernel.id, Framing::V1);
        notebook.clear();
        let ended = interruptible(client, &kernel.id, all_cells(session, notebook)).await;
        // The kernel goes whatever happened; a cluster that does not answer any more must not hold up the result.
        if let Err(error) = client.delete_kernel(&kernel.id).await {
            tracing::warn!(kernel = kernel.id, %error, "cannot delete the kernel");
        }
        notebook.write(output)?;
        let cells = notebook.code_cells().len();
        match ended? {
            Some(Ended::Finished) => {
                eprintln!(
                    "wrote {} ({cells} cells, {:.1} s)",
                    output.display(),
                    began.elapsed().as_secs_f64()
                );
                Ok(ExitCode::SUCCESS)
            }
            Some(Ended::Failed { number, error }) => {
                for line in &error.traceback {
                    eprintln!("{line}");
                }
                eprintln!("cell {number} of {cells} failed: {}: {}", error.ename, error.evalue);
                eprintln!("wrote {} up to that cell", output.display());
                Ok(ExitCode::FAILURE)
            }
            None => {
                eprintln!("interrupted; wrote {} as far as it came", output.display());
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    }
}

async fn all_cells(mut session: KernelSession, notebook: &mut Notebook) -> anyhow::Result<Ended> {
    let cells = notebook.code_cells();
    let progress = CellProgress::new(cells.len());
    for (number, cell) in (1..).zip(&cells) {
        progress.begin(&cell.source);
        let outcome = session.execute(&Execute::new(&cell.source)).await;
        let outcome = outcome
            .inspect_err(|_| progress.finish())
            .with_context(|| format!("cell {number} has no result"))?;
        let error = outcome.error();
        progress.end(number, outcome.ended_after);
        notebook.store(cell.index, outcome.execution_count(), outcome.outputs);
        if let (Some(error), MayFail::No) = (error, cell.may_fail) {
            progress.finish();
            return Ok(Ended::Failed { number, error });
        }
    }
    progress.finish();
    Ok(Ended::Finished)
}

/// Ctrl-C interrupts the kernel, so that the work ends by itself; a second one, SIGTERM, or a kernel that does not end its cell
/// abandons the work: `None`.
async fn interruptible(
    client: &Client,
    kernel: &str,
    work: impl Future<Output = anyhow::Result<Ended>>,
) -> anyhow::Result<Option<Ended>> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut work = std::pin::pin!(work);
    let mut give_up = None;
    loop {
        let overdue = async {
            match give_up {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = &mut work => return ended.map(Some),
            _ = interrupts.recv() => {
                if give_up.is_some() {
                    return Ok(None);
                }
                give_up = Some(tokio::time::Instant::now() + INTERRUPT_WITHIN);
                let client = client.clone();
                let kernel = kernel.to_owned();
                tokio::spawn(async move { timeout(INTERRUPT_WITHIN, client.interrupt(&kernel)).await });
            }
            _ = terminations.recv() => return Ok(None),
            () = overdue => return Ok(None),
        }
    }
}

/// `NB.out.ipynb` for `NB.ipynb`: the source stays as its author left it.
fn beside(notebook: &Path) -> PathBuf {
    notebook.with_extension("out.ipynb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_beside_the_notebook() {
        assert_eq!(beside(Path::new("a/b.ipynb")), Path::new("a/b.out.ipynb"));
        assert_eq!(beside(Path::new("b")), Path::new("b.out.ipynb"));
    }
}
