//! `docs/results/state.md`.

use std::fs;
use std::time::Duration;

use nbos_integration::{Sample, facts, millis, root};

use crate::notebook::Memory;

#[derive(Debug)]
pub(crate) struct Report {
    text: String,
}

impl Report {
    pub(crate) fn new() -> Self {
        let text = format!(
            "# What keeping the state costs, measured\n\n{}\nA cluster of three nodes shares this machine: every byte is stored three times on one disk, and \
             six Python processes and three nodes share its cores.\n",
            facts("just bench-state")
        );
        Self { text }
    }

    pub(crate) fn hook(&mut self, rows: &str) {
        self.line("\n## The hook after a cell, in the kernel's process\n");
        self.line(rows.trim_end());
        self.line("\n## On the cluster\n\n| what | runs | result |\n|---|---|---|");
    }

    pub(crate) fn small(&mut self, durable: &Sample, sent: &mut [u64]) {
        let times = [0.5, 0.9, 0.99]
            .map(|share| millis(durable.percentile(share)))
            .join(" / ");
        self.row(
            "`x += 1`: end of the cell → reply, committed on a quorum, p50 / p90 / p99 ms",
            durable.count(),
            &times,
        );
        let bytes = format!("{:.1} KiB", median(sent) as f64 / 1_024.0);
        self.row(
            "`x += 1`: bytes over loopback, heartbeats and the client's included, median",
            sent.len(),
            &bytes,
        );
    }

    pub(crate) fn new_array(&mut self, copies: &Sample, arrays: &Sample, bytes: u64) {
        let speed = |time: Duration| bytes as f64 / 1e9 / time.as_secs_f64();
        let (copy, array) = (speed(copies.median()), speed(arrays.median()));
        self.row(
            "1 GiB, plain copy over loopback into a file, machine at rest before, median GB/s",
            copies.count(),
            &format!("{copy:.2}"),
        );
        self.row(
            "1 GiB array, new, machine at rest before: end of the cell → reply, on a quorum, median GB/s",
            arrays.count(),
            &format!("{array:.2}"),
        );
        self.row(
            "the same as a share of the plain copy (target: 60 %)",
            arrays.count(),
            &format!("{:.0} %", 100.0 * array / copy),
        );
    }

    pub(crate) fn at_rest(&mut self, without: &Sample, with: &Sample) {
        let times = format!("{} / {}", millis(without.median()), millis(with.median()));
        self.row(
            "`x += 1` without and with a 1 GiB array at rest, p50 ms",
            with.count(),
            &times,
        );
    }

    pub(crate) fn changed(&mut self, changed: &Sample, sent: &mut [u64]) {
        self.row(
            "1 GiB array, one element changed: end of the cell → reply, median ms",
            changed.count(),
            &millis(changed.median()),
        );
        let bytes = format!("{:.1} MiB", median(sent) as f64 / f64::from(1 << 20));
        self.row(
            "the same: bytes over loopback until both peers have it, all else included, median",
            sent.len(),
            &bytes,
        );
    }

    pub(crate) fn memory(&mut self, before: Memory, after: Memory) {
        let mib = |kib: u64| kib / 1_024;
        let both = |memory: Memory| {
            let [first, second] = memory.standbys;
            format!("{} / {}, {}", mib(memory.executor), mib(first), mib(second))
        };
        self.row(
            "Python's memory, executor / standbys, numpy imported, MiB",
            1,
            &both(before),
        );
        self.row("the same with a 1 GiB array", 1, &both(after));
    }

    pub(crate) fn beside(&mut self, quiet: &Sample, beside: &Sample) {
        let times = |sample: &Sample| {
            let times = [sample.median(), sample.percentile(0.99), sample.longest()];
            times.map(millis).join(" / ")
        };
        self.row(
            "`x += 1` of another kernel, quiet machine, p50 / p99 / longest ms",
            quiet.count(),
            &times(quiet),
        );
        self.row(
            "the same while 1 GiB arrays are made and replicated, p50 / p99 / longest ms",
            beside.count(),
            &times(beside),
        );
        let share = beside.percentile(0.99).as_secs_f64() / quiet.percentile(0.99).as_secs_f64();
        self.row(
            "the second p99 as a multiple of the first (target: 2)",
            1,
            &format!("{share:.1}"),
        );
    }

    pub(crate) fn write(mut self, took: Duration) {
        self.text.push_str(&format!(
            "\nThe run took {:.0} s. Load after it: {}.\n",
            took.as_secs_f64(),
            load()
        ));
        let path = root().join("docs/results/state.md");
        fs::write(&path, &self.text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn row(&mut self, what: &str, runs: usize, result: &str) {
        self.line(&format!("| {what} | {runs} | {result} |"));
    }

    fn line(&mut self, line: &str) {
        eprintln!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Compared with the load before it, it says whether others took part of the machine meanwhile.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
