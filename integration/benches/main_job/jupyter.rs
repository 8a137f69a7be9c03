//! jupyter_server beside us: the same client, the same ipykernel.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nbos_integration::{Http, LONG, MARK, eventually, kill_9, marked, root};
use tempfile::TempDir;

/// The version of `notes/jupyter.md`'s figures, the newest when this was written.
const VERSION: &str = "jupyter_server==2.21.1";

pub(crate) const TOKEN: &str = "bench";

/// A running jupyter_server; dropping it ends it and its kernels.
#[derive(Debug)]
pub(crate) struct Jupyter {
    child: Child,
    dir: TempDir,
    pub(crate) address: String,
}

impl Jupyter {
    /// Returns when `/api` answers.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("nbos-bench-")
            .tempdir()
            .expect("a temporary directory");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .expect("a free port")
            .port();
        let child = Command::new(environment().join("bin/jupyter-server"))
            .args([
                "--no-browser",
                "--allow-root",
                "--log-level=ERROR",
                "--ServerApp.ip=127.0.0.1",
            ])
            .args([
                format!("--ServerApp.port={port}"),
                format!("--IdentityProvider.token={TOKEN}"),
            ])
            .arg(format!("--ServerApp.root_dir={}", dir.path().display()))
            .env("JUPYTER_RUNTIME_DIR", dir.path().join("runtime"))
            .env("IPYTHONDIR", dir.path().join("ipython"))
            .env(MARK, mark(&dir))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("jupyter-server starts");
        let jupyter = Self {
            child,
            dir,
            address: format!("127.0.0.1:{port}"),
        };
        let http = Http::new(jupyter.address.clone(), TOKEN);
        eventually("jupyter_server answers", LONG, async || {
            let listens = tokio::net::TcpStream::connect(&jupyter.address).await.is_ok();
            (listens && http.send("GET", "/api", b"").await.status == 200).then_some(())
        })
        .await;
        jupyter
    }

    pub(crate) fn mark(&self) -> String {
        mark(&self.dir)
    }
}

impl Drop for Jupyter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in marked(&self.mark()) {
            kill_9(process.pid);
        }
    }
}

fn mark(dir: &TempDir) -> String {
    dir.path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Makes the environment once; it stays in the target directory.
pub(crate) fn prepare() {
    let environment = environment();
    if environment.join("done").exists() {
        return;
    }
    let requirements = root().join("actors/kernel/python/requirements.txt");
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&environment));
    let mut pip = Command::new(environment.join("bin/pip"));
    run(pip
        .args(["install", "--quiet", "--disable-pip-version-check", VERSION, "-r"])
        .arg(requirements));
    std::fs::write(environment.join("done"), VERSION).expect("a writable target directory");
}

pub(crate) fn version() -> &'static str {
    VERSION
}

fn environment() -> PathBuf {
    root().join("target/bench-python")
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
