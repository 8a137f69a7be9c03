//! What can go wrong as a process is suspended or resumed.

use super::course::{ProcessState, Step, Why};

/// An error of the checkpoint driver. Codes are documented in `docs/errors/`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine cannot do it at all: no driver, an old one, or one that does not start.
    #[error("the cuda driver cannot suspend processes: {0}")]
    Unavailable(String),
    /// A step failed. What could be taken back was.
    #[error("process {pid} could not be brought {to}: {step}: {why}; {}", left_as(*.left))]
    Failed {
        /// Which process.
        pid: u32,
        /// "off the gpu" or "back on the gpu".
        to: &'static str,
        /// The step that failed first.
        step: Step,
        /// What the driver said.
        why: Why,
        /// What the process is now; none when the driver does not say.
        left: Option<ProcessState>,
    },
    /// The driver did not come back in time. It may yet finish; until then nothing else is asked about the process.
    #[error("the cuda driver does not answer about process {pid}")]
    Silent {
        /// Which process.
        pid: u32,
    },
    /// Before CUDA 13.0 a process comes back only on the devices it left.
    #[error("process {pid} cannot move to other gpus: the driver is of CUDA {major}.{minor}, 13.0 is needed", major = .version / 1000, minor = .version % 1000 / 10)]
    Fixed {
        /// Which process.
        pid: u32,
        /// As the driver writes it: 12080 is 12.8.
        version: i32,
    },
    /// A device's uuid is not one.
    #[error("`{0}` is not the uuid of a gpu")]
    BadUuid(String),
}

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "NB0710",
            Self::Failed { .. } => "NB0711",
            Self::Silent { .. } => "NB0712",
            Self::Fixed { .. } | Self::BadUuid(_) => "NB0713",
        }
    }
}

fn left_as(left: Option<ProcessState>) -> String {
    match left {
        Some(state) => format!("it is {state} now"),
        None => "the driver does not say what it is now".to_owned(),
    }
}
