//! Nodes in processes of their own, killed without warning.
#![allow(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nbos_mesh::{Mesh, MeshOptions, NodeName, PeerState, Secret};
use nbos_objects::{BlobId, MAX_CHUNK, Objects};
use nbos_supervision::{Supervisor, SupervisorHandle, Tree};

const SOON: Duration = Duration::from_secs(60);
/// Says to the test program that it is to be a node: name, directory, addresses.
const NODE: &str = "NBOS_OBJECTS_TEST_NODE";

/// Not a test: what the tests start to have a node.
#[test]
fn node_process() {
    let Ok(told) = std::env::var(NODE) else { return };
    let [name, dir, addresses] = told.split('|').collect::<Vec<_>>().try_into().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime
        .block_on(async {
            let _node = start(name, Path::new(dir), &parse(addresses)).await;
            println!("\nnode is up");
            tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await
        })
        .unwrap()
        .unwrap();
}

struct Node {
    objects: Objects,
    mesh: Mesh,
    _root: SupervisorHandle,
}

type Addresses = BTreeMap<NodeName, SocketAddr>;

fn parse(text: &str) -> Addresses {
    let pair = |text: &str| {
        let (name, address) = text.split_once('=').unwrap();
        (NodeName::from(name), address.parse().unwrap())
    };
    text.split(',').map(pair).collect()
}

async fn start(name: &str, dir: &Path, peers: &Addresses) -> Node {
    let tree = Tree::new(name);
    let root = Supervisor::start(&tree, None, "", nbos_supervision::Options::one_for_one())
        .await
        .unwrap();
    let options = MeshOptions {
        local: NodeName::from(name),
        listen: peers[&NodeName::from(name)],
        peers: peers.clone(),
        secret: Secret::new(*b"for this test only"),
        options: nbos_mesh::Options::default(),
    };
    let mesh = Mesh::start(options, &tree, &root).await.unwrap();
    let objects = Objects::open(dir, &mesh, &root).await.unwrap();
    Node {
        objects,
        mesh,
        _root: root,
    }
}

/// A node in a process of its own, killed when this is dropped.
struct Process(Child);

impl Process {
    fn start(name: &str, dir: &Path, addresses: &Addresses) -> Self {
        let addresses: Vec<String> = addresses
            .iter()
            .map(|(name, address)| format!("{name}={address}"))
            .collect();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["node_process", "--exact", "--nocapture"])
            .env(NODE, format!("{name}|{}|{}", dir.display(), addresses.join(",")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        assert!(says.lines().any(|line| line.unwrap() == "node is up"));
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Bytes that do not compress, other ones for each seed.
fn noise(seed: u64, len: usize) -> Bytes {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let mut bytes = vec![0; len];
    hasher.finalize_xof().fill(&mut bytes);
    bytes.into()
}

async fn up(node: &Node, peer: &NodeName) {
    let end = Instant::now() + SOON;
    while !matches!(node.mesh.peer_state(peer), PeerState::Up { .. }) {
        assert!(Instant::now() < end, "the peer does not come up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_killed_in_mid_transfer_gets_the_rest_when_it_is_back() {
    let dir = tempfile::TempDir::new().unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses: Addresses = ["n1", "n2", "n3"].map(|name| (NodeName::from(name), free())).into();
    let peers = ["n2", "n3"].map(NodeName::from);
    let mut second = Process::start("n2", &dir.path().join("n2"), &addresses);
    let third = Process::start("n3", &dir.path().join("n3"), &addresses);
    let node = start("n1", &dir.path().join("n1"), &addresses).await;
    for peer in &peers {
        up(&node, peer).await;
    }

    let chunks = 16;
    let contents: Vec<Bytes> = (0..chunks).map(|seed| noise(seed, MAX_CHUNK as usize)).collect();
    let ids: Vec<BlobId> = contents.iter().map(|bytes| BlobId::of(bytes)).collect();
    let transfer = async {
        for (id, bytes) in ids.iter().zip(&contents) {
            node.objects.ingest(*id, bytes.clone(), &peers).await.unwrap();
        }
        node.objects.settle(&ids, &peers, 1, SOON).await.unwrap();
    };
    let kill = async {
        let end = Instant::now() + SOON;
        while node.objects.stats().pushed_bytes < 3 * MAX_CHUNK {
            assert!(Instant::now() < end, "nothing is pushed");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        second.0.kill().unwrap();
    };
    // Whichever peer was first in line, one of the two lives.
    tokio::join!(transfer, kill);

    drop(second);
    let _second = Process::start("n2", &dir.path().join("n2"), &addresses);
    up(&node, &peers[0]).await;
    node.objects.settle(&ids, &peers, 2, SOON).await.unwrap();
    let pushed = node.objects.stats().pushed_bytes;
    // What was under way when it was killed is sent twice: at most the window, and one being written.
    assert!(pushed <= (2 * chunks + 4) * MAX_CHUNK, "{pushed} bytes");

    // The only one left that has it gives it back, to a node that has lost its disk, while another dies.
    drop(third);
    let end = Instant::now() + SOON;
    let empty = tempfile::TempDir::new().unwrap();
    let _third = Process::start("n3", &empty.path().join("n3"), &addresses);
    up(&node, &peers[1]).await;
    node.objects
        .settle(&ids, &peers, 2, end - Instant::now())
        .await
        .unwrap();
    for (id, bytes) in ids.iter().zip(&contents) {
        std::fs::remove_dir_all(dir.path().join("n1/fresh")).ok();
        std::fs::remove_dir_all(dir.path().join("n1/blobs")).ok();
        assert_eq!(
            node.objects.read(*id).await.unwrap_err().code(),
            "NB0803",
            "its file is gone"
        );
        node.objects.read(*id).await.unwrap_err();
        std::fs::create_dir_all(dir.path().join("n1/fresh")).unwrap();
        std::fs::create_dir_all(dir.path().join("n1/blobs")).unwrap();
        node.objects.fetch(&[*id], &peers, SOON, |_| {}).await.unwrap();
        assert_eq!(node.objects.read(*id).await.unwrap(), bytes);
    }
}

/// A disk with room for 8 MiB beside the 256 MiB that chunks leave to others, where the test may mount one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers() {
    let dir = tempfile::TempDir::new().unwrap();
    let disk = dir.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=264m", "tmpfs"])
        .arg(&disk)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: a small file system cannot be mounted here");
        return;
    }
    let _unmount = Unmount(disk.clone());
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses: Addresses = ["m1", "m2"].map(|name| (NodeName::from(name), free())).into();
    let peers = [NodeName::from("m2")];
    let _second = Process::start("m2", &disk.join("m2"), &addresses);
    let run = dir.path().join("m1");
    // A node of its own, for there is one mesh a process.
    let node = start("m1", &run, &addresses).await;
    up(&node, &peers[0]).await;
    let contents: Vec<Bytes> = (0..2).map(|seed| noise(seed, 3 << 20)).collect();
    let filler = disk.join("filler");
    std::fs::write(&filler, vec![0; 6 << 20]).unwrap();
    let ids: Vec<BlobId> = contents.iter().map(|bytes| BlobId::of(bytes)).collect();
    for (id, bytes) in ids.iter().zip(&contents) {
        node.objects.ingest(*id, bytes.clone(), &peers).await.unwrap();
    }
    let full = node.objects.settle(&ids, &peers, 1, SOON).await.unwrap_err();
    assert!(full.code() == "NB0802" && full.to_string().contains("m2"), "{full}");
    std::fs::remove_file(filler).unwrap();
    node.objects.settle(&ids, &peers, 1, SOON).await.unwrap();
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still be there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
