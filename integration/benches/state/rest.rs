//! Between two turns the machine comes to rest, or the first would be timed alone and the second beside what the first has left
//! to be written and sent.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::notebook::loopback_bytes;

/// What may still wait for the disk, KiB: what an idle system always has.
const RESTING_KIB: u64 = 32 << 10;
/// Three gigabytes at the slowest that this disk was seen to write; then the turn begins all the same.
const WITHIN: Duration = Duration::from_secs(60);
/// The loopback connections are at rest when less than this was sent in this time: heartbeats are a tenth of it.
const RESTING_BYTES: u64 = 256 << 10;
const LOOK: Duration = Duration::from_millis(500);
/// What a turn takes of memory beside its array: three files of 1 GiB and what is on its way. A hypervisor takes free memory
/// back within seconds, and gives it again at 0.3 GB/s: that would be timed, not the copy. So it is written before.
pub(crate) const TURN_BYTES: usize = 4 << 30;

/// Returns when nothing is sent any more, nothing waits for the disk, and free memory is at hand.
pub(crate) async fn everything() {
    connections().await;
    disk().await;
    let _ = tokio::task::spawn_blocking(|| drop(std::hint::black_box(vec![1_u8; TURN_BYTES]))).await;
}

async fn disk() {
    let began = Instant::now();
    loop {
        let _ = tokio::task::spawn_blocking(|| Command::new("sync").status()).await;
        if waiting_kib() <= RESTING_KIB {
            return;
        }
        if began.elapsed() > WITHIN {
            return eprintln!("the disk does not come to rest: {} KiB", waiting_kib());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Returns when nothing is sent any more.
pub(crate) async fn connections() {
    let began = Instant::now();
    loop {
        let before = loopback_bytes();
        tokio::time::sleep(LOOK).await;
        let sent = loopback_bytes() - before;
        if sent < RESTING_BYTES {
            return;
        }
        if began.elapsed() > WITHIN {
            return eprintln!("connections do not come to rest: {sent} bytes in {LOOK:?}");
        }
    }
}

fn waiting_kib() -> u64 {
    let table = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
            .unwrap_or_default()
    };
    of("Dirty:") + of("Writeback:")
}
