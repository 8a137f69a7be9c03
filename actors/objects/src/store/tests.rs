use std::os::unix::fs::FileExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::encoding::Encoding;

const GRACE: Duration = Duration::from_secs(60);

fn store() -> (TempDir, Store) {
    let dir = TempDir::new().expect("temporary directory");
    let store = Store::open(dir.path(), Instant::now()).expect("opens");
    (dir, store)
}

fn put(store: &Store, bytes: &[u8], now: Instant) -> Result<BlobId, Error> {
    let id = BlobId::of(bytes);
    if store.touch(&id, now).is_none() {
        let mut arrival = store.arrive(id, Encoding::Raw)?;
        bytes.chunks(3000).try_for_each(|piece| arrival.add(piece))?;
        arrival.finish(now)?;
    }
    Ok(id)
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).expect("readable").count()
}

fn file_of(store: &Store, id: &BlobId) -> PathBuf {
    let index = store.index.lock();
    store.path(id, &index.entries[id])
}

fn damage(store: &Store, id: &BlobId) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file_of(store, id))
        .expect("opens");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 0).expect("has a byte");
    file.write_all_at(&[byte[0] ^ 1], 0).expect("writes");
}

#[test]
fn gives_back_what_was_stored_also_after_a_restart() {
    let (dir, store) = store();
    let now = Instant::now();
    let (id, empty) = (
        put(&store, b"state", now).expect("stores"),
        put(&store, b"", now).expect("stores"),
    );
    assert_eq!(put(&store, b"state", now).expect("stores again"), id);
    let text = Bytes::from(b"words ".repeat(10_000));
    let packed = Encoded::of(text.clone());
    assert_eq!(packed.encoding, Encoding::Zstd);
    store.keep(BlobId::of(&text), &packed, now).expect("stores");
    store.flush(&[empty]).expect("flushes");
    let again = Store::open(dir.path(), now).expect("opens");
    for store in [&store, &again] {
        if std::ptr::eq(store, &again) {
            assert_eq!(store.read(&id).expect("reads"), "state");
            assert_eq!(store.read(&empty).expect("reads"), "");
            assert_eq!(store.read(&BlobId::of(&text)).expect("reads"), text);
        }
        assert_eq!(store.totals(), (3, 5 + packed.bytes.len() as u64));
        assert_eq!(store.len(&id), Some(5));
    }
    assert_eq!((files(&store.blobs), files(&store.fresh)), (0, 3));
}

#[test]
fn what_a_power_cut_tore_is_not_a_chunk() {
    let (dir, store) = store();
    let now = Instant::now();
    let whole = put(&store, b"whole", now).expect("stores");
    let torn = put(&store, b"state", now).expect("stores");
    fs::write(file_of(&store, &torn), b"\0\0\0\0\0").expect("tears");
    fs::write(store.fresh.join("trash-7"), b"half").expect("writes");
    fs::write(store.blobs.join("notes.txt"), b"not ours").expect("writes");
    let again = Store::open(dir.path(), now).expect("opens");
    assert_eq!(again.index.lock().entries.keys().copied().collect::<Vec<_>>(), [whole]);
    assert_eq!((files(&again.fresh), files(&again.blobs)), (1, 1));
}

#[test]
fn the_background_brings_everything_to_the_disk() {
    let (dir, store) = store();
    let store = Arc::new(store);
    let flusher = Flusher::start(Arc::clone(&store)).expect("starts");
    let ids: Vec<BlobId> = (0..40u8)
        .map(|byte| put(&store, &[byte], Instant::now()).expect("stores"))
        .collect();
    let end = Instant::now() + Duration::from_secs(20);
    let durable = |id: &BlobId| store.touch(id, Instant::now()) == Some(Level::Durable);
    while !ids.iter().all(durable) {
        assert!(Instant::now() < end, "it takes too long");
        std::thread::yield_now();
    }
    assert_eq!((files(&store.blobs), files(&store.fresh)), (40, 0));
    drop(flusher);
    let again = Store::open(dir.path(), Instant::now()).expect("opens");
    assert!(
        ids.iter()
            .all(|id| again.touch(id, Instant::now()) == Some(Level::Durable))
    );
}

#[test]
fn a_flush_waits_for_the_disk_and_says_what_is_missing() {
    let (_dir, store) = store();
    let now = Instant::now();
    let id = put(&store, b"state", now).expect("stores");
    assert_eq!(store.touch(&id, now), Some(Level::Stored));
    store.flush(&[id]).expect("flushes");
    assert_eq!(store.touch(&id, now), Some(Level::Durable));
    assert!(matches!(store.flush(&[BlobId::of(b"else")]), Err(Error::NotFound(_))));
}

