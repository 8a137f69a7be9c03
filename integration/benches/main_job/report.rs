//! `docs/results/main-job.md`.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use nbos_integration::{Sample, facts, millis, root};

use crate::CELLS;
use crate::jupyter::version;
use crate::work::{AtOnce, Starts, Trips};

#[derive(Debug)]
pub(crate) struct Report {
    text: String,
}

impl Report {
    pub(crate) fn new() -> Self {
        let mut text = String::from(
            "# The main job, measured\n\n\
             A cluster of three nodes on one machine (every cell replicated to three Python processes and committed to three \
             logs on disk before its reply) beside one jupyter_server (neither), by the same client in turns. The client is an \
             ordinary WebSocket client: no TCP_QUICKACK. jupyter_server leaves Nagle's algorithm on, which costs such a client a \
             delayed acknowledgement, about 40 ms, on most cells.\n\n",
        );
        text.push_str(&facts("just bench"));
        text.push_str(&format!("- beside: {}\n", version()));
        text.push_str("\n| what | runs | nbos | jupyter_server |\n|---|---|---|---|\n");
        Self { text }
    }

    /// Medians, ms.
    pub(crate) fn row(&mut self, name: &str, what: &str, ours: &Sample, theirs: &Sample) {
        let runs = ours.count();
        self.line(&format!(
            "| {name}: {what}, median ms | {runs} | {} | {} |",
            millis(ours.median()),
            millis(theirs.median())
        ));
    }

    pub(crate) fn starts(&mut self, starts: &[Starts; 2]) {
        let [ours, theirs] = starts;
        self.row("kernel start", "POST → 201", &ours.created, &theirs.created);
        self.row("kernel start", "POST → kernel_info reply", &ours.info, &theirs.info);
        self.row(
            "kernel start",
            "POST → first execute reply",
            &ours.executed,
            &theirs.executed,
        );
    }

    pub(crate) fn trips(&mut self, code: &str, framing: &str, trips: &[Trips; 2]) {
        let both = |sample: &Sample| format!("{} / {}", millis(sample.median()), millis(sample.percentile(0.99)));
        let [ours, theirs] = trips;
        let runs = ours.reply.count();
        self.line(&format!(
            "| `{code}`, {framing} framing: → reply, p50 / p99 ms | {runs} | {} | {} |",
            both(&ours.reply),
            both(&theirs.reply)
        ));
        self.line(&format!(
            "| `{code}`, {framing} framing: → reply and idle, p50 / p99 ms | {runs} | {} | {} |",
            both(&ours.idle),
            both(&theirs.idle)
        ));
    }

    pub(crate) fn at_once(&mut self, kernels: usize, seen: &[AtOnce]) {
        let [ours, theirs] = seen else { return };
        let rate = |seen: &AtOnce| format!("{:.0}", seen.trips.count() as f64 / seen.took.as_secs_f64());
        let both = |seen: &AtOnce| {
            format!(
                "{} / {}",
                millis(seen.trips.median()),
                millis(seen.trips.percentile(0.99))
            )
        };
        let runs = ours.trips.count();
        self.line(&format!(
            "| {kernels} kernels at once, `pass`: cells a second | {runs} | {} | {} |",
            rate(ours),
            rate(theirs)
        ));
        self.line(&format!(
            "| {kernels} kernels at once, `pass`: → reply, p50 / p99 ms | {runs} | {} | {} |",
            both(ours),
            both(theirs)
        ));
        let mib = |kib: u64| format!("{:.1}", kib as f64 / 1_024.0);
        self.line(&format!(
            "| memory without a kernel, all server processes, RSS MiB | 1 | {} | {} |",
            mib(ours.idle.servers + ours.idle.kernels),
            mib(theirs.idle.servers + theirs.idle.kernels)
        ));
        self.line(&format!(
            "| memory of one kernel in the servers, RSS MiB | {kernels} | {} | {} |",
            mib(ours.per_kernel.servers),
            mib(theirs.per_kernel.servers)
        ));
        self.line(&format!(
            "| memory of one kernel in its Python processes (three, one), RSS MiB | {kernels} | {} | {} |",
            mib(ours.per_kernel.kernels),
            mib(theirs.per_kernel.kernels)
        ));
    }

    pub(crate) fn failover(&mut self, answered: &Sample, carried_on: &Sample) {
        let both = |sample: &Sample| format!("{} / {}", millis(sample.median()), millis(sample.longest()));
        let runs = answered.count();
        let what = format!("executor's node `kill -9`ed within {CELLS} cells");
        self.line(&format!(
            "| {what}: → next reply, median / longest ms | {runs} | {} | session lost |",
            both(answered)
        ));
        self.line(&format!(
            "| {what}: → next good cell, median / longest ms | {runs} | {} | session lost |",
            both(carried_on)
        ));
    }

    pub(crate) fn write(mut self, took: Duration) {
        self.text
            .push_str(&format!("\nThe run took {:.0} s.\n", took.as_secs_f64()));
        print!("{}", self.text);
        let path = root().join("docs/results/main-job.md");
        let written = fs::create_dir_all(root().join("docs/results")).and_then(|()| fs::write(&path, &self.text));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn line(&mut self, line: &str) {
        eprintln!("{line}");
        let _ = writeln!(self.text, "{line}");
    }
}
