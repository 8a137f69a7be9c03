//! What can go wrong with a host's GPUs.

use std::time::Duration;

use crate::{LeaseId, checkpoint};

/// Why the ledger said no. Part of the pure core, so it can be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No wait can help: this host does not have that many.
    #[error("{asked} GPUs asked of a host that has {installed}: ask for 1 to {installed}")]
    Impossible {
        /// What the request said.
        asked: u32,
        /// What the host has.
        installed: u32,
    },
    /// They did not come free in the time the request gave.
    #[error("{asked} GPUs did not come free within {waited:?}")]
    NoRoom {
        /// What the request said.
        asked: u32,
        /// How long it waited.
        waited: Duration,
    },
    /// The waiting line is at its bound.
    #[error("{waiting} requests already wait for this host's GPUs")]
    QueueFull {
        /// The bound.
        waiting: usize,
    },
    /// The holder is known under a newer epoch.
    #[error("epoch {epoch} of `{holder}` is over, it is at {newest}")]
    StaleEpoch {
        /// Who asked.
        holder: String,
        /// What it thinks its epoch is.
        epoch: u64,
        /// The newest epoch that holds or waits for devices here.
        newest: u64,
    },
    /// Expired, released, ended by a newer epoch, or never granted.
    #[error("lease {0} is over")]
    LeaseOver(LeaseId),
}

/// An error of this crate. Codes are documented in `docs/errors/`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The ledger actor is restarting or overloaded; the caller may ask again.
    #[error("the gpu ledger of this host does not answer")]
    Silent,
    /// `nvml = true` on a host whose NVIDIA driver library is absent or refuses to start.
    #[error("the nvidia driver cannot be used: {0}")]
    NoDriver(#[source] nvml_wrapper::error::NvmlError),
    /// A device failed while it was looked at.
    #[error("gpu {index} cannot be read: {reason}")]
    Device {
        /// Which one.
        index: u32,
        /// What the driver said.
        reason: String,
    },
    /// `release = "checkpoint"` on a host whose CUDA driver cannot.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::Error),
    /// The actors of this crate could not be started.
    #[error(transparent)]
    Supervision(#[from] nbos_supervision::Error),
}

impl Refusal {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Impossible { .. } => "NB0701",
            Self::NoRoom { .. } => "NB0702",
            Self::QueueFull { .. } => "NB0703",
            Self::StaleEpoch { .. } => "NB0704",
            Self::LeaseOver(_) => "NB0705",
        }
    }
}

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Silent => "NB0706",
            Self::NoDriver(_) => "NB0707",
            Self::Device { .. } => "NB0708",
            Self::Checkpoint(error) => error.code(),
            Self::Supervision(error) => error.code(),
        }
    }
}
