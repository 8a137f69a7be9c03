//! What became of a load, cell by cell. Times count from the load's start.

use std::time::Duration;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellRecord {
    /// The session's number in the trace.
    pub session: usize,
    pub gpus: u32,
    /// When its user asked for it and the cell before it had ended.
    pub ready: Duration,
    /// From then to its reply, or to when it was given up.
    pub took: Duration,
    /// From then to its first words; `None` for one that did not begin.
    pub delay: Option<Duration>,
    /// In line for GPUs at the host that lent them, as that host says.
    pub waited: Option<Duration>,
    /// As long as they were lent, as that host says.
    pub held: Option<Duration>,
    /// Training, as the cell says.
    pub trained: Duration,
    /// Who ran it, as that host says.
    pub host: Option<String>,
    pub ending: Ending,
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What of its state was wrong is empty, or it is our fault.
    Well { wrong: Vec<String> },
    /// Kind and text of the error.
    Failed { kind: String, what: String },
}

/// One session's kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    pub session: usize,
    pub gpus: u32,
    pub opened: Duration,
    pub closed: Duration,
    /// Kind and text of what went wrong with the kernel itself.
    pub failures: Vec<(String, String)>,
}

/// The cluster at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    pub at: Duration,
    /// GPUs lent to kernels of this load.
    pub held: u32,
}

impl CellRecord {
    pub fn is_well(&self) -> bool {
        matches!(self.ending, Ending::Well { .. })
    }

    /// When its code began, and when that ended as far as the client can see.
    pub fn ran(&self) -> Option<(Duration, Duration)> {
        let began = self.ready + self.delay?;
        Some((began, (began + self.trained).min(self.ready + self.took)))
    }
}
