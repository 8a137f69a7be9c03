//! Nodes as processes, seen from the test.
//!
//! The test binary starts itself again as a node; the node takes commands on its standard input and answers, and
//! reports every change of a peer's state, on its standard output.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that makes a process a node.
pub(crate) const NODE: &str = "NBOS_MESH_TEST_NODE";
/// Marks the node's lines among those of the test harness.
const MARK: char = '@';
/// Far above anything that should happen.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Where the nodes of one test listen, and what they share.
pub(crate) struct Plan {
    pub(crate) addresses: BTreeMap<String, SocketAddr>,
    pub(crate) secret: String,
    /// Directory with `NAME.pem`, `NAME.key`, `ca.pem`.
    pub(crate) tls: Option<String>,
}

impl Plan {
    pub(crate) fn new(names: &[&str]) -> Self {
        // Held together until all are known, so that no two nodes get the same one.
        let listeners: Vec<TcpListener> = names
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let addresses = names
            .iter()
            .zip(&listeners)
            .map(|(name, held)| ((*name).to_owned(), held.local_addr().unwrap()))
            .collect();
        Self {
            addresses,
            secret: "the right one".to_owned(),
            tls: None,
        }
    }

    pub(crate) fn start(&self, name: &str) -> Node {
        let mut node = self.start_unready(name);
        let (_, error) = node.wait("ready");
        assert_eq!(error, "", "node {name} did not start");
        node
    }

    /// Starts a node that may fail to; it says `ready`, with the error if there is one.
    pub(crate) fn start_unready(&self, name: &str) -> Node {
        let addresses: Vec<String> = self
            .addresses
            .iter()
            .map(|(name, address)| format!("{name}={address}"))
            .collect();
        let tls = self.tls.clone().unwrap_or_default();
        let plan = format!("{name}|{}|{}|{tls}", self.secret, addresses.join(","));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["node_process", "--exact", "--nocapture", "--test-threads=1"])
            .env(NODE, plan)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, line)) = line.split_once(MARK) {
                    let _ = sender.send((Instant::now(), line.to_owned()));
                }
            }
        });
        let input = child.stdin.take().unwrap();
        Node {
            name: name.to_owned(),
            child,
            input,
            lines,
            seen: Vec::new(),
        }
    }
}

pub(crate) struct Node {
    name: String,
    child: Child,
    input: ChildStdin,
    lines: Receiver<(Instant, String)>,
    /// Lines read while waiting for another one.
    seen: Vec<(Instant, String)>,
}

impl Node {
    /// Waits for a line that begins so; returns when it came and the rest of it.
    pub(crate) fn wait_within(&mut self, prefix: &str, within: Duration) -> Option<(Instant, String)> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(at) = self.seen.iter().position(|(_, line)| line.starts_with(prefix)) {
                let (when, line) = self.seen.remove(at);
                return Some((when, line[prefix.len()..].trim().to_owned()));
            }
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    pub(crate) fn wait(&mut self, prefix: &str) -> (Instant, String) {
        match self.wait_within(prefix, LONG) {
            Some(found) => found,
            None => panic!("node {} never said `{prefix}`, only {:?}", self.name, self.seen),
        }
    }

    /// Sends a command and waits for its answer.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.wait("answer").1
    }

    /// Sends a command.
    pub(crate) fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
    }

    /// Waits until this node reports that the peer's state begins so; returns when.
    pub(crate) fn sees(&mut self, peer: &str, state: &str) -> (Instant, String) {
        self.wait(&format!("state {peer} {state}"))
    }

    /// Forgets reports that have come so far.
    pub(crate) fn forget(&mut self) {
        self.seen.clear();
        while self.lines.try_recv().is_ok() {}
    }

    pub(crate) fn signal(&self, signal: Signal) -> Instant {
        let now = Instant::now();
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        now
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends bytes to a port and returns all that comes back.
pub(crate) fn poke(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Starts a node for each name and waits until all see each other.
pub(crate) fn cluster(plan: &Plan) -> Vec<Node> {
    let names: Vec<String> = plan.addresses.keys().cloned().collect();
    let mut nodes: Vec<Node> = names.iter().map(|name| plan.start(name)).collect();
    for node in &mut nodes {
        let own = node.name.clone();
        for name in names.iter().filter(|name| **name != own) {
            node.sees(name, "up");
        }
    }
    nodes
}
