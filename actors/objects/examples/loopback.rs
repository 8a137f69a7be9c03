//! How fast a new gigabyte reaches a quorum, beside a plain copy of it over loopback, in the same run.
//!
//! `cargo run --release -p nbos-objects --example loopback [DIRECTORY] [MEBIBYTES] [PEERS]`
//!
//! The plain copy: one process sends the bytes from memory over TCP, another writes them to a file. The quorum: one
//! process hashes the bytes in 4 MiB chunks and writes them to a unix socket, as a kernel does; a node reads them, stores
//! them and pushes them to its peers, each a process of its own, and one acknowledgement settles them. A small chunk
//! is settled every 20 ms beside both, as another kernel would.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nbos_mesh::{Mesh, MeshOptions, NodeName, PeerState, Secret};
use nbos_objects::{BlobId, MAX_CHUNK, Objects};
use nbos_supervision::{Supervisor, SupervisorHandle, Tree};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Chunks that are read ahead while others are being stored.
const AHEAD: usize = 3;
const SOON: Duration = Duration::from_secs(120);
/// A small cell's buffer, and how often one is settled.
const SMALL: usize = 100 << 10;
const SMALL_EVERY: Duration = Duration::from_millis(20);

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--sink", file] => sink(Path::new(file)),
        ["--send", to, mebibytes] => send(to.parse()?, mebibytes.parse()?),
        ["--warm", mebibytes] => {
            std::hint::black_box(vec![1u8; mebibytes.parse::<usize>()? << 20]);
            Ok(())
        }
        ["--kernel", socket, mebibytes] => kernel(Path::new(socket), mebibytes.parse()?),
        ["--node", name, dir, ref addresses @ ..] => runtime()?.block_on(async {
            let _node = start(name, Path::new(dir), addresses).await?;
            println!("up");
            tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
            Ok(())
        }),
        _ => {
            let dir = PathBuf::from(args.first().unwrap_or(&"target/tmp/objects-loopback"));
            let mebibytes = args.get(1).map_or(Ok(1024), |text| text.parse())?;
            let peers = args.get(2).map_or(Ok(2), |text| text.parse())?;
            std::fs::create_dir_all(&dir)?;
            for round in 1..=2 {
                println!("round {round}");
                let plain = plain(&dir, mebibytes)?;
                let ours = runtime()?.block_on(quorum(&dir, mebibytes, peers, round))?;
                println!(
                    "  share of the plain copy's speed: {:.0} %",
                    100.0 * plain.as_secs_f64() / ours.as_secs_f64()
                );
            }
            std::fs::remove_dir_all(&dir)?;
            Ok(())
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Bytes that do not compress, other ones for each seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn report(what: &str, mebibytes: usize, took: Duration) {
    let speed = mebibytes as f64 * 1.048_576e6 / took.as_secs_f64() / 1e9;
    println!("  {what}: {:.2} s, {speed:.2} GB/s", took.as_secs_f64());
}

fn child(args: &[&str]) -> Outcome<Child> {
    let program = std::env::current_exe()?;
    Ok(Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?)
}

/// Touches free memory just before something is timed: virtual machines get theirs page by page from their host when it
/// is first used, at a fraction of its speed, and may give back what is free.
fn warm(mebibytes: usize) -> Outcome<()> {
    child(&["--warm", &mebibytes.to_string()])?.wait()?;
    Ok(())
}

/// Processor time that these processes have used, in seconds: what is left of a measurement on a machine that is busy
/// with other things.
fn cpu(pids: &[u32]) -> Outcome<f64> {
    let mut ticks = 0.0;
    for pid in pids {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // After the name in parentheses: fields 14 and 15 of proc(5), user and system time in hundredths.
        let fields = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace();
        ticks += fields
            .skip(11)
            .take(2)
            .map(|field| field.parse().unwrap_or(0.0))
            .sum::<f64>();
    }
    Ok(ticks / 100.0)
}

/// The next line a child says.
fn line(lines: &mut impl BufRead) -> Outcome<String> {
    let mut text = String::new();
    lines.read_line(&mut text)?;
    Ok(text.trim().to_owned())
}

fn plain(dir: &Path, mebibytes: usize) -> Outcome<Duration> {
    let file = dir.join("plain");
    let mut sink = child(&["--sink", &file.to_string_lossy()])?;
    let mut says = BufReader::new(sink.stdout.take().ok_or("no output")?);
    let address = line(&mut says)?;
    let mut sender = child(&["--send", &address, &mebibytes.to_string()])?;
    let mut ready = BufReader::new(sender.stdout.take().ok_or("no output")?);
    line(&mut ready)?;
    warm(5 * mebibytes)?;
    let began = Instant::now();
    let pids = [sender.id(), sink.id()];
    let busy = cpu(&pids)?;
    let mut go = sender.stdin.take().ok_or("no input")?;
    go.write_all(b"go\n")?;
    line(&mut says)?;
    let took = began.elapsed();
    let busy = cpu(&pids)? - busy;
    println!("  processor time of the plain copy: {busy:.2} s");
    drop(go);
    sender.wait()?;
    sink.stdin.take();
    sink.wait()?;
    std::fs::remove_file(file)?;
    report("plain copy over loopback to a file", mebibytes, took);
    Ok(took)
}

fn sink(file: &Path) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let (mut stream, _) = listener.accept()?;
    let mut file = std::fs::File::create(file)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        file.write_all(&buffer[..read])?;
    }
    println!("done");
    line(&mut std::io::stdin().lock())?;
    Ok(())
}

