//! Cold copies in an S3-compatible store: put in the background, asked when no peer has a chunk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt, RetryConfig};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::encoding::{Encoded, Encoding};
use crate::handle::{MAX_CHUNK, blocking};
use crate::options::S3;
use crate::store::Store;
use crate::{BlobId, Error};

/// Chunks waiting to be put. What does not fit is put when it is next found to be kept.
const QUEUE: usize = 65_536;
/// Chunks known to be there; beyond, the store is asked again. 8 MiB of names.
const MAX_KNOWN: usize = 262_144;
/// Longest request, for 4 MiB over a slow line; and how long failed ones are repeated.
const REQUEST: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(30);

pub(crate) struct Cold {
    remote: AmazonS3,
    prefix: String,
    queue: mpsc::Sender<BlobId>,
    known: Mutex<BTreeSet<BlobId>>,
}

impl Cold {
    /// Puts chunks of the store until the token ends it.
    pub(crate) fn start(options: &S3, store: &Arc<Store>, ended: &CancellationToken) -> Result<Arc<Self>, Error> {
        let client = ClientOptions::new().with_timeout(REQUEST).with_allow_http(true);
        let retry = RetryConfig {
            retry_timeout: RETRY,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&options.bucket)
            .with_region(&options.region)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let (queue, waiting) = mpsc::channel(QUEUE);
        let cold = Arc::new(Self {
            remote: builder.build().map_err(|error| Error::Cold(error.to_string()))?,
            prefix: options.prefix.clone(),
            queue,
            known: Mutex::default(),
        });
        let putting = put_all(Arc::clone(&cold), Arc::clone(store), waiting);
        let ended = ended.clone();
        tokio::spawn(async move { ended.run_until_cancelled(putting).await });
        Ok(cold)
    }

    /// A chunk of this node is to be there some time.
    pub(crate) fn want(&self, id: BlobId) {
        if !self.known.lock().contains(&id) {
            // A full queue is emptied before the chunk is found again.
            let _ = self.queue.try_send(id);
        }
    }

    /// How many chunks are known to be there.
    pub(crate) fn known(&self) -> u64 {
        self.known.lock().len() as u64
    }

    async fn put(&self, id: BlobId, store: &Arc<Store>) -> Result<(), Error> {
        if self.known.lock().contains(&id) {
            return Ok(());
        }
        let path = self.path(&id);
        match self.remote.head(&path).await {
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => {
                let store = Arc::clone(store);
                let encoded = blocking(move || store.read_encoded(&id)).await?;
                self.remote
                    .put(&path, encoded.bytes.into())
                    .await
                    .map_err(|error| Error::Cold(error.to_string()))?;
            }
            Err(error) => return Err(Error::Cold(error.to_string())),
        }
        let mut known = self.known.lock();
        if known.len() == MAX_KNOWN {
            known.clear();
        }
        known.insert(id);
        Ok(())
    }

    /// Fetches a chunk into the store; gives how many bytes of content it has.
    pub(crate) async fn get(&self, id: BlobId, store: &Arc<Store>) -> Result<u64, Error> {
        let failed = |error: object_store::Error| match error {
            object_store::Error::NotFound { .. } => Error::NotFound(id),
            error => Error::Cold(error.to_string()),
        };
        let found = self.remote.get(&self.path(&id)).await.map_err(failed)?;
        let len = found.meta.size;
        if len > MAX_CHUNK {
            return Err(Error::TooLarge { len, limit: MAX_CHUNK });
        }
        let bytes = found.bytes().await.map_err(failed)?;
        let store = Arc::clone(store);
        blocking(move || keep(&store, id, &bytes)).await
    }

    fn path(&self, id: &BlobId) -> Path {
        Path::from(format!("{}/{id}", self.prefix))
    }
}

/// What the bytes are is not told by their name there, but by the name of the chunk.
fn keep(store: &Store, id: BlobId, bytes: &Bytes) -> Result<u64, Error> {
    for encoding in [Encoding::Raw, Encoding::Zstd] {
        let bytes = bytes.clone();
        let encoded = Encoded { encoding, bytes };
        let Ok(raw) = encoded.decode() else { continue };
        if BlobId::of(&raw) == id {
            let len = raw.len() as u64;
            store.keep(id, &encoded, std::time::Instant::now())?;
            return Ok(len);
        }
    }
    Err(Error::Corrupt(id))
}

async fn put_all(cold: Arc<Cold>, store: Arc<Store>, mut waiting: mpsc::Receiver<BlobId>) {
    while let Some(id) = waiting.recv().await {
        match cold.put(id, &store).await {
            // Deleted meanwhile: nobody refers to it.
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => tracing::warn!(%id, %error, "no cold copy, it is tried again later"),
        }
    }
}
