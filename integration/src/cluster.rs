//! A cluster of real processes, started by the program as its users start it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nbos::client::{Client, StartOptions};
use nbos::connection::Connection;
use nbos::state_dir::StateDir;
use nix::sys::signal::Signal;
use nix::sys::statvfs::statvfs;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::client::Kernel;
use crate::disk::{resize, with_small_disks};
use crate::events::Events;
use crate::fault::Node;
use crate::oracle::whole;
use crate::process::{MARK, Process, kill_9, marked, signal};
use crate::wait::{LONG, SHORT, eventually, holds, within};

/// The first start on a machine also makes the Python environment.
const READY_WITHIN: Duration = Duration::from_secs(300);

/// `nbos up` kills what has not ended 10 s after it was asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Name of the directory for everybody's temporary files, short because sockets are in it.
const TMP: &str = "tmp";

/// Lines of each log that a failed scenario shows.
const TAIL: usize = 40;

/// Ports below those that the system gives to outgoing connections, so that nobody takes a node's while it is down.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// What a cluster is made of; nodes are called h1, h2, ….
#[derive(Clone, Debug)]
pub struct Shape {
    pub nodes: usize,
    pub gpus: u32,
    /// More tables of `cluster.toml`.
    pub extra: String,
    /// Nodes whose directory is on a disk of its own, of so many MiB, which starts empty at every [`Cluster::up`].
    pub small_disks: Vec<(String, u64)>,
    /// Python of the kernels; without one a private environment with the kernel's own packages alone.
    pub interpreter: Option<PathBuf>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            nodes: 3,
            gpus: 4,
            extra: String::new(),
            small_disks: Vec::new(),
            interpreter: None,
        }
    }
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A running cluster; dropping it ends every process that it started.
#[derive(Debug)]
pub struct Cluster {
    dir: TempDir,
    mark: String,
    names: Vec<String>,
    small_disks: Vec<(String, u64)>,
    up: Option<Child>,
}

impl Cluster {
    /// Three nodes, ready to start kernels.
    pub async fn start() -> Self {
        Self::shaped(Shape::default()).await
    }

    pub async fn shaped(shape: Shape) -> Self {
        let mut cluster = Self::prepared(&shape);
        cluster.up().await;
        cluster
    }

