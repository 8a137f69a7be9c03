//! `nbos load`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use nbos_trace::{Idle, Session, Window, excerpt, read_tasks, spread};

use super::start::log_to_stderr;
use super::target::Target;
use crate::client::{Client, Host};
use crate::load::{Error, Limits, Live, Outcome, Plan, Report, Speed, drive, write};
use crate::show::{self, Output};
use crate::stop::Stop;

/// Hosts answer from memory.
const HOSTS_WITHIN: Duration = Duration::from_secs(10);
/// What `timeout`, shells and make expect of a program that Ctrl-C ended: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// Replay a trace against a running cluster
///
/// Each session of the trace is a kernel, each task a cell that holds its GPUs for its duration divided by the speed and changes a small
/// state, which the next cell checks. Times and GPU-hours of the report are those of the run. Ctrl-C ends it early: the kernels
/// are deleted and what was done is reported. The exit code is 0 when every cell ended well and found its state.
#[derive(Debug, clap::Args)]
pub(super) struct Load {
    /// Task list: a CSV with the columns num_gpu, submit_time and duration (minutes), rows grouped by session
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,
    /// How many times faster than the trace
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    speed: f64,
    /// Minute of the trace at which to begin
    #[arg(long, value_name = "M", default_value_t = 0.0, allow_negative_numbers = true)]
    start_min: f64,
    /// Minutes of the trace to replay; to its end otherwise
    #[arg(long, value_name = "H", allow_negative_numbers = true)]
    minutes: Option<f64>,
    /// So many of the sessions, evenly spread over them in the order in which they open
    #[arg(long, value_name = "N")]
    sessions: Option<usize>,
    /// Sessions that are open in the window count and have a kernel, even if they submit nothing in it
    #[arg(long)]
    with_idle: bool,
    /// GPUs of a cell that needs more; those of the largest host otherwise
    #[arg(long, value_name = "G")]
    gpus_max: Option<u32>,
    /// GPU memory that a cell takes on each of its GPUs, where devices are simulated
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    gpu_memory: u64,
    /// Users that the sessions belong to, in turns
    #[arg(long, value_name = "N", default_value_t = 4)]
    users: usize,
    /// Kernels that may be there at once; sessions above it wait
    #[arg(long, value_name = "N", default_value_t = 256)]
    kernels_max: usize,
    /// Directory for load.json, cells.csv and the charts
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl Load {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        log_to_stderr("warn");
        let speed = Speed::new(self.speed)?;
        let sessions = self.chosen(&read_tasks(&self.trace)?)?;
        let client = self.target.client()?;
        let hosts = client.hosts(HOSTS_WITHIN).await.context("cannot see the hosts")?;
        let (largest, devices) = sizes(&hosts)?;
        let limits = Limits {
            gpus: self.gpus_max.unwrap_or(largest).min(largest),
            users: self.users,
        };
        let plan = Plan::new(&sessions, speed, limits)?;
        let (outcome, stop) = self.carry_out(client, &plan).await?;
        let report = Report::new(&plan, &outcome, devices);
        let json = serde_json::to_value(&report).context("the report is no JSON")?;
        self.output.print(json, |_: &serde_json::Value| show::load(&report))?;
        let good = report.is_good();
        if let Some(dir) = self.out {
            save(dir, report, outcome).await?;
        }
        Ok(match (stop.has_fired(), good) {
            (true, _) => ExitCode::from(INTERRUPTED),
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::FAILURE,
        })
    }

    fn chosen(&self, trace: &[Session]) -> Result<Vec<Session>, Error> {
        let start = minutes("start-min", self.start_min)?;
        let end = match self.minutes {
            Some(value) => start.saturating_add(minutes("minutes", value)?),
            None => Duration::MAX,
        };
        let idle = if self.with_idle { Idle::Keep } else { Idle::LeaveOut };
        let open = excerpt(trace, Window { start, end }, idle);
        Ok(spread(open, self.sessions.unwrap_or(usize::MAX)))
    }

    async fn carry_out(&self, client: Client, plan: &Plan) -> anyhow::Result<(Outcome, Stop)> {
        let (_handle, stop) = Stop::on_signals()?;
        let live = Arc::new(Live::new(plan.cells()));
        eprintln!(
            "{} sessions, {} cells, about {:.0} s",
            plan.sessions.len(),
            plan.cells(),
            plan.lasts().as_secs_f64()
        );
        let gpu_bytes = self.gpu_memory.saturating_mul(1 << 20);
        let work = drive(
            client,
            plan,
            self.kernels_max.max(1),
            gpu_bytes,
            Arc::clone(&live),
            stop.clone(),
        );
        let outcome = tokio::select! {
            outcome = work => outcome,
            never = show::follow(live) => match never {},
        };
        Ok((outcome, stop))
    }
}

async fn save(dir: PathBuf, report: Report, outcome: Outcome) -> anyhow::Result<()> {
    let shown = dir.display().to_string();
    let written = tokio::task::spawn_blocking(move || write(Path::new(&dir), &report, &outcome));
    written.await.context("the results were not written")??;
    eprintln!("wrote {shown}");
    Ok(())
}

/// GPUs of the largest host, and of all together.
fn sizes(hosts: &[Host]) -> Result<(u32, u32), Error> {
    let up = || hosts.iter().filter(|host| host.is_up());
    let gpus = |host: &Host| u32::try_from(host.gpus.len()).unwrap_or(u32::MAX);
    let largest = up().map(gpus).max().ok_or(Error::NoHost)?;
    Ok((largest, up().map(gpus).sum()))
}

fn minutes(option: &'static str, value: f64) -> Result<Duration, Error> {
    Duration::try_from_secs_f64(value * 60.0).map_err(|_| Error::Minutes { option, value })
}
