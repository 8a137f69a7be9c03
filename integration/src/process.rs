//! Processes, as /proc shows them.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One process of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// Its command line, shortened.
    pub command: String,
}

/// Environment variable that every process of a cluster inherits, user code's included.
pub const MARK: &str = "NBTEST_CLUSTER";

/// Every living process whose environment carries this mark.
pub fn marked(mark: &str) -> Vec<Process> {
    let wanted = format!("{MARK}={mark}");
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found: Vec<Process> = pids
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|entry| entry == wanted.as_bytes())
                && is_alive(*pid)
        })
        .map(|pid| Process {
            pid,
            command: command(pid),
        })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// Whether it runs; one that ended and was not waited for does not.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Resident memory.
pub fn memory_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or_default()
}

/// TCP ports of IPv4 that a process listens on.
pub fn listening_ports(pid: u32) -> Vec<u16> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let open: Vec<_> = open.filter_map(|file| fs::read_link(file.path()).ok()).collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let port = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let socket = PathBuf::from(format!("socket:[{inode}]"));
        // 0A is LISTEN.
        (*state == "0A" && open.contains(&socket)).then_some(())?;
        u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()
    };
    table.lines().skip(1).filter_map(port).collect()
}

/// `kill -9`; a process that has just ended is fine.
pub fn kill_9(pid: u32) {
    signal(pid, Signal::SIGKILL);
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    // 0 and 1 would mean this process's group and everything.
    assert!(pid > 1, "not a process of ours: {pid}");
    let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
}

fn command(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    words.join(" ").chars().take(120).collect()
}
