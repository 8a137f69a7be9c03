//! Several nodes in one process, each with its own store and port; connections are plain and can be cut.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;

use futures_util::future::BoxFuture;
use nbos_mesh::Duplex;
use parking_lot::Mutex;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::*;
use crate::dial::Dial;
use crate::serve;

mod once;

const SOON: Duration = Duration::from_secs(30);

/// Where everybody listens, and who cannot be reached.
#[derive(Default)]
struct Net {
    ports: Mutex<BTreeMap<NodeName, SocketAddr>>,
    away: Mutex<BTreeSet<NodeName>>,
    /// Bytes after which the next connection breaks, one after another.
    breaks: Mutex<Vec<u64>>,
}

struct Line(Arc<Net>);

impl Dial for Line {
    fn dial<'a>(&'a self, to: &'a NodeName) -> BoxFuture<'a, Result<Box<dyn Duplex>, String>> {
        Box::pin(async move {
            if self.0.away.lock().contains(to) {
                return Err("NB0210, it is away".to_owned());
            }
            let address = *self.0.ports.lock().get(to).ok_or("nobody of that name")?;
            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            let limit = self.0.breaks.lock().pop();
            Ok(match limit {
                None => Box::new(stream) as Box<dyn Duplex>,
                Some(limit) => Box::new(breaking(stream, limit)),
            })
        })
    }

    fn is_up(&self, node: &NodeName) -> bool {
        !self.0.away.lock().contains(node)
    }
}

/// A connection that ends after so many bytes in either direction.
fn breaking(stream: TcpStream, limit: u64) -> tokio::io::DuplexStream {
    let (near, far) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move {
        let (reader, mut writer) = stream.into_split();
        let (from, mut to) = tokio::io::split(far);
        let (mut out, mut back) = (from.take(limit), reader.take(limit));
        tokio::select! {
            _ = tokio::io::copy(&mut out, &mut writer) => {}
            _ = tokio::io::copy(&mut back, &mut to) => {}
        }
    });
    near
}

struct Host {
    name: NodeName,
    dir: TempDir,
    node: Node,
    ended: CancellationToken,
    /// Chunks are accepted, but nothing is answered.
    deaf: Arc<AtomicBool>,
}

async fn host(net: &Arc<Net>, name: &str) -> Host {
    host_in(
        net,
        name,
        TempDir::new().expect("temporary directory"),
        &Options::default(),
    )
    .await
}

async fn host_in(net: &Arc<Net>, name: &str, dir: TempDir, options: &Options) -> Host {
    let store = Arc::new(Store::open(dir.path(), Instant::now()).expect("opens"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let name = NodeName::from(name);
    net.ports
        .lock()
        .insert(name.clone(), listener.local_addr().expect("has an address"));
    let ended = CancellationToken::new();
    let deaf = Arc::new(AtomicBool::new(false));
    let (serving, token, silent) = (Arc::clone(&store), ended.clone(), Arc::clone(&deaf));
    tokio::spawn(ended.clone().run_until_cancelled_owned(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            let (store, token, runtime) = (Arc::clone(&serving), token.clone(), Handle::current());
            if silent.load(Ordering::SeqCst) {
                tokio::spawn(async move {
                    let _held = stream;
                    token.cancelled().await;
                });
                continue;
            }
            std::thread::spawn(move || {
                runtime.block_on(token.run_until_cancelled(serve::connection(store, Box::new(stream))));
            });
        }
    }));
    let dialer: Dialer = Arc::new(Line(Arc::clone(net)));
    let node = Node::new(store, dialer, options, CancellationToken::new()).expect("starts");
    Host {
        name,
        dir,
        node,
        ended,
        deaf,
    }
}

impl Host {
    /// Ends all that answers here, as the end of the process does; the files stay.
    fn kill(self, net: &Net) -> (NodeName, TempDir) {
        net.ports.lock().remove(&self.name);
        self.ended.cancel();
        (self.name, self.dir)
    }

    async fn read(&self, id: BlobId) -> Result<Bytes, Error> {
        let store = Arc::clone(&self.node.store);
        blocking(move || store.read(&id)).await
    }
}

/// Bytes that do not compress, other ones for each seed.
fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend(next());
    }
    bytes.truncate(len);
    bytes.into()
}

async fn ingest(host: &Host, bytes: &Bytes, peers: &[NodeName]) -> BlobId {
    let id = BlobId::of(bytes);
    host.node.ingest(id, bytes.clone(), peers).await.expect("ingests");
    id
}

