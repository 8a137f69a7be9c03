//! The private environment: made once, found afterwards.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::Progress;
use super::error::Error;
use super::interpreter::Interpreter;
use super::requirements::Requirements;
use crate::state_dir::StateDir;

/// The whole installation, downloads included: some 100 MB over a slow line.
const INSTALL_WITHIN: Duration = Duration::from_secs(30 * 60);
/// Lines of pip's output that an error shows: its own messages end with the reason.
const SHOWN_LINES: usize = 12;
/// Written last: an environment without it is an interrupted one.
const MARKER: &str = "nbos-complete";
/// How often the lock of another process's installation is tried.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// Where private environments live: `$XDG_CACHE_HOME/nbos` or `~/.cache/nbos`, shared by all clusters of the user; below the state
/// directory where there is no home that can be written to.
pub(super) fn cache_root(variable: &dyn Fn(&str) -> Option<OsString>, state: &StateDir) -> Result<PathBuf, Error> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    if let Some(root) = cache.map(|cache| cache.join("nbos"))
        && is_writable(&root)
    {
        return Ok(root);
    }
    let root = state.python_dir();
    match fs::create_dir_all(&root) {
        Ok(()) => Ok(root),
        Err(source) => Err(Error::Io { path: root, source }),
    }
}

fn is_writable(dir: &Path) -> bool {
    fs::create_dir_all(dir).is_ok() && tempfile::tempfile_in(dir).is_ok()
}

/// The environment's interpreter. Made in place, since an environment cannot be moved, under a lock, with a marker at the end.
pub(super) fn find_or_make(
    root: &Path,
    base: &Interpreter,
    requirements: &Requirements,
    report: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf, Error> {
    let dir = root.join(format!("python-{}", requirements.fingerprint(&base.identity())));
    let python = dir.join("bin/python");
    if is_complete(&dir) {
        return Ok(python);
    }
    let io_error = |source| Error::Io {
        path: dir.clone(),
        source,
    };
    let _lock = lock(&dir.with_extension("lock"), report).map_err(io_error)?;
    if is_complete(&dir) {
        report(Progress::Done);
        return Ok(python);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(io_error)?;
    }
    report(Progress::Creating {
        dir: &dir,
        direct_requirements: requirements.count(),
    });
    let deadline = Instant::now() + INSTALL_WITHIN;
    let mut venv = Command::new(&base.executable);
    venv.args(["-m", "venv"]).arg(&dir);
    follow(venv, &dir, deadline, &mut |_| {})?;

    let list = dir.join("requirements.txt");
    fs::write(&list, requirements.text()).map_err(io_error)?;
    let mut pip = pip_install(&python);
    pip.arg("-r").arg(&list);
    follow(pip, &dir, deadline, &mut |line| {
        if let Some(name) = line.trim_start().strip_prefix("Collecting ") {
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
            report(Progress::Collecting(&name[..end.unwrap_or(name.len())]));
        } else if line.starts_with("Installing collected packages") {
            report(Progress::Installing);
        }
    })?;
    fs::write(dir.join(MARKER), b"").map_err(io_error)?;
    report(Progress::Done);
    Ok(python)
}

/// Installs packages for an interpreter into a directory outside it.
pub(super) fn install_into(
    dir: &Path,
    interpreter: &Path,
    packages: &[&str],
    report: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Error> {
    report(Progress::Creating {
        dir,
        direct_requirements: packages.len(),
    });
    let mut pip = pip_install(interpreter);
    pip.args(["--no-deps", "--target"]).arg(dir).args(packages);
    follow(pip, dir, Instant::now() + INSTALL_WITHIN, &mut |_| {})?;
    report(Progress::Done);
    Ok(())
}

/// pip without questions, and with one line for each thing it does.
fn pip_install(interpreter: &Path) -> Command {
    let mut pip = Command::new(interpreter);
    pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check"])
        .args(["--progress-bar", "off"]);
    pip
}

/// Complete, and its interpreter still runs: the one it was made from may have been removed since.
fn is_complete(dir: &Path) -> bool {
    let runs = || {
        let mut python = Command::new(dir.join("bin/python"));
        python
            .args(["-I", "-S", "-c", ""])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        python.status().is_ok_and(|status| status.success())
    };
    dir.join(MARKER).is_file() && runs()
}

fn lock(path: &Path, report: &mut dyn FnMut(Progress<'_>)) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    let deadline = Instant::now() + INSTALL_WITHIN;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                if !told {
                    report(Progress::Waiting);
                    told = true;
                }
                std::thread::sleep(LOCK_POLL);
            }
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::TimedOut.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Runs a command to its end, giving each line it prints to `line`.
fn follow(mut command: Command, dir: &Path, deadline: Instant, line: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let mut last = VecDeque::new();
    let failed = |why: String, last: VecDeque<String>| {
        let output = last
            .into_iter()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n");
        Error::InstallFailed {
            dir: dir.to_path_buf(),
            why,
            output,
        }
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| failed(error.to_string(), VecDeque::new()))?;
    // Readers wait when we are slow, so the bound loses nothing.
    let (sender, lines) = sync_channel(64);
    if let Some(stdout) = child.stdout.take() {
        read_lines(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        read_lines(stderr, sender.clone());
    }
    drop(sender);
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(text) => {
                line(&text);
                if last.len() == SHOWN_LINES {
                    last.pop_front();
                }
                last.push_back(text);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(
                    format!("not done within {} min", INSTALL_WITHIN.as_secs() / 60),
                    last,
                ));
            }
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status.to_string(), last)),
        Err(error) => Err(failed(error.to_string(), last)),
    }
}

fn read_lines(from: impl Read + Send + 'static, to: SyncSender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
#[path = "venv_tests.rs"]
mod tests;