#[test]
fn damaged_copy_is_refused_once_and_can_be_replaced() {
    let (_dir, store) = store();
    let id = put(&store, b"state", Instant::now()).expect("stores");
    damage(&store, &id);
    assert!(matches!(store.read(&id), Err(Error::Corrupt(it)) if it == id));
    assert!(matches!(store.read(&id), Err(Error::NotFound(_))));
    put(&store, b"state", Instant::now()).expect("stores");
    fs::remove_file(file_of(&store, &id)).expect("removes");
    assert!(matches!(store.read(&id), Err(Error::Corrupt(it)) if it == id));
    put(&store, b"state", Instant::now()).expect("stores");
    assert_eq!(store.read(&id).expect("reads"), "state");
}

#[test]
fn full_disk_keeps_nothing_and_recovers() {
    let (_dir, store) = store();
    *store.fail_next_write.lock() = Some(ErrorKind::StorageFull);
    let error = put(&store, b"state", Instant::now()).expect_err("full");
    assert_eq!(error.code(), "NB0802");
    assert!(!store.contains(&BlobId::of(b"state")));
    assert_eq!((files(&store.blobs), files(&store.fresh)), (0, 0));
    let id = put(&store, b"state", Instant::now()).expect("there is room again");
    assert_eq!(store.read(&id).expect("reads"), "state");
    *store.fail_next_write.lock() = Some(ErrorKind::ReadOnlyFilesystem);
    let other = put(&store, b"other", Instant::now()).expect_err("fails");
    assert_eq!(other.code(), "NB0805");
}

#[test]
fn the_last_room_on_the_disk_is_for_others() {
    let (_dir, mut store) = store();
    let before = put(&store, b"before", Instant::now()).expect("there is room");
    store.reserve = u64::MAX;
    let error = put(&store, b"state", Instant::now()).expect_err("no room is left for it");
    assert_eq!((error.code(), files(&store.fresh)), ("NB0802", 1));
    assert_eq!(store.read(&before).expect("reads"), "before");
    put(&store, b"before", Instant::now()).expect("takes no room");
    store.reserve = RESERVE;
    put(&store, b"state", Instant::now()).expect("there is room again");
}

#[test]
fn wrong_or_unfinished_bytes_never_become_a_chunk() {
    let (_dir, store) = store();
    let id = BlobId::of(b"state");
    let mut arrival = store.arrive(id, Encoding::Raw).expect("begins");
    arrival.add(b"stale").expect("writes");
    assert_eq!(arrival.finish(Instant::now()).expect_err("is not it").code(), "NB0803");
    let mut arrival = store.arrive(id, Encoding::Raw).expect("begins");
    arrival.add(b"sta").expect("writes");
    drop(arrival);
    assert!(!store.contains(&id));
    assert_eq!((files(&store.blobs), files(&store.fresh)), (0, 0));
}

#[test]
fn two_arrivals_of_one_chunk_leave_one_file() {
    let (_dir, store) = store();
    let id = BlobId::of(b"state");
    let [mut first, mut second] = [(); 2].map(|()| store.arrive(id, Encoding::Raw).expect("begins"));
    first.add(b"state").expect("writes");
    second.add(b"state").expect("writes");
    first.finish(Instant::now()).expect("is it");
    second.finish(Instant::now()).expect("is it too");
    assert_eq!((files(&store.fresh), store.totals()), (1, (1, 5)));
}

#[test]
fn retain_spares_what_is_kept_young_or_touched() {
    let (_dir, store) = store();
    let start = Instant::now();
    let [kept, touched, again, old] =
        [b"kept", b"used", b"same", b"old!"].map(|bytes| put(&store, bytes, start).expect("stores"));
    store.flush(&[old]).expect("flushes");
    let later = start + GRACE;
    let young = put(&store, b"young", later).expect("stores");
    store.touch(&touched, later);
    put(&store, b"same", later).expect("stores");
    assert_eq!(store.retain(&BTreeSet::from([kept]), later, GRACE).expect("retains"), 1);
    assert!(!store.contains(&old) && matches!(store.read(&old), Err(Error::NotFound(_))));
    for id in [kept, touched, again, young] {
        store.read(&id).expect("is still there");
    }
    assert_eq!((files(&store.fresh), store.totals()), (4, (4, 17)));
}

