//! Transfers between stores in one process: the mesh is replaced by a link that calls the other store's service, and
//! loses, fails or cuts what it is told to.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::wire::{PIECE, Refusal, Reply, Request};

/// A node without a mesh.
struct Node {
    name: NodeName,
    dir: TempDir,
    store: Arc<Store>,
    intakes: Arc<Intakes>,
    service: Arc<Service>,
}

impl Node {
    fn start(name: &str) -> Self {
        Self::start_in(name, TempDir::new().expect("temporary directory"))
    }

    fn start_in(name: &str, dir: TempDir) -> Self {
        let store = Arc::new(Store::open(dir.path(), Instant::now()).expect("opens"));
        let intakes = Intakes::new(Arc::clone(&store));
        let service = Arc::new(Service::new(Arc::clone(&store), Arc::clone(&intakes)));
        Self {
            name: NodeName::from(name),
            dir,
            store,
            intakes,
            service,
        }
    }

    fn restart(self) -> Self {
        let Self { name, dir, .. } = self;
        Self::start_in(name.as_str(), dir)
    }

    fn link(&self) -> TestLink {
        TestLink {
            peer: self.name.clone(),
            service: Arc::clone(&self.service),
            wire: Arc::default(),
        }
    }
}

/// What happens to the next requests, in order; afterwards all goes well.
#[derive(Debug, Clone)]
enum Fault {
    /// This one goes through.
    None,
    /// Neither request nor answer arrive.
    Lost,
    /// The peer does it, but its answer is lost.
    AnswerLost,
    /// The peer says this instead.
    Says(Reply),
}

#[derive(Default)]
struct Wire {
    faults: Mutex<Vec<Fault>>,
    pieces: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Clone)]
struct TestLink {
    peer: NodeName,
    service: Arc<Service>,
    wire: Arc<Wire>,
}

impl TestLink {
    /// The first fault is for the first request.
    fn with(self, faults: impl IntoIterator<Item = Fault>) -> Self {
        let mut faults: Vec<Fault> = faults.into_iter().collect();
        faults.reverse();
        *self.wire.faults.lock() = faults;
        self
    }

    fn pieces(&self) -> usize {
        self.wire.pieces.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> usize {
        self.wire.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: &Bytes) {
        self.wire.pieces.fetch_add(1, Ordering::Relaxed);
        self.wire.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
    }
}

impl Link for TestLink {
    fn peer(&self) -> &NodeName {
        &self.peer
    }