    /// A state directory and a configuration; nothing runs yet.
    pub fn prepared(shape: &Shape) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("nbos-test-")
            .tempdir()
            .expect("a temporary directory");
        let names: Vec<String> = (1..=shape.nodes).map(|number| format!("h{number}")).collect();
        fs::create_dir(dir.path().join(TMP)).expect("a directory for temporary files");
        fs::write(dir.path().join("cluster.toml"), configuration(&names, shape)).expect("cluster.toml is written");
        let mark = dir
            .path()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Self {
            dir,
            mark,
            names,
            small_disks: shape.small_disks.clone(),
            up: None,
        }
    }

    /// Another configuration, before it runs.
    pub fn configure(&mut self, shape: &Shape) {
        assert!(self.up.is_none(), "it runs already");
        fs::write(self.path("cluster.toml"), configuration(&self.names, shape)).expect("cluster.toml is written");
    }

    /// `nbos up`, until it says `ready`.
    pub async fn up(&mut self) {
        assert!(self.up.is_none(), "it runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("up.log"))
            .expect("up.log is opened");
        let mut child = if self.small_disks.is_empty() {
            Command::new(program())
        } else {
            let mut command = with_small_disks(self.small_disks.iter().map(|(node, mib)| (self.node_dir(node), *mib)));
            command.arg(program());
            command
        };
        self.furnish(&mut child, &["up", "--config"])
            .arg(self.path("cluster.toml"))
            .arg("--state-dir")
            .arg(self.state_dir());
        let mut child = child
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program().display()));
        let stdout = child.stdout.take().expect("invariant: its output is a pipe");
        self.up = Some(child);
        let (said, ready) = oneshot::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let _ = said.send(lines.find(|line| line.starts_with("ready ")));
            lines.for_each(drop);
        });
        let ready = within("`nbos up` says ready", READY_WITHIN, ready).await;
        assert!(matches!(ready, Ok(Some(_))), "`nbos up` ended before it was ready");
    }

    /// SIGTERM to `nbos up`; gives its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        let mut child = self.up.take().expect("it runs");
        signal(child.id(), Signal::SIGTERM);
        eventually("`nbos up` ends after SIGTERM", ENDS_WITHIN, async || {
            child.try_wait().ok().flatten()
        })
        .await
        .code()
    }

    /// `kill -9` of every node and of `nbos up` itself, at once.
    pub async fn kill_9_everything(&mut self) {
        let nodes: Vec<u32> = self.connection().nodes.iter().map(|node| node.pid).collect();
        let mut child = self.up.take().expect("it runs");
        // First, so that nobody restarts what is killed next.
        kill_9(child.id());
        nodes.into_iter().for_each(kill_9);
        let _ = child.wait();
        self.all_gone().await;
    }

    /// Returns when no process of this cluster is left, the users' own included.
    pub async fn all_gone(&self) {
        holds("no process of the cluster is left", SHORT, async || {
            let left = self.processes();
            if !left.is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            left.is_empty()
        })
        .await;
    }

    /// Returns when every host is up again.
    pub async fn whole(&self) {
        whole(&self.client(), self.names.len()).await;
    }

    /// Returns when so many hosts are up, added ones included.
    pub async fn whole_of(&self, hosts: usize) {
        whole(&self.client(), hosts).await;
    }

    /// A client of all gateways.
    pub fn client(&self) -> Client {
        self.client_first_at("h1")
    }

    /// A client of all gateways that prefers one.
    pub fn client_first_at(&self, name: &str) -> Client {
        let connection = self.connection();
        let (first, rest): (Vec<_>, Vec<_>) = connection.nodes.iter().partition(|node| node.name == name);
        let urls = first.into_iter().chain(rest).filter_map(|node| node.gateway.as_deref());
        Client::new(urls, &connection.token).expect("gateways of connection.json")
    }

    /// A client of one gateway alone.
    pub fn client_of(&self, name: &str) -> Client {
        Client::at(&self.node(name).gateway(), &self.connection().token).expect("gateway of connection.json")
    }

    /// A new kernel whose three replicas are there.
    pub async fn kernel(&self) -> Kernel {
        self.kernel_with(&StartOptions::default()).await
    }

    pub async fn kernel_with(&self, options: &StartOptions) -> Kernel {
        let client = self.client();
        let started = within("a kernel starts", LONG, client.start_kernel(options)).await;
        let kernel = Kernel::new(client, started.unwrap_or_else(|error| panic!("no kernel: {error}")).id);
        kernel.settled().await;
        kernel
    }

    /// The cluster's events, as a node's gateway tells them from now on.
    pub async fn events(&self, name: &str) -> Events {
        Events::listen(&self.node(name).gateway_address(), &self.connection().token).await
    }

    pub fn node(&self, name: &str) -> Node<'_> {
        Node::new(self, name)
    }

    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.names.iter().map(|name| self.node(name))
    }

    /// A node that is none of these.
    pub fn other_than(&self, names: &[&str]) -> Node<'_> {
        self.nodes()
            .find(|node| !names.contains(&node.name()))
            .expect("another node")
    }

    /// What `connection.json` says now.
    pub fn connection(&self) -> Connection {
        let state = StateDir::open(&self.state_dir()).expect("the state directory");
        Connection::read(&state)
            .expect("connection.json is readable")
            .expect("connection.json is there")
    }

    /// Runs an `nbos` command against this cluster and waits for its end.
    pub async fn nbos(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.arg("--state-dir").arg(self.state_dir());
        run(command, &arguments.join(" ")).await
    }

    /// Every living process of this cluster.
    pub fn processes(&self) -> Vec<Process> {
        marked(&self.mark)
    }

    /// What [`crate::marked`] knows its processes by.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    pub fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// A path in the cluster's temporary directory, which goes with it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Directories of nodes' sockets.
    pub fn socket_dirs(&self) -> Vec<String> {
        let temporary = fs::read_dir(self.path(TMP)).into_iter().flatten().flatten();
        let names = temporary.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("nbos-")).collect()
    }

    /// A node's directory, on its small disk where it has one.
    pub fn node_dir(&self, name: &str) -> PathBuf {
        let dir = self.state_dir().join("nodes").join(name);
        let small = self.small_disks.iter().any(|(node, _)| node == name);
        match &self.up {
            // Nobody else sees that disk.
            Some(up) if small => {
                Path::new(&format!("/proc/{}/root", up.id())).join(dir.strip_prefix("/").expect("an absolute path"))
            }
            _ => dir,
        }
    }

    /// Gives the small disk of a node as much more room than is taken.
    pub fn leave_room(&self, name: &str, mib: u64) {
        let up = self.up.as_ref().expect("it runs");
        let disk = statvfs(&self.node_dir(name)).expect("a disk");
        let taken = (disk.blocks() - disk.blocks_free()) * disk.fragment_size();
        let dir = self.state_dir().join("nodes").join(name);
        resize(up.id(), &dir, taken.div_ceil(1 << 20) + mib);
    }

    /// What is left on the disk of a node.
    pub fn room_mib(&self, name: &str) -> u64 {
        let disk = statvfs(&self.node_dir(name)).expect("a disk");
        (disk.blocks_available() * disk.fragment_size()) >> 20
    }

    /// A node's whole log.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.node_dir(name).join("node.log")).unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        self.furnish(&mut command, arguments);
        command
    }

    /// What every command of this cluster has.
    fn furnish<'a>(&self, command: &'a mut Command, arguments: &[&str]) -> &'a mut Command {
        command
            .args(arguments)
            .env(MARK, &self.mark)
            .env("TMPDIR", self.path(TMP))
            .current_dir(self.dir.path())
    }

    fn show(&self) {
        eprintln!("\n---- state of the failed scenario: {}", self.dir.path().display());
        let up = fs::read_to_string(self.path("up.log")).unwrap_or_default();
        eprintln!("---- nbos up\n{}", tail(&up));
        for name in &self.names {
            eprintln!("---- node {name}\n{}", tail(&self.log(name)));
        }
        if let Ok(keep) = std::env::var("NBOS_KEEP") {
            let kept = Path::new(&keep).join(&self.mark);
            let _ = Command::new("cp").arg("-r").arg(self.dir.path()).arg(&kept).status();
            eprintln!("---- kept in {}", kept.display());
        } else {
            eprintln!("---- NBOS_KEEP=DIR keeps the whole directory");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
        if let Some(mut child) = self.up.take() {
            // A frozen node would hold up the end.
            for process in self.processes() {
                signal(process.pid, Signal::SIGCONT);
            }
            signal(child.id(), Signal::SIGTERM);
            let asked = Instant::now();
            while matches!(child.try_wait(), Ok(None)) && asked.elapsed() < ENDS_WITHIN {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        for process in self.processes() {
            eprintln!("left behind, killed: {} {}", process.pid, process.command);
            kill_9(process.pid);
        }
    }
}

/// The `nbos` program of this build.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    // target/PROFILE/deps/THIS
    let program = own.ancestors().nth(2).expect("a target directory").join("nbos");
    assert!(
        program.exists(),
        "{} is missing; build it first: cargo build --bin nbos",
        program.display()
    );
    program
}

/// Runs any `nbos` command and waits for its end.
pub(crate) async fn run(mut command: Command, what: &str) -> Ended {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap_or_else(|error| panic!("cannot start nbos {what}: {error}"));
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output: Output = within(&format!("nbos {what}"), READY_WITHIN, output)
        .await
        .expect("no panic")
        .expect("its output");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn configuration(names: &[String], shape: &Shape) -> String {
    let mut ports = free_ports(names.len() * 2).into_iter();
    let python = match &shape.interpreter {
        Some(path) => format!("interpreter = \"{}\"", path.display()),
        // An environment that is made in seconds, once for all scenarios.
        None => "packages = []".to_owned(),
    };
    let mut text = format!("{}\n[python]\n{python}\n", shape.extra);
    // An even number may not vote.
    let voters = names.len() - 1 + names.len() % 2;
    for (number, name) in names.iter().enumerate() {
        let control = if number < voters { "\"control\", " } else { "" };
        let (mesh, gateway) = (ports.next().unwrap_or_default(), ports.next().unwrap_or_default());
        text.push_str(&format!(
            "\n[[node]]\nname = \"{name}\"\nroles = [{control}\"host\", \"gateway\"]\nmesh = \"127.0.0.1:{mesh}\"\n\
             gateway = \"127.0.0.1:{gateway}\"\ngpus = {{ simulated = {} }}\n",
            shape.gpus
        ));
    }
    text
}

fn free_ports(count: usize) -> Vec<u16> {
    let first = PORTS.start + (std::process::id() % u32::from(PORTS.end - PORTS.start)) as u16;
    let candidates = (first..PORTS.end).chain(PORTS.start..first);
    candidates
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .take(count)
        .collect()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
