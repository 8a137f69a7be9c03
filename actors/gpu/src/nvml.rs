//! Real devices, through NVIDIA's management library. It comes with the driver and is loaded at run time, so the
//! program also starts where it is absent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::event::EventSet;

use crate::hardware::{About, Hardware, Look, Occupancy};
use crate::{Device, Error, GpuProcess, xid};

/// How much a clear device's memory may differ from what it used when the node started. The driver's own share moves
/// by some MiB; a bare CUDA context takes hundreds.
const SLACK: u64 = 64 << 20;

/// Longest wait for an event, so that the thread that waits ends soon after the node's devices.
const WAIT: Duration = Duration::from_secs(1);

pub(crate) struct Gpu {
    nvml: Arc<Nvml>,
    about: About,
    /// Bytes in use when the node started, the driver's own share above all.
    memory_idle: u64,
    /// Bytes that each process may keep between two cells.
    context: u64,
    /// An Xid after which nothing but a reset helps; 0 for none. Stays for the life of the node.
    xid: AtomicU64,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu")
            .field("about", &self.about)
            .field("memory_idle", &self.memory_idle)
            .field("xid", &self.xid)
            .finish_non_exhaustive()
    }
}

/// Loads the library and lists the devices.
pub(crate) fn discover(context: u64) -> Result<Vec<Gpu>, Error> {
    let nvml = Arc::new(Nvml::init().map_err(Error::NoDriver)?);
    let count = nvml.device_count().map_err(Error::NoDriver)?;
    (0..count)
        .map(|index| describe(&nvml, index, context).map_err(|error| device_error(index, &error)))
        .collect()
}

fn describe(nvml: &Arc<Nvml>, index: u32, context: u64) -> Result<Gpu, NvmlError> {
    let device = nvml.device_by_index(index)?;
    let memory = device.memory_info()?;
    let about = About {
        device: Device {
            index,
            uuid: device.uuid()?,
            path: None,
        },
        name: device.name()?,
        memory_total: memory.total,
    };
    Ok(Gpu {
        nvml: Arc::clone(nvml),
        about,
        memory_idle: memory.used,
        context,
        xid: AtomicU64::new(0),
    })
}

impl Gpu {
    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    pub(crate) fn look(&self) -> Result<Look, Error> {
        let index = self.about.device.index;
        match self.xid.load(Ordering::Relaxed) {
            0 => {}
            code => {
                let what = xid::fatal(code).unwrap_or("unknown");
                let reason = format!("xid {code}, {what}: it must be reset and the node restarted");
                return Err(Error::Device { index, reason });
            }
        }
        let look = || {
            // By uuid: an index may move when a card falls off the bus.
            let device = self.nvml.device_by_uuid(self.about.device.uuid.as_str())?;
            let memory_used = device.memory_info()?.used;
            let mut processes: Vec<GpuProcess> = device
                .running_compute_processes()?
                .into_iter()
                .map(|it| GpuProcess {
                    pid: it.pid,
                    memory: match it.used_gpu_memory {
                        UsedGpuMemory::Used(bytes) => Some(bytes),
                        UsedGpuMemory::Unavailable => None,
                    },
                })
                .collect();
            processes.sort_unstable();
            Ok(Look {
                memory_used,
                // Not every product measures it.
                utilisation: device.utilization_rates().ok().map(|it| it.gpu),
                occupancy: occupancy(memory_used, &processes, self.memory_idle, self.context),
                processes,
            })
        };
        look().map_err(|error| device_error(index, &error))
    }
}

/// Clear means: no process with more than a context, and no more memory in use than when the node started and that. The
/// second catches processes of other pid namespaces, which the list may leave out.
fn occupancy(used: u64, processes: &[GpuProcess], idle: u64, context: u64) -> Occupancy {
    let bare = |it: &GpuProcess| context > 0 && it.memory.is_some_and(|bytes| bytes <= context);
    let contexts = context.saturating_mul(processes.len().max(1) as u64);
    if processes.iter().all(bare) && used <= idle.saturating_add(SLACK).saturating_add(contexts) {
        Occupancy::Clear
    } else {
        Occupancy::Occupied
    }
}

