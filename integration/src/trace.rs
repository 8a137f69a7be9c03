//! What user code left outside its session: a file that every running cell writes to.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A file with one line a step: the process and the time.
#[derive(Clone, Debug)]
pub struct Trace {
    path: PathBuf,
}

impl Trace {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// A cell that takes so many steps, of 20 ms each.
    pub fn cell(&self, steps: u32) -> String {
        format!(
            "import os, time\nfor step in range({steps}):\n    with open({:?}, 'a') as trace:\n        \
             trace.write(f'{{os.getpid()}} {{time.time()}}\\n')\n    time.sleep(0.02)\n",
            self.path
        )
    }

    /// Steps taken so far.
    pub fn steps(&self) -> usize {
        self.lines().len()
    }

    /// Invariant 3: no two processes ran at once. Gives how many there were.
    ///
    /// # Panics
    /// When two did.
    pub fn assert_no_overlap(&self) -> usize {
        let mut spans: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for (pid, at) in self.lines() {
            let span = spans.entry(pid).or_insert((at, at));
            *span = (span.0.min(at), span.1.max(at));
        }
        let mut ordered: Vec<_> = spans.iter().collect();
        ordered.sort_by(|(_, left), (_, right)| left.0.total_cmp(&right.0));
        for pair in ordered.windows(2) {
            let [(first, (_, end)), (second, (begin, _))] = pair else {
                continue;
            };
            assert!(
                end < begin,
                "process {first} still ran {} s after {second} had begun",
                end - begin
            );
        }
        spans.len()
    }

    fn lines(&self) -> Vec<(u32, f64)> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let parse = |line: &str| {
            let (pid, at) = line.split_once(' ')?;
            Some((pid.parse().ok()?, at.parse().ok()?))
        };
        text.lines().filter_map(parse).collect()
    }
}
