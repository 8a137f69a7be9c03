//! A notebook's run.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal, a line a cell elsewhere; both on standard error.
#[derive(Debug)]
pub(crate) struct CellProgress {
    bar: Option<ProgressBar>,
    cells: usize,
}

impl CellProgress {
    pub(crate) fn new(cells: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {bar:40} {pos}/{len} cells  {msg}  {elapsed}");
            let bar = ProgressBar::new(cells as u64);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, cells }
    }

    /// A cell begins; `source` is what it runs.
    pub(crate) fn begin(&self, source: &str) {
        if let Some(bar) = &self.bar {
            let line = source.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            bar.set_message(line.chars().take(40).collect::<String>());
        }
    }

    /// The cell with this number, from 1, has ended.
    pub(crate) fn end(&self, number: usize, took: Duration) {
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => eprintln!("cell {number}/{} took {:.2} s", self.cells, took.as_secs_f64()),
        }
    }

    /// Leaves the screen to what follows.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
