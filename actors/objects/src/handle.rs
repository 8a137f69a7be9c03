//! How others keep and find chunks.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nbos_mesh::{Mesh, NodeName};
use nbos_supervision::{ChildSpec, Restart, SupervisorHandle};
use ractor::Actor;
use tokio_util::sync::CancellationToken;

use crate::actor::{Arguments, ObjectsActor};
use crate::door::Door;
use crate::node::Node;
use crate::store::Store;
use crate::{BlobId, Error, Options, Stats};

/// Largest chunk, 4 MiB: what one changed element of an array costs. The child cuts its buffers by it.
pub const MAX_CHUNK: u64 = 4 << 20;

/// The chunks of this node and the way to those of its peers. A cheap clone.
#[derive(Clone)]
pub struct Objects {
    node: Arc<Node>,
}

impl Objects {
    /// Opens the store with the default options, see [`Objects::open_with`].
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Supervision`].
    pub async fn open(dir: &Path, mesh: &Mesh, supervisor: &SupervisorHandle) -> Result<Self, Error> {
        Self::open_with(dir, &Options::default(), mesh, supervisor).await
    }

    /// Opens the store in a directory of its own and answers peers from now on, by an actor under the supervisor and a
    /// port for bulk bytes.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Supervision`].
    pub async fn open_with(
        dir: &Path,
        options: &Options,
        mesh: &Mesh,
        supervisor: &SupervisorHandle,
    ) -> Result<Self, Error> {
        let path = dir.to_owned();
        let store = Arc::new(blocking(move || Store::open(&path, Instant::now())).await?);
        let ended = CancellationToken::new();
        let port = |source| Error::Storage {
            what: "open its port",
            source: Arc::new(source),
        };
        let door = Door::open(mesh, options.port, Arc::clone(&store), ended.clone()).await;
        let door = Arc::new(door.map_err(port)?);
        let args = Arguments {
            mesh: mesh.clone(),
            port: door.port().map_err(port)?,
        };
        tokio::spawn(door.run());
        let start = move |parent| {
            let args = args.clone();
            async move {
                Ok(Actor::spawn_linked(None, ObjectsActor, args, parent)
                    .await?
                    .0
                    .get_cell())
            }
        };
        let added = supervisor
            .add(ChildSpec::new("objects", "objects", Restart::Permanent, start))
            .await;
        added.map_err(|error| Error::Supervision(Arc::new(error)))?;
        Ok(Self {
            node: Arc::new(Node::new(store, Arc::new(mesh.clone()), options, ended)?),
        })
    }

    /// Takes a chunk that arrived: verifies its name, stores it here, and starts pushing it to the peers at once.
    ///
    /// Returns once it is stored here; while more than 64 MiB are in flight to peers that take them it waits. Calls may
    /// overlap: a few at once keep disk and network busy.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the name is not that of the bytes; [`Error::NoSpace`]: nothing was kept, the same call
    /// succeeds once there is room; [`Error::TooLarge`] above 4 MiB; [`Error::Storage`].
    pub async fn ingest(&self, id: BlobId, raw: Bytes, peers: &[NodeName]) -> Result<(), Error> {
        let len = raw.len() as u64;
        if len > MAX_CHUNK {
            return Err(Error::TooLarge { len, limit: MAX_CHUNK });
        }
        self.node.ingest(id, raw, peers).await
    }

    /// Waits until every chunk is stored here and acknowledged by `need` of the peers. Sends nobody what it has.
    ///
    /// # Errors
    /// [`Error::NotFound`] when one is not stored here; [`Error::NoSpace`] when a full disk stands in the way, and the
    /// same call later may succeed; [`Error::NotEnough`] otherwise.
    pub async fn settle(&self, ids: &[BlobId], peers: &[NodeName], need: usize, within: Duration) -> Result<(), Error> {
        self.node.settle(ids, peers, need, within).await
    }

    /// How many of the chunks at least `need` of the peers have acknowledged so far.
    pub fn settled(&self, ids: &[BlobId], peers: &[NodeName], need: usize) -> usize {
        self.node.settled(ids, peers, need)
    }

    /// Whether the chunk is stored on this node.
    pub fn contains(&self, id: &BlobId) -> bool {
        self.node.store.contains(id)
    }

    /// Those of the chunks that are not stored here, in the order given.
    pub fn missing<'a>(&self, ids: impl IntoIterator<Item = &'a BlobId>) -> Vec<BlobId> {
        ids.into_iter().filter(|id| !self.contains(id)).copied().collect()
    }

    /// Brings what is not here from any of the peers, several at once. What arrived stays when it fails: the next
    /// attempt goes on from there.
    ///
    /// `progress` is told, now and then, how many bytes of content have arrived during this call.
    ///
    /// # Errors
    /// [`Error::NotFound`] when all peers said that they do not have one; [`Error::Late`] when the time given was over;
    /// [`Error::NoSpace`], [`Error::Storage`] when they cannot be kept here.
    pub async fn fetch(
        &self,
        ids: &[BlobId],
        peers: &[NodeName],
        within: Duration,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<(), Error> {
        self.node.fetch(ids, peers, within, progress).await
    }

    /// A chunk of this node, verified.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not here; [`Error::Corrupt`] when the copy was damaged, which is gone then: both
    /// are mended by [`Objects::fetch`]. [`Error::Storage`].
    pub async fn read(&self, id: BlobId) -> Result<Bytes, Error> {
        let store = Arc::clone(&self.node.store);
        blocking(move || {
            store.touch(&id, Instant::now());
            store.read(&id)
        })
        .await
    }

    /// What this node has stored and moved since it started.
    pub fn stats(&self) -> Stats {
        self.node.stats()
    }

    /// Deletes every other chunk of this node that nobody has ingested, sent, asked for or read for ten minutes. Gives
    /// how many went.
    ///
    /// # Errors
    /// [`Error::Storage`]; what was deleted until then stays deleted.
    pub async fn retain(&self, keep: &BTreeSet<BlobId>) -> Result<usize, Error> {
        self.node.retain(keep).await
    }
}

/// Work that blocks on the disk.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .expect("invariant: the store does not panic")
}