fn send(to: SocketAddr, mebibytes: usize) -> Outcome<()> {
    let bytes = noise(1, mebibytes << 20);
    let mut stream = TcpStream::connect(to)?;
    println!("ready");
    line(&mut std::io::stdin().lock())?;
    for piece in bytes.chunks(256 << 10) {
        stream.write_all(piece)?;
    }
    drop(stream);
    line(&mut std::io::stdin().lock())?;
    Ok(())
}

/// Hashes and sends chunks: name, length, bytes.
fn kernel(socket: &Path, mebibytes: usize) -> Outcome<()> {
    let bytes = noise(u64::from(std::process::id()), mebibytes << 20);
    let mut stream = UnixStream::connect(socket)?;
    println!("ready");
    line(&mut std::io::stdin().lock())?;
    for chunk in bytes.chunks(MAX_CHUNK as usize) {
        let id = BlobId::of(chunk).to_string();
        stream.write_all(id.as_bytes())?;
        stream.write_all(&(chunk.len() as u32).to_le_bytes())?;
        stream.write_all(chunk)?;
    }
    line(&mut std::io::stdin().lock())?;
    Ok(())
}

struct Node {
    objects: Objects,
    mesh: Mesh,
    _root: SupervisorHandle,
}

/// Addresses are `name=address`, this node's own first.
async fn start(name: &str, dir: &Path, addresses: &[&str]) -> Outcome<Node> {
    let mut peers = BTreeMap::new();
    for address in addresses {
        let (name, address) = address.split_once('=').ok_or("name=address")?;
        peers.insert(NodeName::from(name), address.parse::<SocketAddr>()?);
    }
    let tree = Tree::new(name);
    let root = Supervisor::start(&tree, None, "", nbos_supervision::Options::one_for_one()).await?;
    let options = MeshOptions {
        local: NodeName::from(name),
        listen: peers[&NodeName::from(name)],
        peers,
        secret: Secret::new(*b"for this benchmark only"),
        options: nbos_mesh::Options::default(),
    };
    let mesh = Mesh::start(options, &tree, &root).await?;
    let objects = Objects::open(dir, &mesh, &root).await?;
    Ok(Node {
        objects,
        mesh,
        _root: root,
    })
}

