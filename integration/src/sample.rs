//! What benchmarks share: times of one thing, and where they were taken.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Times of one thing.
#[derive(Clone, Default)]
pub struct Sample {
    times: Vec<Duration>,
}

impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} times, median {:?}, longest {:?}",
            self.count(),
            self.median(),
            self.longest()
        )
    }
}

impl Sample {
    pub fn add(&mut self, time: Duration) {
        self.times.push(time);
        self.times.sort_unstable();
    }

    pub fn count(&self) -> usize {
        self.times.len()
    }

    /// The time that this share of the runs did not exceed (nearest rank).
    pub fn percentile(&self, share: f64) -> Duration {
        let rank = (share * self.times.len() as f64).ceil() as usize;
        self.times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.percentile(0.5)
    }

    pub fn longest(&self) -> Duration {
        self.times.last().copied().unwrap_or_default()
    }
}

/// Milliseconds as they are printed.
pub fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1_000.0;
    if millis >= 100.0 {
        format!("{millis:.0}")
    } else {
        format!("{millis:.1}")
    }
}

/// The lines that say when, where and by which command figures were taken.
pub fn facts(command: &str) -> String {
    let facts = [
        ("date", shell("date -u +%Y-%m-%dT%H:%MZ")),
        ("machine", machine()),
        ("load before", shell("cut -d' ' -f1-3 /proc/loadavg")),
        ("command", format!("`{command}`")),
    ];
    facts.map(|(name, fact)| format!("- {name}: {fact}\n")).concat()
}

/// The top of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn machine() -> String {
    let model = shell("grep -m1 'model name' /proc/cpuinfo | cut -d: -f2");
    let cores = shell("nproc");
    let memory = shell("awk '/MemTotal/ {printf \"%.0f GiB\", $2 / 1048576}' /proc/meminfo");
    let profile = if cfg!(debug_assertions) {
        "debug build"
    } else {
        "release build"
    };
    format!(
        "{model}, {cores} cores, {memory}, Linux {}, {profile}",
        shell("uname -r")
    )
}

fn shell(command: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", command])
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
