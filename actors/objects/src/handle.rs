//! How others keep and find blobs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nbos_mesh::{Mesh, NodeName, PeerState};
use nbos_supervision::{ChildSpec, Restart, SupervisorHandle};
use ractor::Actor;

use crate::actor::{Arguments, ObjectsActor};
use crate::intake::Intakes;
use crate::link::{Link, MeshLink};
use crate::push::{Outcome, Pushes};
use crate::retry::{Pauses, may_pass};
use crate::service::Service;
use crate::store::Store;
use crate::{BlobId, Error, pull};

/// How long a blob that nothing refers to is kept: much longer than the way from `put` to the log entry that names it,
/// which ends with the deadlines of a replication (2 min) and a proposal (seconds).
const GRACE: Duration = Duration::from_secs(600);

/// The blobs of this node and the way to those of its peers. A cheap clone.
#[derive(Clone)]
pub struct Objects {
    mesh: Mesh,
    store: Arc<Store>,
    intakes: Arc<Intakes>,
    pushes: Arc<Pushes>,
}

impl Objects {
    /// Opens the store in a directory of its own and answers peers from now on, by an actor under the supervisor.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Supervision`].
    pub async fn open(dir: &Path, mesh: &Mesh, supervisor: &SupervisorHandle) -> Result<Self, Error> {
        let dir = dir.to_owned();
        let store = Arc::new(blocking(move || Store::open(&dir, Instant::now())).await?);
        let intakes = Intakes::new(Arc::clone(&store));
        let service = Arc::new(Service::new(Arc::clone(&store), Arc::clone(&intakes)));
        let args = Arguments {
            mesh: mesh.clone(),
            service,
        };
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
        let pushes = Arc::new(Pushes::new(Arc::clone(&store)));
        Ok(Self {
            mesh: mesh.clone(),
            store,
            intakes,
            pushes,
        })
    }

    /// Stores bytes here and gives their name. They are durable on this node then.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::Storage`]; [`Error::TooLarge`] above 4 GiB.
    pub async fn put(&self, bytes: Bytes) -> Result<BlobId, Error> {
        let store = Arc::clone(&self.store);
        blocking(move || store.put(&bytes, Instant::now())).await
    }

    /// Whether the blob is durable on this node.
    pub fn contains(&self, id: &BlobId) -> bool {
        self.store.contains(id)
    }

    /// Brings a blob of this node to peers; returns once `need` of them have it on disk.
    ///
    /// The others go on in the background, for up to two minutes, also after an error here.
    ///
    /// # Errors
    /// [`Error::NotFound`] when this node does not have it; [`Error::NotEnough`] when too few peers acknowledged it
    /// within the time given, or can at all.
    pub async fn replicate(&self, id: &BlobId, peers: &[NodeName], need: usize, within: Duration) -> Result<(), Error> {
        if !self.contains(id) {
            return Err(Error::NotFound(*id));
        }
        let peers: BTreeSet<&NodeName> = peers.iter().collect();
        let pushes = peers.into_iter().map(|peer| {
            let outcome = self.pushes.start(*id, MeshLink::new(self.mesh.clone(), peer.clone()));
            (peer.clone(), outcome)
        });
        enough(*id, pushes.collect(), need, within).await
    }

    /// The blob, from here or fetched from one of the peers and kept here.
    ///
    /// # Errors
    /// [`Error::NotFound`] when all of them said that they do not have it; [`Error::Late`] when the time given was
    /// over; [`Error::Storage`] when it cannot be kept here.
    pub async fn get(&self, id: &BlobId, peers: &[NodeName], within: Duration) -> Result<Bytes, Error> {
        match self.read(*id).await {
            Err(Error::NotFound(_) | Error::Corrupt(_)) => {}
            local => return local,
        }
        let mut links: Vec<MeshLink> = peers
            .iter()
            .map(|peer| MeshLink::new(self.mesh.clone(), peer.clone()))
            .collect();
        // Those that can be reached first; otherwise in the order given.
        links.sort_by_key(|link| match self.mesh.peer_state(link.peer()) {
            PeerState::Up { .. } => 0,
            PeerState::Suspected => 1,
            PeerState::Down => 2,
        });
        fetch(&self.intakes, *id, &links, within).await?;
        self.read(*id).await
    }