fn names(hosts: &[&Host]) -> Vec<NodeName> {
    hosts.iter().map(|host| host.name.clone()).collect()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "{what}: it takes too long");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_has_it_and_all_get_it_once() {
    let net = Arc::default();
    let (a, b, c) = (host(&net, "a").await, host(&net, "b").await, host(&net, "c").await);
    let peers = names(&[&b, &c]);
    let contents = [
        noise(1, 5_000_000 / 2),
        noise(2, 1000),
        Bytes::from(vec![7; 3_000_000]),
        Bytes::new(),
    ];
    let mut ids = Vec::new();
    for bytes in &contents {
        ids.push(ingest(&a, bytes, &peers).await);
    }
    a.node.settle(&ids, &peers, 1, SOON).await.expect("settles");
    assert!(
        [&b, &c]
            .iter()
            .any(|host| ids.iter().all(|id| host.node.store.contains(id)))
    );
    a.node.settle(&ids, &peers, 2, SOON).await.expect("settles on all");
    let packed = a.node.stats().stored_bytes;
    assert!(packed < 2_600_000, "{packed} stored");
    for host in [&b, &c] {
        assert_eq!(host.node.stats().stored_bytes, packed, "as compressed as here");
        for (id, bytes) in ids.iter().zip(&contents) {
            assert_eq!(host.read(*id).await.expect("is there"), bytes);
        }
    }
    // Never again, whoever asks.
    for _ in 0..2 {
        for bytes in &contents {
            ingest(&a, bytes, &peers).await;
        }
        a.node.settle(&ids, &peers, 2, SOON).await.expect("is settled");
    }
    assert_eq!(a.node.stats().pushed_bytes, 2 * packed);
    let back = names(&[&a, &c]);
    b.node.settle(&ids, &back, 2, SOON).await.expect("is settled");
    assert_eq!(b.node.stats().pushed_bytes, 0);
    assert_eq!(a.node.stats().in_flight_bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_small_is_on_the_disk_and_what_is_large_later() {
    let net = Arc::default();
    let (a, b) = (host(&net, "a").await, host(&net, "b").await);
    let peers = names(&[&b]);
    let id = ingest(&a, &noise(1, 500_000), &peers).await;
    a.node.settle(&[id], &peers, 1, SOON).await.expect("settles");
    for host in [&a, &b] {
        assert_eq!(host.node.store.touch(&id, Instant::now()), Some(Level::Durable));
    }
    let large = ingest(&a, &noise(2, 4 << 20), &peers).await;
    a.node.settle(&[large], &peers, 1, SOON).await.expect("settles");
    until("flushed in the background", || {
        let durable = |host: &Host| host.node.store.touch(&large, Instant::now()) == Some(Level::Durable);
        durable(&a) && durable(&b)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn always_means_on_the_disks() {
    let net = Arc::default();
    let options = Options {
        sync: Durability::Always,
        ..Options::default()
    };
    let dir = TempDir::new().expect("temporary directory");
    let (a, b) = (host_in(&net, "a", dir, &options).await, host(&net, "b").await);
    let peers = names(&[&b]);
    let id = ingest(&a, &noise(1, 3 << 20), &peers).await;
    a.node.settle(&[id], &peers, 1, SOON).await.expect("settles");
    for host in [&a, &b] {
        assert_eq!(host.node.store.touch(&id, Instant::now()), Some(Level::Durable));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_not_what_the_name_says_are_taken_nowhere() {
    let net = Arc::default();
    let (a, b) = (host(&net, "a").await, host(&net, "b").await);
    let peers = names(&[&b]);
    let id = BlobId::of(b"something else");
    for bytes in [noise(1, 5000), Bytes::from(vec![1; 5000])] {
        let wrong = a.node.ingest(id, bytes, &peers).await.expect_err("is wrong");
        assert_eq!(wrong.code(), "NB0803");
        let nothing = a.node.settle(&[id], &peers, 1, SOON).await.expect_err("is not here");
        assert_eq!(nothing.code(), "NB0801");
    }
    assert!(!a.node.store.contains(&id) && !b.node.store.contains(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_away_is_replaced_by_one_that_is_not() {
    let net: Arc<Net> = Arc::default();
    let (a, b, c) = (host(&net, "a").await, host(&net, "b").await, host(&net, "c").await);
    let peers = names(&[&b, &c]);
    // It takes connections and says nothing.
    b.deaf.store(true, Ordering::SeqCst);
    let id = ingest(&a, &noise(1, 2 << 20), &peers).await;
    a.node.settle(&[id], &peers, 1, SOON).await.expect("the other has it");
    assert!(c.node.store.contains(&id) && !b.node.store.contains(&id));
    // And it cannot be reached at all.
    c.kill(&net);
    let id = ingest(&a, &noise(2, 2 << 20), &peers).await;
    let both = a.node.settle(&[id], &peers, 2, Duration::from_millis(300)).await;
    let few = both.expect_err("nobody is there");
    assert!(few.code() == "NB0804" && few.to_string().contains("0 of 2"), "{few}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_killed_in_the_middle_goes_on_where_it_was() {
    let net: Arc<Net> = Arc::default();
    let (a, b) = (host(&net, "a").await, host(&net, "b").await);
    let peers = names(&[&b]);
    let contents: Vec<Bytes> = (0..12).map(|seed| noise(seed, 1 << 20)).collect();
    // The first connections break within a chunk.
    *net.breaks.lock() = vec![5_500_000, 2_300_000, 700_000];
    let mut ids = Vec::new();
    for bytes in &contents[..6] {
        ids.push(ingest(&a, bytes, &peers).await);
    }
    until("some arrived", || b.node.stats().blobs >= 2).await;
    let (name, dir) = b.kill(&net);
    for bytes in &contents[6..] {
        ids.push(ingest(&a, bytes, &peers).await);
    }
    let late = a.node.settle(&ids, &peers, 1, Duration::from_millis(100)).await;
    assert_eq!(late.expect_err("it is gone").code(), "NB0804");
    let b = host_in(&net, name.as_str(), dir, &Options::default()).await;
    let had = b.node.stats().blobs;
    assert!(had >= 2);
    let before = a.node.stats().pushed_bytes;
    a.node.settle(&ids, &peers, 1, SOON).await.expect("settles");
    let sent = (a.node.stats().pushed_bytes - before) >> 20;
    assert_eq!(sent, 12 - had, "only what it lacked");
    for (id, bytes) in ids.iter().zip(&contents) {
        assert_eq!(b.read(*id).await.expect("is there"), bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_takes_from_all_that_have_it() {
    let net = Arc::default();
    let (a, b, c) = (host(&net, "a").await, host(&net, "b").await, host(&net, "c").await);
    let mut contents: Vec<Bytes> = (0..9).map(|seed| noise(seed, 300_000)).collect();
    contents.push(Bytes::from(vec![3; 2_000_000]));
    let mut ids = Vec::new();
    for (at, bytes) in contents.iter().enumerate() {
        if at % 3 != 0 {
            ingest(&b, bytes, &[]).await;
        }
        if at % 3 != 1 {
            ingest(&c, bytes, &[]).await;
        }
        ids.push(BlobId::of(bytes));
    }
    *net.breaks.lock() = vec![1_000_000, 450_000];
    let told = Mutex::new(Vec::new());
    let progress = |bytes| told.lock().push(bytes);
    a.node
        .fetch(&ids, &names(&[&b, &c]), SOON, progress)
        .await
        .expect("all arrives");
    for (id, bytes) in ids.iter().zip(&contents) {
        assert_eq!(a.read(*id).await.expect("is here"), bytes);
    }
    let told = told.into_inner();
    assert!(told.is_sorted() && told.last() == Some(&4_700_000), "{told:?}");
    let fetched = a.node.stats().fetched_bytes;
    assert!(
        (2_700_000..2_900_000).contains(&fetched),
        "{fetched}: each once, compressed where it was"
    );
    a.node
        .fetch(&ids, &[], SOON, |_| panic!("nothing is missing"))
        .await
        .expect("is here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_tells_nowhere_from_not_now_and_damaged_from_good() {
    let net: Arc<Net> = Arc::default();
    let (a, b, c) = (host(&net, "a").await, host(&net, "b").await, host(&net, "c").await);
    let peers = names(&[&b, &c]);
    let id = BlobId::of(b"never stored");
    let nowhere = a.node.fetch(&[id], &peers, SOON, |_| {}).await.expect_err("is nowhere");
    assert_eq!(nowhere.code(), "NB0801");
    net.away.lock().insert(c.name.clone());
    let soon = Duration::from_millis(300);
    let late = a.node.fetch(&[id], &peers, soon, |_| {}).await.expect_err("is late");
    assert!(late.code() == "NB0809" && late.to_string().contains("away"), "{late}");

    let bytes = noise(1, 1_000_000);
    let id = ingest(&b, &bytes, &[]).await;
    ingest(&c, &bytes, &[]).await;
    b.node.store.flush(&[id]).expect("flushes");
    until("moved", || b.dir.path().join("blobs").join(id.to_string()).exists()).await;
    let mut other = bytes.to_vec();
    other[7] ^= 1;
    std::fs::write(b.dir.path().join("blobs").join(id.to_string()), other).expect("damages");
    net.away.lock().clear();
    a.node
        .fetch(&[id], &peers, SOON, |_| {})
        .await
        .expect("the other copy is good");
    assert_eq!(a.read(id).await.expect("is here"), bytes);
    // Whoever had the damaged copy was told, if it was asked at all.
    a.node.store.read(&id).expect("is here");
    let only_bad = host(&net, "d").await;
    if b.node.store.contains(&id) {
        let bad = only_bad.node.fetch(&[id], &names(&[&b]), SOON, |_| {}).await;
        assert_eq!(bad.expect_err("is damaged").code(), "NB0801");
    }
    until("the damaged copy is gone", || !b.node.store.contains(&id)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_settlements_do_not_wait_behind_large_ones() {
    let net = Arc::default();
    let (a, b) = (host(&net, "a").await, host(&net, "b").await);
    let peers = names(&[&b]);
    let mut large = Vec::new();
    for seed in 0..24 {
        large.push(ingest(&a, &noise(seed, 4 << 20), &peers).await);
    }
    let small = ingest(&a, &noise(99, 10_000), &peers).await;
    let settled = a.node.settle(&large, &peers, 1, SOON);
    let small = async {
        a.node.settle(&[small], &peers, 1, SOON).await.expect("settles");
        large.iter().filter(|id| b.node.store.contains(id)).count()
    };
    let (settled, arrived) = tokio::join!(settled, small);
    settled.expect("settles");
    // Not a matter of time: it overtakes what was ingested before it.
    assert!(arrived <= large.len());
    assert!(a.node.stats().in_flight_bytes <= 64 << 20);
}

/// Whatever a stranger who got past the door says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_ends_its_connection_and_nothing_else() {
    let net: Arc<Net> = Arc::default();
    let (a, b) = (host(&net, "a").await, host(&net, "b").await);
    let peers = names(&[&b]);
    let address = net.ports.lock()[&b.name];
    let huge = [u32::MAX.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
    let liar = crate::wire::head(&crate::wire::Request::Get { id: BlobId::of(b"") }, 77).expect("writes");
    let half = &crate::wire::head(&crate::wire::Request::Get { id: BlobId::of(b"") }, 0).expect("writes")[..20];
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        huge,
        vec![0; 100],
        liar.to_vec(),
        half.to_vec(),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(&garbage).await.expect("writes");
        stream.shutdown().await.expect("shuts down");
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
        // A reset is an end, too.
        let _ = ended.expect("it ends");
    }
    let id = ingest(&a, &noise(1, 100_000), &peers).await;
    a.node.settle(&[id], &peers, 1, SOON).await.expect("settles");
}

/// A peer that answers nonsense is not believed, and not hung upon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_from_a_peer_is_no_acknowledgement() {
    let net: Arc<Net> = Arc::default();
    let a = host(&net, "a").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let fake = NodeName::from("b");
    net.ports
        .lock()
        .insert(fake.clone(), listener.local_addr().expect("has an address"));
    tokio::spawn(async move {
        let id = BlobId::of(&noise(1, 1000));
        let answers = [
            crate::wire::Answer::Known {
                batch: 77,
                held: vec![crate::wire::Has::Held(Level::Durable)],
            },
            crate::wire::Answer::Taken {
                id,
                outcome: Ok(Level::Durable),
            },
            crate::wire::Answer::Chunk {
                id,
                encoding: Encoding::Raw,
            },
        ];
        for answer in answers.iter().cycle() {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let _ = crate::wire::write(&mut stream, answer, &[]).await;
            let _ = crate::wire::read_head::<crate::wire::Request>(&mut stream).await;
        }
    });
    let peers = [fake];
    let id = ingest(&a, &noise(1, 1000), &peers).await;
    let few = a.node.settle(&[id], &peers, 1, Duration::from_millis(500)).await;
    assert_eq!(few.expect_err("nobody has it").code(), "NB0804");
    let wanted = BlobId::of(&noise(2, 1000));
    let late = a
        .node
        .fetch(&[wanted], &peers, Duration::from_millis(500), |_| {})
        .await;
    assert_eq!(late.expect_err("nobody has it").code(), "NB0809");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Connections that break anywhere: what is settled is there, and whole.
    #[test]
    fn broken_connections_lose_nothing(
        sizes in prop::collection::vec(0..400_000usize, 1..10),
        breaks in prop::collection::vec(0..1_000_000u64, 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("starts").block_on(async {
            let net: Arc<Net> = Arc::default();
            let (a, b, c) = (host(&net, "a").await, host(&net, "b").await, host(&net, "c").await);
            *net.breaks.lock() = breaks;
            let peers = names(&[&b]);
            let contents: Vec<Bytes> = sizes.iter().zip(0..).map(|(len, seed)| noise(seed, *len)).collect();
            let mut ids = Vec::new();
            for bytes in &contents {
                ids.push(ingest(&a, bytes, &peers).await);
            }
            a.node.settle(&ids, &peers, 1, SOON).await.expect("settles");
            c.node.fetch(&ids, &names(&[&a, &b]), SOON, |_| {}).await.expect("arrives");
            for (id, bytes) in ids.iter().zip(&contents) {
                for host in [&a, &b, &c] {
                    assert_eq!(host.read(*id).await.expect("is there"), bytes);
                }
            }
        });
    }
}
