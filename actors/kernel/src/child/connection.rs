//! The connection file that ipykernel binds its sockets from.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;
use uuid::Uuid;

/// Where one process's sockets live.
pub(super) struct ConnectionFile {
    pub(super) dir: PathBuf,
    pub(super) path: PathBuf,
    pub(super) side: PathBuf,
    pub(super) log: PathBuf,
    pub(super) key: String,
}

/// The numbers that stand for ports in an `ipc` connection file.
#[derive(Clone, Copy)]
pub(super) enum Port {
    Shell = 1,
    Iopub = 2,
    Stdin = 3,
    Control = 4,
    Heartbeat = 5,
}

impl ConnectionFile {
    /// Makes a private directory with the file in it.
    pub(super) fn create(socket_dir: &Path) -> std::io::Result<Self> {
        let dir = socket_dir.join(&Uuid::new_v4().simple().to_string()[..12]);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let key = Uuid::new_v4().to_string();
        let path = dir.join("connection.json");
        let content = json!({
            "transport": "ipc",
            "ip": dir.join("k"),
            "shell_port": Port::Shell as u32,
            "iopub_port": Port::Iopub as u32,
            "stdin_port": Port::Stdin as u32,
            "control_port": Port::Control as u32,
            "hb_port": Port::Heartbeat as u32,
            "key": key,
            "signature_scheme": "hmac-sha256",
            "kernel_name": "python3",
        });
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path)?;
        serde_json::to_writer(file, &content)?;
        Ok(Self {
            side: dir.join("side"),
            log: dir.join("log"),
            path,
            dir,
            key,
        })
    }

    pub(super) fn endpoint(&self, port: Port) -> String {
        format!("ipc://{}-{}", self.dir.join("k").display(), port as u32)
    }

    /// The end of what the process wrote to its standard streams before ipykernel took them over.
    fn log_tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let tail = &text[text.len().saturating_sub(2_000)..];
        String::from_utf8_lossy(tail).trim().to_owned()
    }

    /// Why a process ended, with the end of what it wrote.
    pub(super) fn with_log(&self, why: String) -> String {
        let tail = self.log_tail();
        if tail.is_empty() { why } else { format!("{why}: {tail}") }
    }
}

impl Drop for ConnectionFile {
    fn drop(&mut self) {
        // Best effort: what holds it goes with the node anyway.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
