//! A device that exists in memory only, for machines without GPUs: its memory is taken by a lease and stays taken
//! until it is given back, as on a real one.

use parking_lot::Mutex;

use crate::Device;
use crate::hardware::{About, Look, Occupancy};

/// What the simulated card has: that of an 80 GB card.
const MEMORY_TOTAL: u64 = 80 << 30;
/// What a lease takes: about what a bare CUDA context of a framework takes on such a card.
const LEASE_MEMORY: u64 = 512 << 20;

#[derive(Debug)]
pub(crate) struct Gpu {
    about: About,
    memory_used: Mutex<u64>,
}

impl Gpu {
    pub(crate) fn new(node: &str, index: u32) -> Self {
        let device = Device {
            index,
            uuid: format!("GPU-sim-{node}-{index}"),
        };
        let about = About {
            device,
            name: "Simulated GPU".to_owned(),
            memory_total: MEMORY_TOTAL,
        };
        Self {
            about,
            memory_used: Mutex::new(0),
        }
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    pub(crate) fn occupy(&self) {
        *self.memory_used.lock() = LEASE_MEMORY;
    }

    pub(crate) fn vacate(&self) {
        *self.memory_used.lock() = 0;
    }

    pub(crate) fn look(&self) -> Look {
        let memory_used = *self.memory_used.lock();
        let occupancy = if memory_used == 0 {
            Occupancy::Clear
        } else {
            Occupancy::Occupied
        };
        Look { memory_used, occupancy }
    }
}