async fn quorum(dir: &Path, mebibytes: usize, count: usize, round: usize) -> Outcome<Duration> {
    let dir = dir.join(format!("nodes-{round}"));
    std::fs::create_dir_all(&dir)?;
    let names: Vec<String> = (0..=count).map(|at| format!("n{at}")).collect();
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let addresses = names.iter().map(|name| Ok(format!("{name}={}", free()?)));
    let addresses: Vec<String> = addresses.collect::<std::io::Result<_>>()?;
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut others: Vec<(Child, ChildStdin)> = Vec::new();
    for name in &names[1..] {
        let place = dir.join(name);
        let place = place.to_string_lossy();
        let mut args = vec!["--node", name, &place];
        args.extend(&addresses);
        let mut node = child(&args)?;
        let stdin = node.stdin.take().ok_or("no input")?;
        line(&mut BufReader::new(node.stdout.take().ok_or("no output")?))?;
        others.push((node, stdin));
    }
    let node = start("n0", &dir.join("n0"), &addresses).await?;
    let peers: Vec<NodeName> = names[1..].iter().map(|name| NodeName::from(name.as_str())).collect();
    let began = Instant::now();
    while !peers
        .iter()
        .all(|peer| matches!(node.mesh.peer_state(peer), PeerState::Up { .. }))
    {
        if began.elapsed() > SOON {
            return Err("the peers do not come up".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let alone = small(&node.objects, &peers, Duration::from_secs(2), 1).await?;
    let socket = dir.join("socket");
    let listener = UnixListener::bind(&socket)?;
    let mut kernel = child(&["--kernel", &socket.to_string_lossy(), &mebibytes.to_string()])?;
    line(&mut BufReader::new(kernel.stdout.take().ok_or("no output")?))?;
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    let mut go = kernel.stdin.take().ok_or("no input")?;
    warm(5 * mebibytes)?;
    let mut pids = vec![std::process::id(), kernel.id()];
    pids.extend(others.iter().map(|(node, _)| node.id()));
    let busy = cpu(&pids)?;
    let began = Instant::now();
    go.write_all(b"go\n")?;
    let stream = tokio::net::UnixStream::from_std(stream)?;
    let took = async {
        take(stream, &node.objects, &peers, mebibytes).await?;
        Outcome::Ok(began.elapsed())
    };
    let (took, beside) = if std::env::var_os("NBOS_NO_SMALL").is_some() {
        (took.await?, Vec::new())
    } else {
        let (took, beside) = tokio::join!(took, small(&node.objects, &peers, Duration::from_secs(1), 2));
        (took?, beside?)
    };
    println!("  processor time up to the quorum: {:.2} s", cpu(&pids)? - busy);
    drop(go);
    kernel.wait()?;
    report("unix socket to a quorum", mebibytes, took);
    println!("  {:?}", node.objects.stats());
    // The others get it too.
    let began = Instant::now();
    let all = (mebibytes as u64 * count as u64) << 20;
    while node.objects.stats().pushed_bytes < all && began.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    report("  afterwards, to all peers", mebibytes, began.elapsed());
    for (what, mut times) in [("alone", alone), ("beside it", beside)] {
        times.sort();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        let count = times.len();
        println!(
            "  small chunks {what}: p50 {:?}, p90 {:?}, p99 {:?} of {count}",
            at(50),
            at(90),
            at(99)
        );
    }
    for (mut node, stdin) in others {
        drop(stdin);
        node.kill()?;
        node.wait()?;
    }
    std::fs::remove_dir_all(dir)?;
    Ok(took)
}

async fn take(
    mut stream: tokio::net::UnixStream,
    objects: &Objects,
    peers: &[NodeName],
    mebibytes: usize,
) -> Outcome<()> {
    use tokio::io::AsyncReadExt;
    let count = (mebibytes << 20).div_ceil(MAX_CHUNK as usize);
    let mut ids = Vec::new();
    let mut under_way = FuturesUnordered::new();
    while ids.len() < count {
        let next = async {
            let mut head = [0; 68];
            stream.read_exact(&mut head).await?;
            let id = BlobId::from_hex(std::str::from_utf8(&head[..64])?).ok_or("no name")?;
            let len = u32::from_le_bytes([head[64], head[65], head[66], head[67]]) as usize;
            let mut bytes = Vec::with_capacity(len);
            (&mut stream).take(len as u64).read_to_end(&mut bytes).await?;
            Outcome::Ok((id, Bytes::from(bytes)))
        };
        tokio::pin!(next);
        let (id, bytes) = loop {
            tokio::select! {
                taken = &mut next => break taken?,
                Some(stored) = under_way.next() => { let stored: Result<(), nbos_objects::Error> = stored; stored?; }
            }
        };
        ids.push(id);
        under_way.push(objects.ingest(id, bytes, peers));
        while under_way.len() >= AHEAD {
            under_way.next().await.transpose()?;
        }
    }
    while let Some(stored) = under_way.next().await {
        stored?;
    }
    objects.settle(&ids, peers, 1, SOON).await?;
    Ok(())
}

/// Settles small chunks for a while and gives how long each took.
async fn small(objects: &Objects, peers: &[NodeName], length: Duration, seed: u64) -> Outcome<Vec<Duration>> {
    let end = Instant::now() + length;
    let mut times = Vec::new();
    let mut number = seed << 32;
    while Instant::now() < end {
        number += 1;
        let bytes = Bytes::from(noise(number, SMALL));
        let id = BlobId::of(&bytes);
        let began = Instant::now();
        objects.ingest(id, bytes, peers).await?;
        objects.settle(&[id], peers, 1, SOON).await?;
        times.push(began.elapsed());
        tokio::time::sleep(SMALL_EVERY).await;
    }
    Ok(times)
}
