//! A device that exists in memory only, for machines without GPUs. Processes take its memory by leaving a file in its
//! directory, and it stays taken until they remove the file or end, as on a real one.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::fault::Fault;
use crate::hardware::{About, Look, Occupancy};
use crate::{Device, Error, GpuProcess, LeaseId, process};

/// What the simulated card has: that of an 80 GB card.
const MEMORY_TOTAL: u64 = 80 << 30;
/// What a leak or a slow release leaves: about what a bare CUDA context of a framework takes on such a card.
const LEFT_BEHIND: u64 = 512 << 20;
/// How many looks find a slow device occupied: a second of them, see the ledger's `LOOK_AGAIN`.
const SLOW_LOOKS: u32 = 4;

#[derive(Debug)]
pub(crate) struct Gpu {
    about: About,
    dir: PathBuf,
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    bus: Bus,
    leak: Leak,
    clearing: Clearing,
    /// The lease of the last release, and how many looks find the device occupied yet.
    released: Option<(LeaseId, u32)>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Bus {
    #[default]
    On,
    Off,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Leak {
    #[default]
    None,
    /// With the next release.
    Soon,
    Leaked,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Clearing {
    #[default]
    AtOnce,
    Slowly,
}

impl Gpu {
    pub(crate) fn new(node: &str, index: u32, dir: &Path) -> Result<Self, Error> {
        let dir = dir.join(index.to_string());
        std::fs::create_dir_all(&dir).map_err(|error| unreadable(index, &error))?;
        let device = Device {
            index,
            uuid: format!("GPU-sim-{node}-{index}"),
            path: Some(dir.clone()),
        };
        let about = About {
            device,
            name: "Simulated GPU".to_owned(),
            memory_total: MEMORY_TOTAL,
        };
        let faults = Mutex::default();
        Ok(Self { about, dir, faults })
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    pub(crate) fn look(&self) -> Result<Look, Error> {
        let faults = self.faults.lock();
        let index = self.about.device.index;
        if faults.bus == Bus::Off {
            let reason = "it has fallen off the bus (injected)".to_owned();
            return Err(Error::Device { index, reason });
        }
        let leaked = faults.leak == Leak::Leaked;
        let slow = matches!(faults.released, Some((_, 1..)));
        drop(faults);

        let processes = self.processes().map_err(|error| unreadable(index, &error))?;
        let owned: u64 = processes.iter().filter_map(|it| it.memory).sum();
        let left = u64::from(leaked) + u64::from(slow);
        let occupancy = match processes.is_empty() && left == 0 {
            true => Occupancy::Clear,
            false => Occupancy::Occupied,
        };
        Ok(Look {
            memory_used: owned + left * LEFT_BEHIND,
            utilisation: None,
            processes,
            occupancy,
        })
    }

    pub(crate) fn released(&self, lease: LeaseId) {
        let mut faults = self.faults.lock();
        if faults.leak == Leak::Soon {
            faults.leak = Leak::Leaked;
        }
        let looks = match faults.released {
            Some((last, looks)) if last == lease => looks.saturating_sub(1),
            Some(_) | None if faults.clearing == Clearing::Slowly => SLOW_LOOKS,
            Some(_) | None => 0,
        };
        faults.released = Some((lease, looks));
    }

    pub(crate) fn inject(&self, fault: Fault) {
        let mut faults = self.faults.lock();
        match fault {
            Fault::FallOff => faults.bus = Bus::Off,
            Fault::Leak => faults.leak = Leak::Soon,
            Fault::SlowClear => faults.clearing = Clearing::Slowly,
        }
    }

    pub(crate) fn repair(&self) {
        *self.faults.lock() = Faults::default();
    }

    /// The processes that have a file here and live. What dead ones left is removed: their memory went with them.
    fn processes(&self) -> std::io::Result<Vec<GpuProcess>> {
        let mut processes = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else {
                continue;
            };
            let (Ok(text), Ok(about)) = (std::fs::read_to_string(entry.path()), entry.metadata()) else {
                // Removed since it was listed.
                continue;
            };
            if process::wrote(pid, about.modified()?) {
                // A file that is being written says nothing yet, and its process is here.
                let memory = text.trim().parse().ok();
                processes.push(GpuProcess { pid, memory });
            } else {
                // Gone already is as good.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        processes.sort_unstable();
        Ok(processes)
    }
}

fn unreadable(index: u32, error: &std::io::Error) -> Error {
    Error::Device {
        index,
        reason: error.to_string(),
    }
}
