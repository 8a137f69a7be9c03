//! Why a trace cannot be read.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the trace {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error(
        "the trace {} has no column `{column}`; its first line must name num_gpu, submit_time and duration, and has: {found}",
        path.display()
    )]
    NoColumn {
        path: PathBuf,
        column: &'static str,
        found: String,
    },
    #[error("{}, line {line}: {why}", path.display())]
    BadLine { path: PathBuf, line: u64, why: String },
    #[error("the trace {} holds no task", path.display())]
    Empty { path: PathBuf },
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::NoColumn { .. } | Self::BadLine { .. } | Self::Empty { .. } => "NB0137",
        }
    }
}