/// Watches for Xids on a thread of its own, for as long as the devices are there. Calls back with the index of a device
/// that is worth a look.
pub(crate) fn watch(devices: &[Arc<Hardware>], look_at: impl Fn(u32) + Send + 'static) {
    let nvml = devices.iter().find_map(|it| match &**it {
        Hardware::Nvml(gpu) => Some(Arc::clone(&gpu.nvml)),
        Hardware::Simulated(_) => None,
    });
    let Some(nvml) = nvml else {
        return;
    };
    let devices: Vec<Weak<Hardware>> = devices.iter().map(Arc::downgrade).collect();
    let watching = std::thread::Builder::new()
        .name("nvml-events".to_owned())
        .spawn(move || match register(&nvml, &devices) {
            Ok(events) => listen(&events, &devices, look_at),
            Err(error) => tracing::warn!(%error, "gpus report no xids, they are only looked at"),
        });
    if let Err(error) = watching {
        tracing::warn!(%error, "gpus report no xids, they are only looked at");
    }
}

fn register<'a>(nvml: &'a Nvml, devices: &[Weak<Hardware>]) -> Result<EventSet<'a>, NvmlError> {
    let mut events = nvml.create_event_set()?;
    for hardware in devices.iter().filter_map(Weak::upgrade) {
        let about = hardware.about();
        let device = nvml.device_by_uuid(about.device.uuid.as_str())?;
        if device.supported_event_types()?.contains(EventTypes::CRITICAL_XID_ERROR) {
            events = device
                .register_events(EventTypes::CRITICAL_XID_ERROR, events)
                .map_err(|with_source| with_source.error)?;
        }
    }
    Ok(events)
}

fn listen(events: &EventSet<'_>, devices: &[Weak<Hardware>], look_at: impl Fn(u32)) {
    let wait = u32::try_from(WAIT.as_millis()).expect("invariant: a second is short");
    loop {
        let event = events.wait(wait);
        let here: Vec<Arc<Hardware>> = devices.iter().filter_map(Weak::upgrade).collect();
        if here.is_empty() {
            return;
        }
        match event {
            Ok(event) => {
                let code = match event.event_data {
                    Some(XidError::Value(code)) => code,
                    Some(XidError::Unknown) | None => continue,
                };
                let uuid = event.device.uuid().ok();
                for gpu in here.iter().filter_map(|it| real(it)) {
                    let index = gpu.about.device.index;
                    // A device that cannot even say who it is: every one is looked at.
                    if uuid.as_ref().is_some_and(|it| *it != gpu.about.device.uuid) {
                        continue;
                    }
                    tracing::warn!(device = index, xid = code, "gpu reported an xid");
                    if uuid.is_some() && xid::fatal(code).is_some() {
                        gpu.xid.store(code, Ordering::Relaxed);
                    }
                    look_at(index);
                }
            }
            Err(NvmlError::Timeout) => {}
            Err(error) => {
                tracing::warn!(%error, "gpus cannot be waited for, looking at each");
                for hardware in &here {
                    look_at(hardware.about().device.index);
                }
                // It may fail at once again.
                std::thread::sleep(WAIT);
            }
        }
    }
}

fn real(hardware: &Arc<Hardware>) -> Option<&Gpu> {
    match &**hardware {
        Hardware::Nvml(gpu) => Some(gpu),
        Hardware::Simulated(_) => None,
    }
}

fn device_error(index: u32, error: &NvmlError) -> Error {
    Error::Device {
        index,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn process(mib: u64) -> GpuProcess {
        GpuProcess {
            pid: 1,
            memory: Some(mib * MIB),
        }
    }

    #[test]
    fn a_device_is_clear_of_everything_but_the_contexts_that_may_stay() {
        let idle = 500 * MIB;
        let seen = |used: u64, processes: &[GpuProcess], context: u64| {
            occupancy(used * MIB, processes, idle, context * MIB) == Occupancy::Clear
        };
        assert!(seen(510, &[], 0));
        // Somebody's memory, whoever it is.
        assert!(!seen(1_000, &[], 0));
        // A process that has not yet taken any.
        assert!(!seen(500, &[process(0)], 0));
        assert!(seen(1_500, &[process(600), process(300)], 1_024));
        assert!(!seen(9_000, &[process(8_000)], 1_024));
        let silent = GpuProcess { pid: 2, memory: None };
        assert!(!seen(600, &[silent], 1_024));
    }
}
