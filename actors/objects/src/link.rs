//! How a transfer reaches its peer.

use std::time::Duration;

use nbos_mesh::{Mesh, NodeName, codec};

use crate::Error;
use crate::wire::{PATH, Refusal, Reply, Request};

/// Longest wait for one answer. The last piece of a blob is answered after the whole is on disk, which takes seconds
/// for gigabytes on a slow one.
const ASK_DEADLINE: Duration = Duration::from_secs(15);

/// A way to one peer: the mesh, or in tests another store.
pub(crate) trait Link: Send + Sync {
    fn peer(&self) -> &NodeName;

    fn ask(&self, request: Request) -> impl Future<Output = Result<Reply, Error>> + Send;

    /// An answer that should not have been given.
    fn nonsense(&self) -> Error {
        Error::Peer {
            peer: self.peer().clone(),
            reason: "its answer does not fit the question".to_owned(),
        }
    }

    /// What a refusal means to who asked.
    fn refused(&self, id: crate::BlobId, refusal: Refusal) -> Error {
        let says = |what: &str| Error::Peer {
            peer: self.peer().clone(),
            reason: what.to_owned(),
        };
        match refusal {
            Refusal::Missing => Error::NotFound(id),
            Refusal::Busy => Error::Busy(self.peer().to_string()),
            Refusal::NoSpace => says("NB0802, its disk is full"),
            Refusal::Corrupt => Error::Corrupt(id),
            Refusal::TooLarge => says("NB0807, it takes no blobs or pieces of this size"),
            Refusal::Storage(reason) => says(&reason),
        }
    }
}

pub(crate) struct MeshLink {
    mesh: Mesh,
    peer: NodeName,
}

impl MeshLink {
    pub(crate) fn new(mesh: Mesh, peer: NodeName) -> Self {
        Self { mesh, peer }
    }

    fn failed(&self, code: &str, reason: &dyn std::fmt::Display) -> Error {
        Error::Peer {
            peer: self.peer.clone(),
            reason: format!("{code}, {reason}"),
        }
    }
}

impl Link for MeshLink {
    fn peer(&self) -> &NodeName {
        &self.peer
    }

    async fn ask(&self, request: Request) -> Result<Reply, Error> {
        let body = codec::encode(&request).map_err(|error| self.failed(error.code(), &error))?;
        let answer = self.mesh.call(&self.peer, PATH, body, ASK_DEADLINE).await;
        let answer = answer.map_err(|error| self.failed(error.code(), &error))?;
        codec::decode(&answer).map_err(|error| self.failed(error.code(), &error))
    }
}
