use std::os::unix::fs::FileExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const GRACE: Duration = Duration::from_secs(60);

fn store() -> (TempDir, Store) {
    let dir = TempDir::new().expect("temporary directory");
    let store = Store::open(dir.path(), Instant::now()).expect("opens");
    (dir, store)
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).expect("readable").count()
}

fn damage(store: &Store, id: &BlobId) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(store.path(id))
        .expect("opens");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 0).expect("has a byte");
    file.write_all_at(&[byte[0] ^ 1], 0).expect("writes");
}

#[test]
fn gives_back_what_was_put_also_after_a_restart() {
    let (dir, store) = store();
    let now = Instant::now();
    let (id, empty) = (
        store.put(b"state", now).expect("puts"),
        store.put(b"", now).expect("puts"),
    );
    assert_eq!(store.put(b"state", now).expect("puts again"), id);
    let again = Store::open(dir.path(), now).expect("opens");
    for store in [&store, &again] {
        assert_eq!(store.read(&id).expect("reads"), "state");
        assert_eq!(store.read(&empty).expect("reads"), "");
        assert_eq!(store.touch(&id, now), Some(5));
    }
    assert_eq!((files(&store.blobs), files(&store.tmp)), (2, 0));
}

#[test]
fn halves_left_by_a_crash_are_not_blobs() {
    let (dir, store) = store();
    let id = store.put(b"state", Instant::now()).expect("puts");
    fs::write(store.tmp.join("77"), b"half").expect("writes");
    fs::write(store.blobs.join("notes.txt"), b"not ours").expect("writes");
    let again = Store::open(dir.path(), Instant::now()).expect("opens");
    assert_eq!(again.index.lock().keys().copied().collect::<Vec<_>>(), [id]);
    assert_eq!((files(&again.tmp), files(&again.blobs)), (0, 2));
}

#[test]
fn damaged_copy_is_refused_once_and_can_be_replaced() {
    let (_dir, store) = store();
    let id = store.put(b"state", Instant::now()).expect("puts");
    damage(&store, &id);
    assert!(matches!(store.read(&id), Err(Error::Corrupt(it)) if it == id));
    assert!(matches!(store.read(&id), Err(Error::NotFound(_))));
    store.put(b"state", Instant::now()).expect("puts");
    assert_eq!(store.read(&id).expect("reads"), "state");
}

#[test]
fn full_disk_acknowledges_nothing_and_recovers() {
    let (_dir, store) = store();
    *store.fail_next_write.lock() = Some(ErrorKind::StorageFull);
    let error = store.put(b"state", Instant::now()).expect_err("full");
    assert_eq!(error.code(), "NB0802");
    assert!(!store.contains(&BlobId::of(b"state")));
    assert_eq!((files(&store.blobs), files(&store.tmp)), (0, 0));
    let id = store.put(b"state", Instant::now()).expect("there is room again");
    assert_eq!(store.read(&id).expect("reads"), "state");
}

#[test]
fn other_disk_errors_are_told_apart_from_a_full_one() {
    let (_dir, store) = store();
    *store.fail_next_write.lock() = Some(ErrorKind::ReadOnlyFilesystem);
    assert_eq!(store.put(b"state", Instant::now()).expect_err("fails").code(), "NB0805");
}

#[test]
fn incomplete_blob_is_given_up_on_a_full_disk() {
    let (_dir, store) = store();
    let id = BlobId::of(b"state");
    let mut partial = store.resume(id, 5).expect("opens");
    store.append(&mut partial, b"st").expect("appends");
    *store.fail_next_write.lock() = Some(ErrorKind::StorageFull);
    assert_eq!(store.append(&mut partial, b"ate").expect_err("full").code(), "NB0802");
    assert_eq!(files(&store.partial), 0);
    assert_eq!(store.resume(id, 5).expect("opens").at(), 0);
}

#[test]
fn failed_append_leaves_what_was_there() {
    let (_dir, store) = store();
    let id = BlobId::of(b"state");
    let mut partial = store.resume(id, 5).expect("opens");
    store.append(&mut partial, b"st").expect("appends");
    *store.fail_next_write.lock() = Some(ErrorKind::TimedOut);
    store.append(&mut partial, b"ate").expect_err("fails");
    let mut partial = store.resume(id, 5).expect("opens");
    assert_eq!(partial.at(), 2);
    store.append(&mut partial, b"ate").expect("appends");
    store.finish(partial, Instant::now()).expect("is the blob");
    assert_eq!(store.read(&id).expect("reads"), "state");
}

#[test]
fn wrong_bytes_never_become_a_blob() {
    let (_dir, store) = store();
    let id = BlobId::of(b"state");
    let mut partial = store.resume(id, 5).expect("opens");
    store.append(&mut partial, b"stale").expect("appends");
    assert_eq!(
        store.finish(partial, Instant::now()).expect_err("is not").code(),
        "NB0803"
    );
    assert!(!store.contains(&id));
    assert_eq!((files(&store.blobs), files(&store.partial)), (0, 0));
}

#[test]
fn complete_but_unfinished_file_wants_its_last_byte_again() {
    let (dir, store) = store();
    let id = BlobId::of(b"state");
    let mut partial = store.resume(id, 5).expect("opens");
    store.append(&mut partial, b"state").expect("appends");
    drop((partial, store));
    let store = Store::open(dir.path(), Instant::now()).expect("opens");
    let mut partial = store.resume(id, 5).expect("opens");
    assert_eq!(partial.at(), 4);
    store.append(&mut partial, b"e").expect("appends");
    store.finish(partial, Instant::now()).expect("is the blob");
    assert!(store.contains(&id));
}

