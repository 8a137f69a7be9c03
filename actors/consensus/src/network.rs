//! openraft's messages over a transport.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use nbos_mesh::{NodeName, codec};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use parking_lot::Mutex;

use crate::calm::Calm;
use crate::id::{GroupId, ReplicaId};
use crate::transport::{CallError, Transport};
use crate::types::{Home, Snapshot, Types, Vote};
use crate::wire::{Ask, Letter, Reply};

/// Longest wait for one batch of entries. openraft offers 75 ms, which a disk that is busy elsewhere exceeds; a batch
/// that is given up is sent again whole.
const APPEND: Duration = Duration::from_secs(2);

/// Makes the clients of one replica.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) group: GroupId,
    pub(crate) me: ReplicaId,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) calm: Arc<Mutex<Calm>>,
    /// Longest wait for a vote or a heartbeat.
    pub(crate) election: Duration,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, node: &Home) -> Client {
        Client {
            network: self.clone(),
            to: ReplicaId(target),
            node: NodeName::from(node.0.as_str()),
        }
    }
}

/// Talks to one other replica.
pub(crate) struct Client {
    network: Network,
    to: ReplicaId,
    node: NodeName,
}

impl Client {
    async fn call(&self, ask: Ask, action: RPCTypes, within: Duration) -> Result<Reply, RPCError<Types>> {
        let letter = Letter {
            group: self.network.group.clone(),
            to: self.to,
            from: self.network.me,
            ask,
        };
        // What does not encode or decode will not do so next time either: the back-off of an unreachable peer applies.
        let broken = |error: codec::Error| RPCError::Unreachable(Unreachable::new(&error));
        let body = codec::encode(&letter).map_err(broken)?;
        match self.network.transport.call(&self.node, body, within).await {
            Ok(body) => codec::decode(&body).map_err(broken),
            Err(CallError::Timeout) => Err(RPCError::Timeout(Timeout {
                action,
                id: self.network.me.0,
                target: self.to.0,
                timeout: within,
            })),
            Err(error @ (CallError::Unreachable(_) | CallError::Refused { .. })) => {
                Err(RPCError::Unreachable(Unreachable::new(&error)))
            }
        }
    }
}

fn unexpected() -> RPCError<Types> {
    RPCError::Network(NetworkError::from_string("an answer to another question"))
}

impl RaftNetworkV2<Types> for Client {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let within = if request.entries.is_empty() {
            self.network.election
        } else {
            APPEND
        };
        let round = self.network.calm.lock().round();
        match self
            .call(Ask::Append { round, request }, RPCTypes::AppendEntries, within)
            .await?
        {
            Reply::Append(response) => Ok(response),
            _ => Err(unexpected()),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        match self
            .call(Ask::Vote(request), RPCTypes::Vote, self.network.election)
            .await?
        {
            Reply::Vote(response) => Ok(response),
            _ => Err(unexpected()),
        }
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        match self
            .call(Ask::PreVote(request), RPCTypes::Vote, self.network.election)
            .await?
        {
            Reply::Vote(response) => Ok(response),
            _ => Err(unexpected()),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let ask = Ask::Snapshot {
            vote,
            meta: snapshot.meta,
            state: snapshot.snapshot,
        };
        let sending = self.call(ask, RPCTypes::InstallSnapshot, option.soft_ttl());
        match select(std::pin::pin!(sending), std::pin::pin!(cancel)).await {
            Either::Left((Ok(Reply::Snapshot(response)), _)) => Ok(response),
            Either::Left((Ok(_), _)) => Err(unexpected().into()),
            Either::Left((Err(error), _)) => Err(error.into()),
            Either::Right((closed, _)) => Err(closed.into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        match self
            .call(Ask::Transfer(request), RPCTypes::TransferLeader, self.network.election)
            .await?
        {
            Reply::Transfer(response) => Ok(response),
            _ => Err(unexpected()),
        }
    }
}
