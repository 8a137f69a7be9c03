//! Whether a process lives, and since when.

use std::time::{Duration, SystemTime};

/// Clock ticks a second in what the kernel tells (`USER_HZ`, 100 on every Linux: man 7 time).
const TICKS: u64 = 100;

/// What start times and file times may differ by: both are coarse, and the clock may have been set.
const SLACK: Duration = Duration::from_secs(2);

/// Whether a process lives that can have written a file then: the number of a dead one may be another's by now.
pub(crate) fn wrote(pid: u32, at: SystemTime) -> bool {
    let Some(age) = age(pid) else {
        return false;
    };
    // A file of the future is new.
    let file_age = at.elapsed().unwrap_or_default();
    file_age <= age + SLACK
}

/// How long a process has lived; none for one that has ended, reaped or not.
fn age(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    age_of(&stat, &uptime)
}

/// Fields 3 and 22 of `stat` (man 5 proc_pid_stat): the second one, a name in brackets, may hold anything.
fn age_of(stat: &str, uptime: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    let started: u64 = fields.nth(18)?.parse().ok()?;
    let up: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    let started = Duration::from_millis(started * 1000 / TICKS);
    Some(Duration::try_from_secs_f64(up).ok()?.saturating_sub(started))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a ) Z (name) S 1 42 42 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 5000 1 1 1";

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(age_of(STAT, "60.50 100.00\n"), Some(Duration::from_millis(10_500)));
        assert_eq!(age_of(&STAT.replace(") S ", ") Z "), "60.50 100.00\n"), None);
        assert_eq!(age_of("42 (cut", "60.50 100.00\n"), None);
    }

    #[test]
    fn tells_a_process_from_a_later_one_of_its_number() {
        let own = std::process::id();
        assert!(wrote(own, SystemTime::now()));
        let before = age(own).expect("lives") + Duration::from_secs(60);
        assert!(!wrote(own, SystemTime::now() - before));
    }

    #[test]
    fn an_ended_process_does_not_live() {
        let mut child = std::process::Command::new("true").spawn().expect("starts");
        let pid = child.id();
        // Waited for, it is reaped; before that it is a zombie for a moment, which counts as ended too.
        child.wait().expect("ends");
        assert!(!wrote(pid, SystemTime::now()));
    }
}
