//! The one-off installation of Python packages.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::python::Progress;

/// A bar on a terminal, a line a step elsewhere.
#[derive(Debug, Default)]
pub(crate) struct PythonProgress {
    bar: Option<ProgressBar>,
}

impl PythonProgress {
    pub(crate) fn show(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Creating {
                dir,
                direct_requirements,
            } => {
                eprintln!("preparing Python in {} (first start only)", dir.display());
                if std::io::stderr().is_terminal() {
                    self.bar = Some(bar(direct_requirements));
                }
            }
            Progress::Waiting => eprintln!("another nbos prepares Python, waiting for it"),
            Progress::Collecting(name) => match &self.bar {
                Some(bar) => {
                    // Packages that packages need become known on the way.
                    if bar.length() <= Some(bar.position() + 1) {
                        bar.inc_length(1);
                    }
                    bar.inc(1);
                    bar.set_message(format!("getting {name}"));
                }
                None => eprintln!("  getting {name}"),
            },
            Progress::Installing => match &self.bar {
                Some(bar) => bar.set_message("unpacking"),
                None => eprintln!("  unpacking"),
            },
            Progress::Done => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                eprintln!("Python is ready");
            }
        }
    }
}

fn bar(requirements: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {bar:30} {pos}/{len} packages  {msg}  {elapsed}");
    let bar = ProgressBar::new(requirements as u64);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