    async fn ask(&self, request: Request) -> Result<Reply, Error> {
        if let Request::Piece { bytes, .. } = &request {
            self.count(bytes);
        }
        let fault = self.wire.faults.lock().pop().unwrap_or(Fault::None);
        let lost = || Error::Peer {
            peer: self.peer.clone(),
            reason: "lost".to_owned(),
        };
        let reply = match fault {
            Fault::None => self.service.start(request).reply().await,
            Fault::Lost => return Err(lost()),
            Fault::AnswerLost => {
                self.service.start(request).reply().await;
                return Err(lost());
            }
            Fault::Says(reply) => reply,
        };
        if let Reply::Bytes { bytes, .. } = &reply {
            self.count(bytes);
        }
        Ok(reply)
    }
}

fn blob(len: u64) -> Bytes {
    (0..len).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>().into()
}

/// Several pieces and a rest.
const SEVERAL: u64 = 6 * PIECE + 1234;
const SOON: Duration = Duration::from_secs(30);

async fn put(node: &Node, bytes: &Bytes) -> BlobId {
    let (store, bytes) = (Arc::clone(&node.store), bytes.clone());
    blocking(move || store.put(&bytes, Instant::now())).await.expect("puts")
}

async fn push(from: &Node, id: BlobId, link: &TestLink) -> Result<(), Error> {
    let outcome = Pushes::new(Arc::clone(&from.store)).start(id, link.clone());
    ended(link.peer.clone(), outcome).await.1
}

#[tokio::test]
async fn push_sends_each_byte_once_and_nothing_to_who_has_it() {
    let (from, to) = (Node::start("a"), Node::start("b"));
    for len in [0, 1, PIECE, SEVERAL] {
        let bytes = blob(len);
        let id = put(&from, &bytes).await;
        let link = to.link();
        push(&from, id, &link).await.expect("arrives");
        assert_eq!(to.store.read(&id).expect("is there"), bytes);
        assert_eq!(link.bytes(), bytes.len());
        push(&from, id, &link).await.expect("is there");
        assert_eq!(link.bytes(), bytes.len());
    }
}

#[tokio::test]
async fn push_goes_on_where_it_broke_off() {
    let (from, to) = (Node::start("a"), Node::start("b"));
    let id = put(&from, &blob(SEVERAL)).await;
    // The offer and four pieces arrive; the fifth and its window are lost, and then the peer is restarted.
    let faults = vec![Fault::None; 5].into_iter().chain(vec![Fault::Lost; 4]);
    let link = to.link().with(faults);
    let broke_off = crate::push::attempt(&from.store, id, &link)
        .await
        .expect_err("breaks off");
    assert_eq!(broke_off.code(), "NB0808");
    let before = link.bytes();
    let to = to.restart();
    let link = to.link();
    push(&from, id, &link).await.expect("arrives");
    assert!(
        before > 0 && link.bytes() as u64 == SEVERAL - 4 * PIECE,
        "{} sent again",
        link.bytes()
    );
    assert!(to.store.read(&id).is_ok());
}

#[tokio::test]
async fn push_survives_lost_requests_and_answers() {
    let (from, to) = (Node::start("a"), Node::start("b"));
    let id = put(&from, &blob(SEVERAL)).await;
    let faults = [
        Fault::Lost,
        Fault::AnswerLost,
        Fault::None,
        Fault::AnswerLost,
        Fault::Lost,
        Fault::None,
        Fault::Lost,
    ];
    push(&from, id, &to.link().with(faults)).await.expect("arrives");
    assert!(to.store.read(&id).is_ok());
}

#[tokio::test]
async fn push_waits_until_a_full_peer_has_room() {
    let (from, to) = (Node::start("a"), Node::start("b"));
    let id = put(&from, &blob(10)).await;
    let full = Fault::Says(Reply::Refused(Refusal::NoSpace));
    push(&from, id, &to.link().with([full.clone(), Fault::None, full]))
        .await
        .expect("arrives");
    assert!(to.store.contains(&id));
}

#[tokio::test]
async fn push_of_a_damaged_copy_ends_and_the_copy_is_gone() {
    let mut flipped = blob(10).to_vec();
    flipped[3] ^= 1;
    // Cut short, another byte, and longer than it was.
    for damaged in [blob(9).to_vec(), flipped, blob(11).to_vec()] {
        let (from, to) = (Node::start("a"), Node::start("b"));
        let id = put(&from, &blob(10)).await;
        std::fs::write(from.dir.path().join("blobs").join(id.to_string()), &damaged).expect("damages");
        match push(&from, id, &to.link()).await {
            // The first ten bytes are right: what the peer has is the blob.
            Ok(()) => assert_eq!((damaged.len(), to.store.read(&id).expect("is right")), (11, blob(10))),
            Err(error) => {
                assert!(matches!(error, Error::Corrupt(_) | Error::NotFound(_)), "{error}");
                assert!(!from.store.contains(&id) && !to.store.contains(&id));
            }
        }
    }
}

#[tokio::test]
async fn two_senders_of_one_blob_help_each_other() {
    let (a, b, to) = (Node::start("a"), Node::start("b"), Node::start("c"));
    let bytes = blob(40 * PIECE);
    let id = put(&a, &bytes).await;
    put(&b, &bytes).await;
    let (left, right) = (to.link(), to.link());
    let (first, second) = tokio::join!(push(&a, id, &left), push(&b, id, &right));
    first.and(second).expect("both end");
    assert_eq!(to.store.read(&id).expect("is there"), bytes);
    assert!(left.pieces() < 40 || right.pieces() < 40 || left.pieces() + right.pieces() == 80);
}

#[tokio::test]
async fn pushes_of_one_blob_to_one_peer_are_one() {
    let (from, to) = (Node::start("a"), Node::start("b"));
    let id = put(&from, &blob(SEVERAL)).await;
    let pushes = Pushes::new(Arc::clone(&from.store));
    let link = to.link();
    let both = [pushes.start(id, link.clone()), pushes.start(id, link.clone())];
    for outcome in both {
        ended(to.name.clone(), outcome).await.1.expect("arrives");
    }
    assert_eq!(link.bytes() as u64, SEVERAL);
}

#[tokio::test]
async fn enough_returns_at_the_quorum_and_leaves_the_rest_running() {
    let id = BlobId::of(b"");
    let outcome = |end| watch::channel(end).1;
    let (still_open, open) = watch::channel(None);
    let bad = Some(Err(Error::NotFound(id)));
    let peers = |ends: Vec<Outcome>| {
        ["b", "c", "d"]
            .map(NodeName::from)
            .into_iter()
            .zip(ends)
            .collect::<Vec<_>>()
    };

    enough(
        id,
        peers(vec![open.clone(), outcome(Some(Ok(()))), outcome(bad.clone())]),
        1,
        SOON,
    )
    .await
    .expect("one is enough");
    // Two can no longer come, whatever happens to the open one.
    let few = enough(
        id,
        peers(vec![open.clone(), outcome(bad.clone()), outcome(bad.clone())]),
        2,
        SOON,
    )
    .await;
    let error = few.expect_err("too few");
    assert!(
        matches!(
            error,
            Error::NotEnough {
                need: 2,
                acknowledged: 0,
                ..
            }
        ),
        "{error}"
    );
    let late = enough(
        id,
        peers(vec![open, outcome(Some(Ok(()))), outcome(bad)]),
        2,
        Duration::from_millis(1),
    )
    .await;
    let error = late.expect_err("too late");
    assert!(
        error.to_string().contains("b: no acknowledgement yet") && error.code() == "NB0804",
        "{error}"
    );
    drop(still_open);
}

#[tokio::test]
async fn fetch_finds_the_peer_that_has_it_and_resumes() {
    let (here, empty, full) = (Node::start("a"), Node::start("b"), Node::start("c"));
    let bytes = blob(SEVERAL);
    let id = put(&full, &bytes).await;
    // The length and three pieces arrive, then the link breaks once.
    let faults = vec![Fault::None; 4].into_iter().chain(vec![Fault::Lost; 4]);
    let link = full.link().with(faults);
    fetch(&here.intakes, id, &[empty.link(), link.clone()], SOON)
        .await
        .expect("arrives");
    assert_eq!(here.store.read(&id).expect("is there"), bytes);
    assert!((link.bytes() as u64) < SEVERAL + 4 * PIECE, "{} moved", link.bytes());
}

#[tokio::test]
async fn fetch_tells_nowhere_from_not_now() {
    let (here, empty) = (Node::start("a"), Node::start("b"));
    let id = BlobId::of(b"never put");
    let nowhere = fetch(&here.intakes, id, &[empty.link()], SOON)
        .await
        .expect_err("is nowhere");
    assert_eq!(nowhere.code(), "NB0801");
    let away = empty.link().with(vec![Fault::Lost; 1000]);
    let late = fetch(&here.intakes, id, &[away], Duration::from_millis(200))
        .await
        .expect_err("is late");
    assert!(late.code() == "NB0809" && late.to_string().contains("lost"), "{late}");
}

#[tokio::test]
async fn fetch_takes_the_good_copy_after_a_damaged_one() {
    let (here, bad, good) = (Node::start("a"), Node::start("b"), Node::start("c"));
    let bytes = blob(SEVERAL);
    let id = put(&bad, &bytes).await;
    put(&good, &bytes).await;
    let mut other = bytes.to_vec();
    other[7] ^= 1;
    std::fs::write(bad.dir.path().join("blobs").join(id.to_string()), other).expect("damages");
    fetch(&here.intakes, id, &[bad.link(), good.link()], SOON)
        .await
        .expect("arrives");
    assert_eq!(here.store.read(&id).expect("is there"), bytes);
}

#[tokio::test]
async fn nonsense_from_a_peer_is_an_error_not_a_panic() {
    let (here, peer) = (Node::start("a"), Node::start("b"));
    let id = put(&here, &blob(10)).await;
    let wanted = BlobId::of(b"wanted");
    let odd = [
        Reply::Have,
        Reply::Want { offset: u64::MAX },
        Reply::Bytes {
            len: u64::MAX,
            bytes: Bytes::new(),
        },
        Reply::Bytes { len: 3, bytes: blob(7) },
    ];
    for first in &odd {
        for second in &odd {
            let faults = [first, second].map(|reply| Fault::Says(reply.clone()));
            // Whatever comes of it, it ends, and no wrong bytes are kept.
            let _ = crate::push::attempt(&here.store, id, &peer.link().with(faults.clone())).await;
            let _ = pull::attempt(&here.intakes, wanted, &peer.link().with(faults)).await;
            assert!(!here.store.contains(&wanted));
        }
    }
    let piece = |len, offset, bytes| Request::Piece {
        id: wanted,
        len,
        offset,
        bytes,
    };
    for request in [
        piece(u64::MAX, 0, blob(1)),
        piece(5, 0, blob(9)),
        piece(5, 0, blob(PIECE + 1)),
    ] {
        assert_eq!(
            peer.service.start(request).reply().await,
            Reply::Refused(Refusal::TooLarge)
        );
    }
    let beyond = Request::Fetch {
        id,
        offset: u64::MAX,
        most: u64::MAX,
    };
    assert!(matches!(
        here.service.start(beyond).reply().await,
        Reply::Refused(Refusal::Storage(_)) | Reply::Bytes { .. }
    ));
}
