//! Why there is no Python for kernels.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "python3 was not found in PATH; install Python {MIN_PYTHON} or later (Debian, Ubuntu: `apt install python3 python3-venv`) or name one with --python"
    )]
    NoPython,
    #[error(
        "{path} cannot make a private environment because `{module}` is missing; install it (Debian, Ubuntu: `apt install python3-venv`) or name an interpreter that has ipykernel with --python"
    )]
    NoVenv { path: PathBuf, module: String },
    #[error("pip could not install the kernel's packages into {dir}: {why}\n{output}")]
    InstallFailed { dir: PathBuf, why: String, output: String },
    #[error("{path} cannot run kernels: {missing}; run `{path} -m pip install {install}`")]
    Unsupported {
        path: PathBuf,
        missing: String,
        install: String,
    },
    #[error("{path} is Python {found}; kernels need {MIN_PYTHON} or later")]
    TooOld { path: PathBuf, found: String },
    #[error("cannot use {path} for the Python environment")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} does not run as a Python interpreter: {why}")]
    DoesNotRun { path: PathBuf, why: String },
}

/// Oldest Python that numpy's and ipykernel's pinned releases have wheels for.
const MIN_PYTHON: &str = "3.10";

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPython => "NB0921",
            Self::NoVenv { .. } => "NB0922",
            Self::InstallFailed { .. } => "NB0923",
            Self::Unsupported { .. } => "NB0924",
            Self::TooOld { .. } => "NB0925",
            Self::Io { .. } => "NB0926",
            Self::DoesNotRun { .. } => "NB0927",
        }
    }
}
