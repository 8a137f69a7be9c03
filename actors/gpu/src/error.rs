//! What can go wrong with a host's GPUs.

use std::time::Duration;

use crate::{LeaseId, checkpoint};

/// Why the ledger said no. Part of the pure core, so it can be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No wait can help: this host does not have that many.
    #[error("{asked} GPUs{} asked of a host that has {installed}: ask for 1 to {installed}", of_memory(*memory))]
    Impossible {
        /// What the request said.
        asked: u32,
        /// Bytes that each of them must have.
        memory: u64,
        /// What the host has, of this size.
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
    /// The waiting line of one user is at its bound.
    #[error("{waiting} requests of user `{user}` already wait for this host's GPUs")]
    UserQueueFull {
        /// Whose.
        user: String,
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
    /// Ended because a device failed.
    #[error("lease {lease} is over: gpu {device} failed: {why}")]
    DeviceFailed {
        /// Which lease.
        lease: LeaseId,
        /// Which of its devices.
        device: u32,
        /// What is known.
        why: String,
    },
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
    /// A fault was to be injected in a real device.
    #[error("gpu {0} is real, faults can be injected in simulated ones only")]
    NotSimulated(u32),
    /// The host has fewer devices.
    #[error("there is no gpu {index} on a host that has {installed}, they are counted from 0")]
    NoDevice {
        /// The index asked for.
        index: u32,
        /// How many there are.
        installed: u32,
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
            Self::UserQueueFull { .. } => "NB0714",
            Self::DeviceFailed { .. } => "NB0715",
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
            Self::NotSimulated(_) => "NB0716",
            Self::NoDevice { .. } => "NB0717",
            Self::Checkpoint(error) => error.code(),
            Self::Supervision(error) => error.code(),
        }
    }
}

fn of_memory(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => format!(" with {} MiB each", bytes.div_ceil(1 << 20)),
    }
}
