//! Real devices, through NVIDIA's management library. It comes with the driver and is loaded at run time, so the
//! program also starts where it is absent.

use std::sync::Arc;

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use crate::hardware::{About, Look, Occupancy};
use crate::{Device, Error};

/// How much a clear device's memory may differ from what it used when the node started. The driver's own share moves
/// by some MiB; a bare CUDA context takes hundreds.
const SLACK: u64 = 64 << 20;

pub(crate) struct Gpu {
    nvml: Arc<Nvml>,
    about: About,
    /// Bytes in use when the node started, the driver's own share above all.
    memory_idle: u64,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu")
            .field("about", &self.about)
            .field("memory_idle", &self.memory_idle)
            .finish_non_exhaustive()
    }
}

/// Loads the library and lists the devices.
pub(crate) fn discover() -> Result<Vec<Gpu>, Error> {
    let nvml = Arc::new(Nvml::init().map_err(Error::NoDriver)?);
    let count = nvml.device_count().map_err(Error::NoDriver)?;
    (0..count)
        .map(|index| describe(&nvml, index).map_err(|error| device_error(index, &error)))
        .collect()
}

fn describe(nvml: &Arc<Nvml>, index: u32) -> Result<Gpu, NvmlError> {
    let device = nvml.device_by_index(index)?;
    let memory = device.memory_info()?;
    let about = About {
        device: Device {
            index,
            uuid: device.uuid()?,
        },
        name: device.name()?,
        memory_total: memory.total,
    };
    Ok(Gpu {
        nvml: Arc::clone(nvml),
        about,
        memory_idle: memory.used,
    })
}

impl Gpu {
    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    /// Clear means: no compute process on it, and no more memory in use than when the node started. The second
    /// catches processes of other pid namespaces, which the list may leave out.
    pub(crate) fn look(&self) -> Result<Look, Error> {
        let look = || {
            // By uuid: an index may move when a card falls off the bus.
            let device = self.nvml.device_by_uuid(self.about.device.uuid.as_str())?;
            let memory_used = device.memory_info()?.used;
            let idle = device.running_compute_processes()?.is_empty() && memory_used <= self.memory_idle + SLACK;
            let occupancy = if idle { Occupancy::Clear } else { Occupancy::Occupied };
            Ok(Look { memory_used, occupancy })
        };
        look().map_err(|error| device_error(self.about.device.index, &error))
    }
}

fn device_error(index: u32, error: &NvmlError) -> Error {
    Error::Device {
        index,
        reason: error.to_string(),
    }
}
