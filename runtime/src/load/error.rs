//! Why a load cannot be run or written down.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("--speed must be a number above 0, not {0}")]
    Speed(f64),
    #[error("--{option} must be a number of minutes, not {value}")]
    Minutes { option: &'static str, value: f64 },
    #[error("{0}")]
    NothingToDo(String),
    #[error("the cluster has no host that is up")]
    NoHost,
    #[error("cannot write {}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("cannot draw {}: {why}", path.display())]
    Undrawable { path: PathBuf, why: String },
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Speed(_) | Self::Minutes { .. } | Self::NothingToDo(_) | Self::NoHost => "NB0138",
            Self::Unwritable { .. } | Self::Undrawable { .. } => "NB0139",
        }
    }
}