#[test]
fn retain_spares_what_is_kept_young_or_touched() {
    let (_dir, store) = store();
    let start = Instant::now();
    let [kept, touched, put_again, old] =
        [b"kept", b"used", b"same", b"old!"].map(|bytes| store.put(bytes, start).expect("puts"));
    let later = start + GRACE;
    let young = store.put(b"young", later).expect("puts");
    store.touch(&touched, later);
    store.put(b"same", later).expect("puts");
    assert_eq!(store.retain(&BTreeSet::from([kept]), later, GRACE).expect("retains"), 1);
    assert!(!store.contains(&old) && matches!(store.read(&old), Err(Error::NotFound(_))));
    for id in [kept, touched, put_again, young] {
        store.read(&id).expect("is still there");
    }
    assert_eq!((files(&store.blobs), files(&store.tmp)), (4, 0));
}

#[test]
fn retain_sweeps_what_stopped_arriving() {
    let (_dir, store) = store();
    let mut partial = store.resume(BlobId::of(b"state"), 5).expect("opens");
    store.append(&mut partial, b"st").expect("appends");
    store.retain(&BTreeSet::new(), Instant::now(), GRACE).expect("retains");
    assert_eq!(files(&store.partial), 1);
    store
        .retain(&BTreeSet::new(), Instant::now(), Duration::ZERO)
        .expect("retains");
    assert_eq!(files(&store.partial), 0);
}

#[test]
fn puts_reads_and_deletions_at_once_lose_nothing_that_was_acknowledged() {
    let (_dir, store) = store();
    let blobs: Vec<Vec<u8>> = (0..8u8).map(|seed| vec![seed; 5000]).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for bytes in blobs.iter().cycle().take(200) {
                    // The sweeper below takes only what is older than its grace.
                    let id = store.put(bytes, Instant::now() + GRACE).expect("puts");
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
    assert_eq!(files(&store.tmp), 0);
}

/// One thing a random run does with one of a few blobs.
#[derive(Debug, Clone)]
enum Op {
    Put(u8),
    Damage(u8),
    Arrive(u8, usize),
    Retain(BTreeSet<u8>),
    Wait(u64),
    Reopen,
    Full(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let blob = 0..4u8;
    prop_oneof![
        4 => blob.clone().prop_map(Op::Put),
        1 => blob.clone().prop_map(Op::Damage),
        3 => (blob.clone(), 1..400usize).prop_map(|(blob, bytes)| Op::Arrive(blob, bytes)),
        2 => prop::collection::btree_set(blob.clone(), 0..4).prop_map(Op::Retain),
        2 => (0..100u64).prop_map(Op::Wait),
        1 => Just(Op::Reopen),
        1 => blob.prop_map(Op::Full),
    ]
}

fn content(blob: u8) -> Vec<u8> {
    vec![blob; 100 * usize::from(blob) + 1]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A reader never gets wrong bytes, and an acknowledged blob that is kept or young and not damaged is there.
    #[test]
    fn random_runs_keep_their_word(ops in prop::collection::vec(op(), 1..40)) {
        let dir = TempDir::new().expect("temporary directory");
        let mut now = Instant::now();
        let mut store = Store::open(dir.path(), now).expect("opens");
        // Blob → when it was last acknowledged; absent once it may be gone.
        let mut promised: BTreeMap<u8, Instant> = BTreeMap::new();
        for op in ops {
            match op {
                Op::Put(blob) => {
                    store.put(&content(blob), now).expect("puts");
                    promised.insert(blob, now);
                }
                Op::Damage(blob) => {
                    let id = BlobId::of(&content(blob));
                    if store.contains(&id) {
                        damage(&store, &id);
                        prop_assert!(store.read(&id).is_err());
                        promised.remove(&blob);
                    }
                }
                Op::Arrive(blob, bytes) => {
                    let whole = content(blob);
                    let id = BlobId::of(&whole);
                    if !store.contains(&id) {
                        let mut partial = store.resume(id, whole.len() as u64).expect("opens");
                        let at = usize::try_from(partial.at()).expect("small");
                        let end = (at + bytes).min(whole.len());
                        store.append(&mut partial, &whole[at..end]).expect("appends");
                        if end == whole.len() {
                            store.finish(partial, now).expect("is the blob");
                            promised.insert(blob, now);
                        }
                    }
                }
                Op::Retain(keep) => {
                    let ids = keep.iter().map(|&blob| BlobId::of(&content(blob))).collect();
                    store.retain(&ids, now, GRACE).expect("retains");
                    promised.retain(|blob, at| keep.contains(blob) || now < *at + GRACE);
                }
                Op::Wait(seconds) => now += Duration::from_secs(seconds),
                Op::Reopen => store = Store::open(dir.path(), now).expect("opens"),
                Op::Full(blob) => {
                    let known = store.contains(&BlobId::of(&content(blob)));
                    *store.fail_next_write.lock() = Some(ErrorKind::StorageFull);
                    prop_assert_eq!(store.put(&content(blob), now).is_ok(), known);
                    *store.fail_next_write.lock() = None;
                    if known {
                        promised.insert(blob, now);
                    }
                }
            }
            for blob in 0..4 {
                match store.read(&BlobId::of(&content(blob))) {
                    Ok(bytes) => prop_assert_eq!(&bytes[..], &content(blob)[..]),
                    Err(error) => prop_assert!(!promised.contains_key(&blob), "blob {} is lost: {}", blob, error),
                }
            }
        }
    }
}