    /// Deletes every other blob of this node that nobody has put, sent, fetched or offered for ten minutes. Gives how
    /// many went.
    ///
    /// # Errors
    /// [`Error::Storage`]; what was deleted until then stays deleted.
    pub async fn retain(&self, keep: &BTreeSet<BlobId>) -> Result<usize, Error> {
        let (store, keep) = (Arc::clone(&self.store), keep.clone());
        blocking(move || store.retain(&keep, Instant::now(), GRACE)).await
    }

    async fn read(&self, id: BlobId) -> Result<Bytes, Error> {
        let store = Arc::clone(&self.store);
        blocking(move || {
            store.touch(&id, Instant::now());
            store.read(&id)
        })
        .await
    }
}

/// Waits until enough pushes have succeeded or too few can.
async fn enough(id: BlobId, pushes: Vec<(NodeName, Outcome)>, need: usize, within: Duration) -> Result<(), Error> {
    let mut acknowledged = 0;
    let mut open: BTreeSet<NodeName> = pushes.iter().map(|(peer, _)| peer.clone()).collect();
    let mut reasons = Vec::new();
    let waiting = async {
        let mut ends: FuturesUnordered<_> = pushes.into_iter().map(|(peer, outcome)| ended(peer, outcome)).collect();
        while acknowledged < need && acknowledged + open.len() >= need {
            let Some((peer, result)) = ends.next().await else { break };
            open.remove(&peer);
            match result {
                Ok(()) => acknowledged += 1,
                Err(error) => reasons.push(format!("{peer}: {error}")),
            }
        }
    };
    // On a timeout the rest is still open, and said to be.
    let _ = tokio::time::timeout(within, waiting).await;
    if acknowledged >= need {
        return Ok(());
    }
    reasons.extend(open.iter().map(|peer| format!("{peer}: no acknowledgement yet")));
    Err(Error::NotEnough {
        id,
        need,
        acknowledged,
        reasons: reasons.join("; "),
    })
}

async fn ended(peer: NodeName, mut outcome: Outcome) -> (NodeName, Result<(), Error>) {
    let result = match outcome.wait_for(Option::is_some).await {
        Ok(end) => end.clone().expect("invariant: waited for"),
        Err(_gone) => Err(Error::Peer {
            peer: peer.clone(),
            reason: "the transfer broke off".to_owned(),
        }),
    };
    (peer, result)
}

/// Asks peer after peer, round after round, until the blob is here or nobody has it.
async fn fetch(intakes: &Arc<Intakes>, id: BlobId, links: &[impl Link], within: Duration) -> Result<(), Error> {
    let mut reasons = Vec::new();
    let rounds = async {
        let mut pauses = Pauses::new();
        loop {
            let mut worth_another = false;
            reasons.clear();
            for link in links {
                match pull::attempt(intakes, id, link).await {
                    Ok(()) => return Ok(()),
                    Err(Error::NotFound(_)) => {}
                    Err(error) if may_pass(&error) => {
                        worth_another = true;
                        reasons.push(format!("{}: {error}", link.peer()));
                    }
                    Err(error) => return Err(error),
                }
            }
            if !worth_another {
                return Err(Error::NotFound(id));
            }
            pauses.pause().await;
        }
    };
    let ended = tokio::time::timeout(within, rounds).await;
    ended.unwrap_or_else(|_elapsed| {
        let reasons = if reasons.is_empty() {
            "no peer has answered".to_owned()
        } else {
            reasons.join("; ")
        };
        Err(Error::Late { id, reasons })
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .expect("invariant: the store does not panic")
}

#[cfg(test)]
mod tests;
