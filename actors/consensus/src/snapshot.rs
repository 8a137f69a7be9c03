//! A replica's snapshot on disk: one file, replaced as a whole.
//!
//! ```text
//! file = "NBOSSNP1" | u32 crc32c of the rest | last log id? | membership's log id? | membership | state
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::Error;
use crate::types::{SnapshotMeta, StoredMembership};
use crate::wal::record::{Cursor, Owner, put_maybe_log_id, put_membership};

const MAGIC: &[u8; 8] = b"NBOSSNP1";

#[derive(Clone, Debug)]
pub(crate) struct SnapshotFile {
    path: PathBuf,
}

impl SnapshotFile {
    pub(crate) fn new(dir: &Path, owner: &Owner) -> Self {
        Self {
            path: dir.join(format!("{}-{}.snapshot", owner.0, owner.1)),
        }
    }

    /// The snapshot, if there is one.
    pub(crate) fn read(&self) -> Result<Option<(SnapshotMeta, Bytes)>, Error> {
        let damaged = |why: &str| Error::SnapshotDamaged {
            path: self.path.clone(),
            why: why.into(),
        };
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damaged(&error.to_string())),
        };
        let (meta, at) = decode(&bytes).map_err(damaged)?;
        Ok(Some((meta, bytes.slice(at..))))
    }

    /// Replaces the snapshot: a reader, or a crash, finds the old one or the new one.
    pub(crate) fn write(&self, meta: &SnapshotMeta, state: &[u8]) -> io::Result<()> {
        let dir = self
            .path
            .parent()
            .ok_or_else(|| io::Error::other("a snapshot needs a directory"))?;
        fs::create_dir_all(dir)?;
        let head = encode_head(meta);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&head), state);
        let draft = self.path.with_extension("tmp");
        let mut file = File::create(&draft)?;
        file.write_all(MAGIC)?;
        file.write_all(&crc.to_le_bytes())?;
        file.write_all(&head)?;
        file.write_all(state)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        File::open(dir)?.sync_all()
    }

    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn encode_head(meta: &SnapshotMeta) -> Vec<u8> {
    let mut head = Vec::new();
    put_maybe_log_id(&mut head, meta.last_log_id.as_ref());
    put_maybe_log_id(&mut head, meta.last_membership.log_id().as_ref());
    put_membership(&mut head, meta.last_membership.membership());
    head
}

/// The meta data, and where the state begins.
fn decode(bytes: &[u8]) -> Result<(SnapshotMeta, usize), &'static str> {
    let mut cursor = Cursor(bytes);
    if cursor.take(MAGIC.len())? != MAGIC {
        return Err("not a snapshot");
    }
    if cursor.u32()? != crc32c::crc32c(cursor.0) {
        return Err("checksum does not match");
    }
    let last_log_id = cursor.maybe_log_id()?;
    let last_membership = StoredMembership::new(cursor.maybe_log_id()?, cursor.membership()?);
    Ok((
        SnapshotMeta {
            last_log_id,
            last_membership,
        },
        bytes.len() - cursor.0.len(),
    ))
}

#[cfg(test)]
mod tests {
    use openraft::vote::RaftLeaderId;

    use super::*;
    use crate::id::{GroupId, ReplicaId};
    use crate::types::{LogId, Types};

    type LeaderId = openraft::alias::LeaderIdOf<Types>;

    fn meta(index: u64) -> SnapshotMeta {
        let last_log_id = Some(LogId::new(LeaderId::new(2, 3).to_committed(), index));
        SnapshotMeta {
            last_log_id,
            last_membership: StoredMembership::default(),
        }
    }

    #[test]
    fn a_snapshot_is_found_again_and_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(&dir.path().join("snapshots"), &(GroupId::control(), ReplicaId(4)));
        assert!(file.read().unwrap().is_none());
        file.write(&meta(10), b"state").unwrap();
        file.write(&meta(20), b"").unwrap();
        assert_eq!(file.read().unwrap(), Some((meta(20), Bytes::new())));
        file.write(&meta(30), b"newer state").unwrap();
        assert_eq!(
            file.read().unwrap(),
            Some((meta(30), Bytes::from_static(b"newer state")))
        );
        file.remove().unwrap();
        file.remove().unwrap();
        assert!(file.read().unwrap().is_none());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(dir.path(), &(GroupId::control(), ReplicaId(4)));
        file.write(&meta(10), b"state").unwrap();
        let good = fs::read(&file.path).unwrap();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                fs::write(&file.path, &bytes).unwrap();
                assert_eq!(file.read().unwrap_err().code(), "NB0309", "byte {at} bit {bit}");
            }
        }
    }
}
