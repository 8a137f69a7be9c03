//! A load: how it stands, and what came of it.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nbos_trace::Distribution;
use tokio::time::{Instant, interval};

use super::table::table;
use crate::load::{Live, Now, Report};

/// A look at the screen.
const REDRAW: Duration = Duration::from_millis(500);
/// Without a terminal, a line so often.
const LINE: Duration = Duration::from_secs(5);

/// Shows how a load stands until it is dropped: a bar and a table on a terminal, lines elsewhere; both on standard error.
pub(crate) async fn follow(live: Arc<Live>) -> Infallible {
    match std::io::stderr().is_terminal() {
        true => on_terminal(&live).await,
        false => in_lines(&live).await,
    }
}

async fn on_terminal(live: &Live) -> Infallible {
    let all = MultiProgress::new();
    let style =
        |template: &str| ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = all.add(ProgressBar::new(live.now().planned as u64));
    bar.set_style(style("{spinner} {bar:40} {pos}/{len} cells  {elapsed}"));
    let shown = all.add(ProgressBar::new_spinner());
    shown.set_style(style("{msg}"));
    // Wipes the screen however this future ends.
    let _wipe = Wipe(all);
    let mut every = interval(REDRAW);
    loop {
        every.tick().await;
        let now = live.now();
        bar.set_position(now.ended as u64);
        shown.set_message(standing(&now));
    }
}

async fn in_lines(live: &Live) -> Infallible {
    let (began, mut every) = (Instant::now(), interval(LINE));
    // The first tick is at once, when there is nothing to say.
    every.tick().await;
    loop {
        every.tick().await;
        let now = live.now();
        eprintln!(
            "{:.0} s: {} of {} cells done ({} failed), {} running, {} waiting, {} of {} GPUs lent, at once {}, p95 delay {}, {} kernels",
            began.elapsed().as_secs_f64(),
            now.ended,
            now.planned,
            now.failed,
            now.running,
            now.waiting,
            now.held,
            now.devices,
            percent(now.at_once),
            milliseconds(now.p95),
            now.kernels,
        );
    }
}

struct Wipe(MultiProgress);

impl Drop for Wipe {
    fn drop(&mut self) {
        // A terminal that is gone needs no wiping.
        let _ = self.0.clear();
    }
}

fn standing(now: &Now) -> String {
    let row = [
        now.kernels.to_string(),
        now.running.to_string(),
        now.waiting.to_string(),
        now.ended.to_string(),
        now.failed.to_string(),
        format!("{} of {}", now.held, now.devices),
        percent(now.at_once),
        milliseconds(now.p95),
    ];
    table(
        [
            "KERNELS",
            "RUNNING",
            "WAITING",
            "DONE",
            "FAILED",
            "GPUS LENT",
            "AT ONCE",
            "P95 DELAY",
        ],
        &[row],
    )
}

/// What a load came to.
pub(crate) fn load(report: &Report) -> String {
    let row = |name: &str, value: String| [name.to_owned(), value];
    let (cells, hours) = (report.cells, report.gpu_hours);
    let gpu_seconds = |hours: f64| format!("{:.1} GPU-seconds", hours * 3_600.0);
    let mut rows = vec![
        row(
            "sessions",
            format!("{}, {} of them idle", report.sessions, report.idle_sessions),
        ),
        row(
            "cells",
            format!(
                "{} of {} ended well, {} failed, {} not run, {} with fewer GPUs than in the trace",
                cells.well, cells.planned, cells.failed, cells.not_run, cells.clamped
            ),
        ),
        row(
            "lasted",
            format!("{:.1} s at {} times the trace's speed", report.lasted_s, report.speed),
        ),
        row("GPUs held", gpu_seconds(hours.held)),
        row("GPUs active", gpu_seconds(hours.active)),
        row("reservation", gpu_seconds(hours.reservation)),
        row("saved", percent(report.saved_vs_reservation)),
        row("GPUs at once", percent(report.immediate_commit)),
        row("same executor", percent(report.executor_reuse)),
        row("migrations", report.migrations.to_string()),
        row("delay", distribution(&report.delay_s)),
        row("completion", distribution(&report.tct_s)),
        row("state errors", report.state_errors.to_string()),
    ];
    rows.extend(report.errors.iter().map(|error| {
        let first = error.first.lines().next().unwrap_or_default();
        row("error", format!("{} × {}: {first}", error.count, error.kind))
    }));
    table(["WHAT", ""], &rows)
}

fn distribution(of: &Distribution) -> String {
    let parts = [
        ("p50", of.p50),
        ("p90", of.p90),
        ("p95", of.p95),
        ("p99", of.p99),
        ("p99.9", of.p99_9),
        ("mean", of.mean),
        ("max", of.max),
    ];
    let texts = parts.map(|(name, seconds)| format!("{name} {}", milliseconds(seconds)));
    texts.join(", ")
}

fn milliseconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{:.0} ms", seconds * 1e3))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}
