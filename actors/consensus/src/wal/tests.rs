//! Torn ends, damage, full disks, failed syncs, freeing of segments.

use std::fs::{self, OpenOptions};
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::vote::{RaftLeaderId, RaftVote};
use openraft::{EntryPayload, RaftLogReader};

use super::frame::{HEADER, SEGMENT_HEADER, scan};
use super::record::Owner;
use super::{Health, Log, LogOptions, Store};
use crate::error::Error;
use crate::id::{GroupId, ReplicaId};
use crate::types::{Command, Entry, LogId, Types, Vote};

type LeaderId = openraft::alias::LeaderIdOf<Types>;

pub(super) fn owner(replica: u64) -> Owner {
    (GroupId::control(), ReplicaId(replica))
}

pub(super) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(LeaderId::new(term, 1).to_committed(), index)
}

pub(super) fn vote(term: u64) -> Vote {
    Vote::from_leader_id(LeaderId::new(term, 1), true)
}

pub(super) fn entry(term: u64, index: u64, size: usize) -> Entry {
    let command = Bytes::from(vec![index as u8 | 1; size]);
    Entry {
        log_id: log_id(term, index),
        payload: EntryPayload::Normal(Command(command)),
    }
}

/// Appends and waits until it is on disk.
pub(super) async fn append(store: &mut Store, entries: Vec<Entry>) -> std::io::Result<()> {
    let (flushed, done) = Types::oneshot();
    store.append(entries, IOFlushed::signal(flushed)).await?;
    done.await.unwrap()
}

pub(super) async fn all(store: &mut Store) -> Vec<Entry> {
    store
        .try_get_log_entries((Bound::Unbounded, Bound::<u64>::Unbounded))
        .await
        .unwrap()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir).unwrap().map(|item| item.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    found.sort();
    found
}

fn open(dir: &Path) -> Result<Log, Error> {
    Log::open(dir, &LogOptions::default())
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    {
        let log = open(dir.path()).unwrap();
        let mut store = log.store(&owner(1));
        store.save_vote(&vote(3)).await.unwrap();
        append(&mut store, (0..10).map(|i| entry(3, i, 100)).collect())
            .await
            .unwrap();
        store.truncate_after(Some(log_id(3, 7))).await.unwrap();
        store.purge(log_id(3, 2)).await.unwrap();
        store.save_committed(Some(log_id(3, 5))).await.unwrap();
        log.store(&owner(2)).save_vote(&vote(8)).await.unwrap();
        log.forget(&owner(2)).await.unwrap();
    }
    let log = open(dir.path()).unwrap();
    assert_eq!(log.known(), [owner(1)]);
    let mut store = log.store(&owner(1));
    assert_eq!(store.read_vote().await.unwrap(), Some(vote(3)));
    assert_eq!(store.read_committed().await.unwrap(), Some(log_id(3, 5)));
    let state = store.get_log_state().await.unwrap();
    assert_eq!(
        (state.last_purged_log_id, state.last_log_id),
        (Some(log_id(3, 2)), Some(log_id(3, 7)))
    );
    assert_eq!(
        all(&mut store).await,
        (3..8).map(|i| entry(3, i, 100)).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn two_processes_cannot_open_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path()).unwrap();
    assert_eq!(open(dir.path()).map(|_| ()).unwrap_err().code(), "NB0302");
}

/// A log of three acknowledged writes, as a killed process leaves it, and where its last frame begins and ends.
async fn three_writes() -> (Vec<u8>, usize, usize) {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    let mut store = log.store(&owner(1));
    for index in 0..3 {
        append(&mut store, vec![entry(1, index, 40)]).await.unwrap();
    }
    drop((store, log));
    let bytes = fs::read(&segments(dir.path())[0]).unwrap();
    // The scribble that proves the last sync is removed: this is the moment before it is made.
    let frames = scan(&bytes, 1).frames;
    let written: Vec<_> = frames.iter().filter(|(_, length)| *length > 0).collect();
    assert_eq!(written.len(), 3);
    let (start, length) = *written[2];
    (bytes, start - HEADER, start + length)
}

fn plant(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("0000000000000001.wal"), bytes).unwrap();
    dir
}

