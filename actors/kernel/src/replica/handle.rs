//! How the host speaks to its replicas.

use std::collections::BTreeSet;
use std::time::Duration;

use nbos_objects::BlobId;
use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorRef, RpcReplyPort};

use super::message::Message;
use crate::core::Membership;
use crate::protocol::ReplicaInfo;

/// A running replica. Cheap to clone.
#[derive(Clone)]
pub struct ReplicaHandle(ActorRef<Message>);

impl ReplicaHandle {
    /// What the replica knows; `None` when it does not answer in time.
    pub async fn info(&self, within: Duration) -> Option<ReplicaInfo> {
        self.ask(Message::Info, within).await
    }

    /// Objects that the session's state refers to; `None` when it does not answer in time.
    pub async fn blobs(&self, within: Duration) -> Option<BTreeSet<BlobId>> {
        self.ask(Message::Blobs, within).await
    }

    /// The control state moved replicas. One that is stopping need not know.
    pub fn set_membership(&self, membership: Membership) {
        let _ = self.0.cast(Message::Members(membership));
    }

    async fn ask<T: Send + 'static>(&self, question: fn(RpcReplyPort<T>) -> Message, within: Duration) -> Option<T> {
        match self.0.call(question, Some(within)).await {
            Ok(CallResult::Success(answer)) => Some(answer),
            Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => None,
        }
    }
}

impl From<ActorCell> for ReplicaHandle {
    /// The cell must be one that [`crate::spawn`] returned.
    fn from(cell: ActorCell) -> Self {
        Self(ActorRef::from(cell))
    }
}
