//! A device, real or simulated, behind the few things the ledger needs of it.
//!
//! What is here outlives the actor that drives it, as a card outlives its driver.

use std::path::Path;

use crate::fault::Fault;
use crate::{Device, Error, GpuOptions, GpuProcess, LeaseId, nvml, simulated};

/// What does not change about a device.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) device: Device,
    pub(crate) name: String,
    /// Bytes.
    pub(crate) memory_total: u64,
}

/// One look at a device that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    /// Bytes.
    pub(crate) memory_used: u64,
    /// Percent.
    pub(crate) utilisation: Option<u32>,
    /// Ordered by pid.
    pub(crate) processes: Vec<GpuProcess>,
    pub(crate) occupancy: Occupancy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occupancy {
    /// Nothing of any holder is on it.
    Clear,
    Occupied,
}

#[derive(Debug)]
pub(crate) enum Hardware {
    Simulated(simulated::Gpu),
    Nvml(nvml::Gpu),
}

/// Finds the host's devices. `context` is what a process may keep on a real one between two cells, in bytes.
/// Blocks while the driver starts, which can take seconds on a machine with many GPUs.
pub(crate) fn discover(gpus: GpuOptions, node: &str, dir: &Path, context: u64) -> Result<Vec<Hardware>, Error> {
    match gpus {
        GpuOptions::Simulated(count) => {
            let gpu = |index| simulated::Gpu::new(node, index, dir).map(Hardware::Simulated);
            (0..count).map(gpu).collect()
        }
        GpuOptions::Nvml => Ok(nvml::discover(context)?.into_iter().map(Hardware::Nvml).collect()),
    }
}

impl Hardware {
    pub(crate) fn about(&self) -> &About {
        match self {
            Self::Simulated(gpu) => gpu.about(),
            Self::Nvml(gpu) => gpu.about(),
        }
    }

    /// This lease has ended; said before each look that is to find the device clear of it.
    pub(crate) fn released(&self, lease: LeaseId) {
        match self {
            Self::Simulated(gpu) => gpu.released(lease),
            // The holder's own process gives the memory back; `look` tells when.
            Self::Nvml(_) => {}
        }
    }

    /// Reads the device. Blocks on the driver.
    pub(crate) fn look(&self) -> Result<Look, Error> {
        match self {
            Self::Simulated(gpu) => gpu.look(),
            Self::Nvml(gpu) => gpu.look(),
        }
    }

    pub(crate) fn inject(&self, fault: Fault) -> Result<(), Error> {
        match self {
            Self::Simulated(gpu) => {
                gpu.inject(fault);
                Ok(())
            }
            Self::Nvml(gpu) => Err(Error::NotSimulated(gpu.about().device.index)),
        }
    }

    pub(crate) fn repair(&self) -> Result<(), Error> {
        match self {
            Self::Simulated(gpu) => {
                gpu.repair();
                Ok(())
            }
            Self::Nvml(gpu) => Err(Error::NotSimulated(gpu.about().device.index)),
        }
    }
}
