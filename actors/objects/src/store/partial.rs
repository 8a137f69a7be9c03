//! A blob that is still arriving, in order, in a file that the next attempt continues.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::time::Instant;

use super::{Store, failed, remove_if_there, storage};
use crate::{BlobId, Error};

/// Buffer for hashing what is there already; large enough for BLAKE3's widest lanes.
const REHASH_BUFFER: usize = 256 * 1024;

pub(crate) struct Partial {
    id: BlobId,
    path: PathBuf,
    file: File,
    hasher: blake3::Hasher,
    len: u64,
    at: u64,
}

impl Store {
    /// Opens what is there of a blob of this length, perhaps nothing.
    ///
    /// Of a file that is as long as the blob or longer the last byte is asked for again: so there always is a last
    /// piece, whose answer says that the blob is durable.
    pub(crate) fn resume(&self, id: BlobId, len: u64) -> Result<Partial, Error> {
        let path = self.partial.join(id.to_string());
        let open = || -> io::Result<Partial> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            let at = file.metadata()?.len().min(len.saturating_sub(1));
            file.set_len(at)?;
            let hasher = hash(&mut file)?;
            Ok(Partial {
                id,
                path: path.clone(),
                file,
                hasher,
                len,
                at,
            })
        };
        open().map_err(|error| failed(id, "open an incomplete blob", error))
    }

    /// Adds the bytes that come next. After an error it must be resumed anew: nothing was added, or, on a full disk,
    /// all is given up, for halves must not keep the disk full.
    pub(crate) fn append(&self, partial: &mut Partial, bytes: &[u8]) -> Result<(), Error> {
        let written = self.write_all(&mut partial.file, bytes);
        if let Err(error) = written {
            let error = failed(partial.id, "write an incomplete blob", error);
            if matches!(error, Error::NoSpace(_)) {
                self.abandon(partial)?;
            } else {
                partial
                    .file
                    .set_len(partial.at)
                    .map_err(storage("mend an incomplete blob"))?;
            }
            return Err(error);
        }
        partial.hasher.update(bytes);
        partial.at += bytes.len() as u64;
        Ok(())
    }

    /// Makes a complete blob durable, or gives up bytes that are not it.
    pub(crate) fn finish(&self, mut partial: Partial, now: Instant) -> Result<(), Error> {
        if BlobId::of_hasher(&partial.hasher) != partial.id {
            self.abandon(&mut partial)?;
            return Err(Error::Corrupt(partial.id));
        }
        let adopt = || {
            partial.file.sync_all()?;
            self.adopt(&partial.path, partial.id, partial.len, now)
        };
        adopt().map_err(|error| failed(partial.id, "make a blob durable", error))
    }

    fn abandon(&self, partial: &mut Partial) -> Result<(), Error> {
        remove_if_there(&partial.path).map_err(storage("delete an incomplete blob"))
    }
}

impl Partial {
    /// How many bytes are there.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// How many there will be.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}

fn hash(file: &mut File) -> io::Result<blake3::Hasher> {
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; REHASH_BUFFER];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher);
        }
        hasher.update(&buffer[..read]);
    }
}
