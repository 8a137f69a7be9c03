//! How others suspend and resume processes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::course::{Answer, Course, Goal, Next, ProcessState, Step};
use super::error::Error;
use super::sys::{self, Driver, GpuPair};

/// Where the driver's library is by default: its name is the driver's promise (SONAME).
const LIBRARY: &str = "libcuda.so.1";

/// CUDA 12.8 (driver 570), the first with the checkpoint functions.
const FIRST_VERSION: i32 = 12_080;

/// CUDA 13.0 (driver 580), the first that restores a process on other devices than it was on.
const MOVING_VERSION: i32 = 13_000;

/// How much longer than it was given a course may take before its caller hears that the driver is silent: going back
/// is a call more, and unlocking takes milliseconds.
const GRACE: Duration = Duration::from_secs(2);

/// Suspends processes that use CUDA and resumes them. Cheap to clone, usable from any task: the driver's calls block
/// threads of their own.
#[derive(Debug, Clone)]
pub struct Checkpointer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    driver: Driver,
    version: i32,
    /// Processes that a thread is busy with; one a process, so a hung driver costs one thread for each.
    busy: Mutex<BTreeSet<u32>>,
}

impl Checkpointer {
    /// Loads the driver, from a path of its own or from where it is installed, and finds out whether it can. Makes no
    /// CUDA context. Blocks while the driver starts, seconds on a machine without persistence mode.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the reason.
    pub fn probe(library: Option<&Path>) -> Result<Self, Error> {
        let path = library.map_or_else(|| OsStr::new(LIBRARY), Path::as_os_str);
        let driver = Driver::load(path).map_err(|error| Error::Unavailable(error.to_string()))?;
        let refused = |what: &str, code: sys::Code| Error::Unavailable(format!("{what} returned error {code}"));
        // Restoring needs a driver that is kept awake, by persistence mode or by this.
        match driver.init() {
            sys::SUCCESS => {}
            code => return Err(refused("cuInit", code)),
        }
        let version = driver.version().map_err(|code| refused("cuDriverGetVersion", code))?;
        if version < FIRST_VERSION {
            let (major, minor) = (version / 1000, version % 1000 / 10);
            let reason = format!("it is of CUDA {major}.{minor}, 12.8 (driver 570) is needed");
            return Err(Error::Unavailable(reason));
        }
        let inner = Inner {
            driver,
            version,
            busy: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes a process off its devices. One that is off already, stays so.
    ///
    /// # Errors
    /// [`Error::Failed`], which says what the process is now: running, when all could be taken back.
    /// [`Error::Silent`].
    pub async fn suspend(&self, pid: u32, within: Duration) -> Result<(), Error> {
        self.bring(pid, Goal::Suspended, Vec::new(), within).await
    }

    /// Brings a process back on its devices. `moves` says for each device that it was on, by uuid, which one it is to
    /// be on now; empty means the same as before.
    ///
    /// # Errors
    /// [`Error::Failed`], which says what the process is now: checkpointed, when all could be taken back.
    /// [`Error::Fixed`], [`Error::BadUuid`], [`Error::Silent`].
    pub async fn resume(&self, pid: u32, moves: &BTreeMap<String, String>, within: Duration) -> Result<(), Error> {
        let stays = moves.iter().all(|(from, to)| from == to);
        if !stays && self.inner.version < MOVING_VERSION {
            let version = self.inner.version;
            return Err(Error::Fixed { pid, version });
        }
        let pair = |(from, to): (&String, &String)| {
            let (from, to) = (bytes_of(from)?, bytes_of(to)?);
            Ok(GpuPair { from, to })
        };
        let pairs = match stays {
            true => Vec::new(),
            // All of them, also those that stay: the driver wants every checkpointed device named, or none.
            false => moves.iter().map(pair).collect::<Result<_, Error>>()?,
        };
        self.bring(pid, Goal::Running, pairs, within).await
    }

    /// What a process is now.
    ///
    /// # Errors
    /// [`Error::Failed`] when it does not use CUDA or has ended, [`Error::Silent`].
    pub async fn state(&self, pid: u32, within: Duration) -> Result<ProcessState, Error> {
        let ask = move |driver: &Driver| driver.state(number(pid)).map_err(|code| refusal(pid, code));
        let state = self.on_thread(pid, within, ask).await??;
        ProcessState::from_number(state).ok_or_else(|| refusal(pid, state.unsigned_abs()))
    }

    /// Whether the process uses CUDA at all, so that there is something to suspend.
    ///
    /// # Errors
    /// [`Error::Silent`].
    pub async fn uses_cuda(&self, pid: u32, within: Duration) -> Result<bool, Error> {
        self.on_thread(pid, within, move |driver| driver.restore_thread(number(pid)).is_ok())
            .await
    }

    async fn bring(&self, pid: u32, goal: Goal, pairs: Vec<GpuPair>, within: Duration) -> Result<(), Error> {
        let outcome = self
            .on_thread(pid, within, move |driver| drive(driver, pid, goal, &pairs, within))
            .await?;
        outcome.map_err(|failure| Error::Failed {
            pid,
            to: match goal {
                Goal::Suspended => "off the gpu",
                Goal::Running => "back on the gpu",
            },
            step: failure.step,
            why: failure.why,
            left: failure.left,
        })
    }

    /// Runs driver calls on a thread of their own, and stops waiting for it in time.
    async fn on_thread<T: Send + 'static>(
        &self,
        pid: u32,
        within: Duration,
        calls: impl FnOnce(&Driver) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let busy = Busy::with(&self.inner, pid)?;
        let (answer, answered) = oneshot::channel();
        let work = move || {
            let result = calls(&busy.inner.driver);
            drop(busy);
            // The caller may have stopped waiting.
            let _ = answer.send(result);
        };
        std::thread::Builder::new()
            .name("cuda-checkpoint".to_owned())
            .spawn(work)
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        match tokio::time::timeout(within + GRACE, answered).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(Error::Silent { pid }),
        }
    }
}