#[tokio::test]
async fn a_last_write_torn_at_any_byte_is_cut_off() {
    let (bytes, start, end) = three_writes().await;
    for cut in start..end {
        // Once as a short file, once with the reserved zeros behind it.
        let mut padded = bytes[..cut].to_vec();
        padded.resize(end + 4096, 0);
        for torn in [&bytes[..cut], &padded] {
            let dir = plant(torn);
            let log = open(dir.path()).unwrap();
            let mut store = log.store(&owner(1));
            assert_eq!(all(&mut store).await.len(), 2, "cut at {cut}");
            append(&mut store, vec![entry(2, 2, 10)]).await.unwrap();
            drop((store, log));
            let again = open(dir.path()).unwrap();
            assert_eq!(all(&mut again.store(&owner(1))).await[2], entry(2, 2, 10));
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_log_is_an_error_that_names_the_place() {
    let (bytes, start, _) = three_writes().await;
    for at in 0..start {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1u8 << (at % 8);
        let dir = plant(&damaged);
        match open(dir.path()).map(|_| ()).unwrap_err() {
            Error::LogDamaged { segment, offset, .. } => {
                assert!(segment.ends_with("0000000000000001.wal"));
                assert!(offset <= at as u64);
            }
            other => panic!("byte {at}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_last_write_is_noticed_when_the_log_had_gone_idle() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    let mut store = log.store(&owner(1));
    append(&mut store, vec![entry(1, 0, 40)]).await.unwrap();
    // Idle: the writer leaves a scribble behind the frame. A lazy request makes it certain that it got there.
    store.save_committed(Some(log_id(1, 0))).await.unwrap();
    drop((store, log));
    let path = &segments(dir.path())[0];
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(b"\xff", (SEGMENT_HEADER + HEADER + 20) as u64)
        .unwrap();
    assert_eq!(open(dir.path()).map(|_| ()).unwrap_err().code(), "NB0301");
}

#[tokio::test]
async fn a_torn_segment_that_is_not_the_last_is_damage() {
    let (bytes, start, _) = three_writes().await;
    let dir = plant(&bytes[..start + 5]);
    fs::write(dir.path().join("0000000000000002.wal"), super::frame::segment_header(2)).unwrap();
    assert_eq!(open(dir.path()).map(|_| ()).unwrap_err().code(), "NB0301");
}

#[tokio::test]
async fn a_missing_segment_is_noticed() {
    let dir = plant(&super::frame::segment_header(1));
    fs::write(dir.path().join("0000000000000003.wal"), super::frame::segment_header(3)).unwrap();
    assert_eq!(open(dir.path()).map(|_| ()).unwrap_err().code(), "NB0302");
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    let mut store = log.store(&owner(1));
    append(&mut store, vec![entry(1, 0, 10)]).await.unwrap();
    log.inner.faults.full.store(true, Ordering::SeqCst);
    let (flushed, mut done) = Types::oneshot::<std::io::Result<()>>();
    store
        .append(vec![entry(1, 1, 10)], IOFlushed::signal(flushed))
        .await
        .unwrap();
    let mut health = log.health();
    health.wait_for(|health| *health == Health::Full).await.unwrap();
    assert!(done.try_recv().is_err(), "acknowledged on a full disk");
    log.inner.faults.full.store(false, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(5), done)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    health.wait_for(|health| *health == Health::Good).await.unwrap();
    drop((store, log));
    let log = open(dir.path()).unwrap();
    assert_eq!(all(&mut log.store(&owner(1))).await.len(), 2);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_ever() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    let mut store = log.store(&owner(1));
    log.inner.faults.sync_fails.store(true, Ordering::SeqCst);
    assert!(append(&mut store, vec![entry(1, 0, 10)]).await.is_err());
    log.inner.faults.sync_fails.store(false, Ordering::SeqCst);
    assert!(append(&mut store, vec![entry(1, 1, 10)]).await.is_err());
    assert!(store.save_vote(&vote(2)).await.is_err());
    assert_eq!(log.health().borrow().code(), Some("NB0303"));
}

#[tokio::test]
async fn old_segments_are_freed_and_what_counts_in_them_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions {
        segment_bytes: 32 << 10,
        cache_bytes: 0,
    };
    let log = Log::open(dir.path(), &options).unwrap();
    // One replica writes its vote and three entries once; another one writes and purges a hundred times as much.
    let (mut quiet, mut busy) = (log.store(&owner(1)), log.store(&owner(2)));
    quiet.save_vote(&vote(5)).await.unwrap();
    append(&mut quiet, (0..3).map(|i| entry(5, i, 50)).collect())
        .await
        .unwrap();
    for index in 0..600 {
        append(&mut busy, vec![entry(1, index, 1000)]).await.unwrap();
        if index >= 10 {
            busy.purge(log_id(1, index - 10)).await.unwrap();
        }
    }
    assert!(
        segments(dir.path()).len() <= 5,
        "{} segments",
        segments(dir.path()).len()
    );
    assert!(segments(dir.path())[0].file_name().unwrap() > "0000000000000001.wal");
    drop((quiet, busy, log));
    let log = Log::open(dir.path(), &options).unwrap();
    let mut quiet = log.store(&owner(1));
    assert_eq!(quiet.read_vote().await.unwrap(), Some(vote(5)));
    assert_eq!(
        all(&mut quiet).await,
        (0..3).map(|i| entry(5, i, 50)).collect::<Vec<_>>()
    );
    let busy = all(&mut log.store(&owner(2))).await;
    assert_eq!(busy.last(), Some(&entry(1, 599, 1000)));
}
