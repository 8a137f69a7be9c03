//! A device, real or simulated, behind the few things the ledger needs of it.
//!
//! What is here outlives the actor that drives it, as a card outlives its driver.

use crate::{Device, Error, GpuOptions, nvml, simulated};

/// What does not change about a device.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) device: Device,
    pub(crate) name: String,
    /// Bytes.
    pub(crate) memory_total: u64,
}

/// One look at a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Bytes.
    pub(crate) memory_used: u64,
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

/// Finds the host's devices. Blocks while the driver starts, which can take seconds on a machine with many GPUs.
pub(crate) fn discover(options: GpuOptions, node: &str) -> Result<Vec<Hardware>, Error> {
    match options {
        GpuOptions::Simulated(count) => Ok((0..count)
            .map(|index| Hardware::Simulated(simulated::Gpu::new(node, index)))
            .collect()),
        GpuOptions::Nvml => Ok(nvml::discover()?.into_iter().map(Hardware::Nvml).collect()),
    }
}

impl Hardware {
    pub(crate) fn about(&self) -> &About {
        match self {
            Self::Simulated(gpu) => gpu.about(),
            Self::Nvml(gpu) => gpu.about(),
        }
    }

    /// A lease begins.
    pub(crate) fn bind(&self) {
        match self {
            Self::Simulated(gpu) => gpu.occupy(),
            // The holder's own process takes the memory.
            Self::Nvml(_) => {}
        }
    }

    /// A lease has ended.
    pub(crate) fn unbind(&self) {
        match self {
            Self::Simulated(gpu) => gpu.vacate(),
            // The holder's own process gives the memory back; `look` tells when.
            Self::Nvml(_) => {}
        }
    }

    /// Reads the device. Blocks on the driver.
    pub(crate) fn look(&self) -> Result<Look, Error> {
        match self {
            Self::Simulated(gpu) => Ok(gpu.look()),
            Self::Nvml(gpu) => gpu.look(),
        }
    }
}