#[test]
fn stores_reads_flushes_and_deletions_at_once_lose_nothing_that_was_acknowledged() {
    let (_dir, store) = store();
    let store = Arc::new(store);
    let _flusher = Flusher::start(Arc::clone(&store)).expect("starts");
    let chunks: Vec<Vec<u8>> = (0..8u8).map(|seed| vec![seed; 5000]).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for bytes in chunks.iter().cycle().take(100) {
                    // The sweeper below takes only what is older than its grace.
                    let id = put(&store, bytes, Instant::now() + GRACE).expect("stores");
                    assert_eq!(store.read(&id).expect("was acknowledged"), &bytes[..]);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..200 {
                store.retain(&BTreeSet::new(), Instant::now(), GRACE).expect("retains");
            }
        });
    });
    assert_eq!(store.totals().0, 8);
}

/// One thing a random run does with one of a few chunks.
#[derive(Debug, Clone)]
enum Op {
    Put(u8),
    Flush(u8),
    Background,
    Damage(u8),
    Retain(BTreeSet<u8>),
    Wait(u64),
    Reopen,
    Full(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let chunk = 0..4u8;
    prop_oneof![
        4 => chunk.clone().prop_map(Op::Put),
        1 => chunk.clone().prop_map(Op::Flush),
        1 => Just(Op::Background),
        1 => chunk.clone().prop_map(Op::Damage),
        2 => prop::collection::btree_set(chunk.clone(), 0..4).prop_map(Op::Retain),
        2 => (0..100u64).prop_map(Op::Wait),
        1 => Just(Op::Reopen),
        1 => chunk.prop_map(Op::Full),
    ]
}

fn content(chunk: u8) -> Vec<u8> {
    vec![chunk; 100 * usize::from(chunk) + 1]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A reader never gets wrong bytes, and an acknowledged chunk that is kept or young and not damaged is there.
    #[test]
    fn random_runs_keep_their_word(ops in prop::collection::vec(op(), 1..40)) {
        let dir = TempDir::new().expect("temporary directory");
        let mut now = Instant::now();
        let mut store = Store::open(dir.path(), now).expect("opens");
        // Chunk → when it was last acknowledged; absent once it may be gone.
        let mut promised: BTreeMap<u8, Instant> = BTreeMap::new();
        for op in ops {
            match op {
                Op::Put(chunk) => {
                    put(&store, &content(chunk), now).expect("stores");
                    promised.insert(chunk, now);
                }
                Op::Flush(chunk) => {
                    let flushed = store.flush(&[BlobId::of(&content(chunk))]);
                    prop_assert_eq!(flushed.is_ok(), store.contains(&BlobId::of(&content(chunk))));
                }
                Op::Background => {
                    if !store.index.lock().unflushed.is_empty() {
                        store.flush_batch();
                    }
                }
                Op::Damage(chunk) => {
                    let id = BlobId::of(&content(chunk));
                    if store.contains(&id) {
                        damage(&store, &id);
                        prop_assert!(store.read(&id).is_err());
                        promised.remove(&chunk);
                    }
                }
                Op::Retain(keep) => {
                    let ids = keep.iter().map(|&chunk| BlobId::of(&content(chunk))).collect();
                    store.retain(&ids, now, GRACE).expect("retains");
                    promised.retain(|chunk, at| keep.contains(chunk) || now < *at + GRACE);
                }
                Op::Wait(seconds) => now += Duration::from_secs(seconds),
                Op::Reopen => store = Store::open(dir.path(), now).expect("opens"),
                Op::Full(chunk) => {
                    let known = store.contains(&BlobId::of(&content(chunk)));
                    *store.fail_next_write.lock() = Some(ErrorKind::StorageFull);
                    prop_assert_eq!(put(&store, &content(chunk), now).is_ok(), known);
                    *store.fail_next_write.lock() = None;
                    if known {
                        promised.insert(chunk, now);
                    }
                }
            }
            for chunk in 0..4 {
                match store.read(&BlobId::of(&content(chunk))) {
                    Ok(bytes) => prop_assert_eq!(&bytes[..], &content(chunk)[..]),
                    Err(error) => prop_assert!(!promised.contains_key(&chunk), "{}", error),
                }
            }
            let index = store.index.lock();
            prop_assert_eq!(index.bytes, index.entries.values().map(|entry| entry.len).sum::<u64>());
        }
    }
}
