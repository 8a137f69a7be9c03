//! openraft's own suite for storages, on this log.

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::{Log, LogOptions, Store};
use crate::id::{GroupId, ReplicaId};
use crate::machine::Machine;
use crate::snapshot::SnapshotFile;
use crate::testing::Journal;
use crate::types::Types;

struct Builder;

impl StoreBuilder<Types, Store, Machine, (TempDir, Log)> for Builder {
    async fn build(&self) -> Result<((TempDir, Log), Store, Machine), StorageError<Types>> {
        let dir = tempfile::tempdir().unwrap();
        // A cache of nothing, so that what is on disk is read back from disk.
        let log = Log::open(
            dir.path(),
            &LogOptions {
                cache_bytes: 0,
                ..LogOptions::default()
            },
        )
        .unwrap();
        let owner = (GroupId::control(), ReplicaId(0));
        let store = log.store(&owner);
        let file = SnapshotFile::new(&dir.path().join("snapshots"), &owner);
        Ok(((dir, log), store, Machine::new(Box::new(Journal::default()), file)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_passes_openrafts_suite() {
    Suite::test_all(Builder).await.unwrap();
}
