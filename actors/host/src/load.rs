//! Tells the control nodes what this host has to give, every second.

use std::time::Duration;

use nbos_gpu::{DeviceState, GpuInfo, Gpus, Line};
use nbos_scheduler::{ControlHandle, HostLoad};

/// A decision that is a second old is checked by the ledger anyway.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn report(gpus: Gpus, control: ControlHandle) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match (gpus.inventory().await, gpus.line().await) {
            (Ok(devices), Ok(line)) => {
                let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
                control.report(&load(&devices, line, &meminfo));
            }
            (Err(error), _) | (_, Err(error)) => tracing::debug!(%error, "load not known"),
        }
    }
}

fn load(devices: &[GpuInfo], line: Line, meminfo: &str) -> HostLoad {
    let count = |state: fn(DeviceState) -> bool| {
        let counted = devices.iter().filter(|device| state(device.state));
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    };
    let works = |state| !matches!(state, DeviceState::Quarantined | DeviceState::Failed);
    let working = devices.iter().filter(|device| works(device.state));
    HostLoad {
        gpus: count(|state| !matches!(state, DeviceState::Quarantined | DeviceState::Failed)),
        free: count(|state| state == DeviceState::Free),
        leased: count(|state| state == DeviceState::Leased),
        vram: working.map(|device| device.memory_total).min().unwrap_or_default(),
        memory: bytes_of(meminfo, "MemTotal:"),
        memory_available: bytes_of(meminfo, "MemAvailable:"),
        waiting: line.requests,
        waiting_gpus: line.devices,
    }
}

/// A line of `/proc/meminfo`, which counts in KiB; 0 when it is not there.
fn bytes_of(meminfo: &str, name: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or_default() * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_devices_by_what_they_are_good_for() {
        let device = |state, memory_total| GpuInfo {
            index: 0,
            uuid: String::new(),
            name: String::new(),
            memory_total,
            memory_used: 0,
            utilisation: None,
            processes: Vec::new(),
            health: nbos_gpu::Health::Healthy,
            state,
            lease: None,
        };
        let devices = [
            device(DeviceState::Free, 80),
            device(DeviceState::Leased, 40),
            device(DeviceState::Clearing, 80),
            device(DeviceState::Failed, 0),
        ];
        let meminfo = "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    8192 kB\n";
        let line = Line {
            requests: 2,
            devices: 5,
        };
        let load = load(&devices, line, meminfo);
        assert_eq!((load.waiting, load.waiting_gpus), (2, 5));
        assert_eq!((load.gpus, load.free, load.leased, load.vram), (3, 1, 1, 40));
        assert_eq!((load.memory, load.memory_available), (16 << 20, 8 << 20));
        assert_eq!(bytes_of("", "MemTotal:"), 0);
    }
}
