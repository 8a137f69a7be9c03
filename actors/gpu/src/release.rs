//! How sessions of this host give their GPU memory back between cells: chosen once, when the node starts.

use crate::checkpoint::{Checkpointer, Error};
use crate::{GpuOptions, Options, ReleaseOption};

/// What a replica does with its child process after a cell that held GPUs, before it releases the lease.
#[derive(Debug, Clone)]
pub enum Release {
    /// Suspends the child, and resumes it before the next cell.
    Checkpoint(Checkpointer),
    /// Has the child move its tensors to host memory.
    Offload,
    /// Ends the child once the session's state is stored.
    Respawn,
}

impl Release {
    /// Blocks while the CUDA driver starts.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when nothing but the driver is allowed and it cannot.
    pub(crate) fn choose(gpus: GpuOptions, options: &Options) -> Result<Self, Error> {
        let probe = || Checkpointer::probe(options.driver.as_deref()).map(Self::Checkpoint);
        match (options.release, gpus) {
            (ReleaseOption::Offload, _) => Ok(Self::Offload),
            (ReleaseOption::Respawn, _) => Ok(Self::Respawn),
            (ReleaseOption::Checkpoint, _) => probe(),
            // Simulated devices know of the system's driver as little as it of them.
            (ReleaseOption::Auto, GpuOptions::Simulated(_)) if options.driver.is_none() => Ok(Self::Offload),
            (ReleaseOption::Auto, GpuOptions::Simulated(_) | GpuOptions::Nvml) => Ok(probe().unwrap_or_else(|error| {
                tracing::info!(%error, "sessions move their tensors to host memory between cells");
                Self::Offload
            })),
        }
    }
}