/// A process in work, for as long as this lives.
struct Busy {
    inner: Arc<Inner>,
    pid: u32,
}

impl Busy {
    fn with(inner: &Arc<Inner>, pid: u32) -> Result<Self, Error> {
        if !inner.busy.lock().insert(pid) {
            return Err(Error::Silent { pid });
        }
        let inner = Arc::clone(inner);
        Ok(Self { inner, pid })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.inner.busy.lock().remove(&self.pid);
    }
}

/// Asks the driver what the course says, to its end.
fn drive(
    driver: &Driver,
    pid: u32,
    goal: Goal,
    pairs: &[GpuPair],
    within: Duration,
) -> Result<(), super::course::Failure> {
    let mut course = Course::new(Instant::now(), goal, within);
    let (mut step, mut left) = (course.first(), within);
    let pid = number(pid);
    loop {
        let moved = |result: Result<(), sys::Code>| result.map_or_else(Answer::Refused, |()| Answer::Done);
        let answer = match step {
            Step::State => match driver.state(pid).map(ProcessState::from_number) {
                Ok(Some(state)) => Answer::State(state),
                // A state of a later driver: nothing is known about the way from there.
                Ok(None) => Answer::NoState(UNKNOWN),
                Err(code) => Answer::NoState(code),
            },
            Step::Lock => moved(driver.lock(pid, u32::try_from(left.as_millis()).unwrap_or(u32::MAX))),
            Step::Checkpoint => moved(driver.checkpoint(pid)),
            Step::Restore => moved(driver.restore(pid, pairs)),
            Step::Unlock => moved(driver.unlock(pid)),
        };
        match course.step(Instant::now(), answer) {
            Next::Call(next, within) => (step, left) = (next, within),
            Next::End(result) => return result,
        }
    }
}

/// `CUDA_ERROR_UNKNOWN`.
const UNKNOWN: sys::Code = 999;

fn refusal(pid: u32, code: sys::Code) -> Error {
    Error::Failed {
        pid,
        to: "into view",
        step: Step::State,
        why: super::course::Why::Driver(code),
        left: None,
    }
}

/// As the driver counts processes.
fn number(pid: u32) -> i32 {
    i32::try_from(pid).expect("invariant: process ids are positive numbers of 22 bits (proc(5), pid_max)")
}

/// The 16 bytes of `GPU-8-4-4-4-12`.
fn bytes_of(uuid: &str) -> Result<[u8; 16], Error> {
    let bad = || Error::BadUuid(uuid.to_owned());
    let digits: String = uuid.strip_prefix("GPU-").ok_or_else(bad)?.split('-').collect();
    if digits.len() != 32 || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let mut bytes = [0; 16];
    for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| bad())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_uuids_that_nvml_writes() {
        let bytes = bytes_of("GPU-00010203-0405-0607-0809-0a0b0c0d0eff").expect("reads");
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        for bad in [
            "",
            "GPU-",
            "00010203-0405-0607-0809-0a0b0c0d0eff",
            "GPU-sim-h1-0",
            "GPU-é0010203-0405-0607-0809-0a0b0c0d0ef",
        ] {
            assert_eq!(bytes_of(bad).expect_err(bad).code(), "NB0713");
        }
    }
}
