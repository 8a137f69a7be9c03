//! `docs/results/start.md`.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use nbos_integration::{Sample, facts, millis, root};

use crate::jupyter::version;
use crate::way::Way;

#[derive(Debug)]
pub(crate) struct Report {
    text: String,
}

impl Report {
    pub(crate) fn new() -> Self {
        let mut text = String::from(
            "# How fast a kernel starts, measured\n\n\
             Three clusters of three nodes (a kernel is three Python processes, and its first cell is committed to three logs before its \
             reply) and one jupyter_server (one process, no replication) on one machine, in turns, by one client. Times are since \
             `POST /api/kernels` was sent; each start finds the machine at rest and, for the pool, one kernel ready on each host. Private memory \
             is Private_Clean + Private_Dirty of an idle standby's Python process.\n\n",
        );
        text.push_str(&facts("just bench-start"));
        let _ = write!(text, "- beside: {}\n\n", version());
        text.push_str(
            "| way | runs | → 201, p50 / p95 ms | → WebSocket open | → kernel_info reply | → first execute reply | private memory, median / largest MiB |\n\
             |---|---|---|---|---|---|---|\n",
        );
        Self { text }
    }

    pub(crate) fn way(&mut self, way: &Way) {
        let both = |sample: &Sample| format!("{} / {}", millis(sample.median()), millis(sample.percentile(0.95)));
        let mib = |kib: &u64| format!("{:.1}", *kib as f64 / 1_024.0);
        let memory = match (way.private.get(way.private.len() / 2), way.private.last()) {
            (Some(median), Some(largest)) => format!("{} / {}", mib(median), mib(largest)),
            (None, _) | (_, None) => "no standby".to_owned(),
        };
        let line = format!(
            "| {} | {} | {} | {} | {} | **{}** | {memory} |\n",
            way.name,
            way.executed.count(),
            both(&way.created),
            both(&way.opened),
            both(&way.info),
            both(&way.executed),
        );
        self.text.push_str(&line);
    }

    pub(crate) fn write(mut self, took: Duration) {
        let _ = write!(self.text, "\nThe run took {:.0} s.\n", took.as_secs_f64());
        print!("{}", self.text);
        let path = root().join("docs/results/start.md");
        fs::write(&path, &self.text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
