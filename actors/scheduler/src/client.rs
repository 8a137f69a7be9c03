//! Asks the control nodes, one after the other, until one of them has done it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_mesh::{Mesh, NodeName, codec};
use tokio::time::Instant;

use crate::error::Error;
use crate::load::HostLoad;
use crate::moves::Move;
use crate::protocol::{CONTROL_PATH, Reply, Request};
use crate::scaling::ScalingInfo;
use crate::state::{Command, ControlState, Duty, KernelRecord, Outcome, SessionRecord};
use crate::upkeep::Left;
use nbos_kernel::protocol::to_bytes;

/// One control node's time to answer: longer than an election, so that a write under way is seldom asked for twice.
const ASK_WITHIN: Duration = Duration::from_millis(2_500);

/// Pause after all control nodes were asked in vain.
const ROUND_PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Client {
    mesh: Mesh,
    /// This node first if it is one of them.
    control_nodes: Vec<NodeName>,
    view: tokio::sync::watch::Receiver<Arc<ControlState>>,
}

impl Client {
    pub(crate) fn new(
        mesh: Mesh,
        control_nodes: Vec<NodeName>,
        view: tokio::sync::watch::Receiver<Arc<ControlState>>,
    ) -> Self {
        let local = mesh.local().clone();
        let mut control_nodes = control_nodes;
        control_nodes.sort_by_key(|node| (*node != local, node.clone()));
        Self {
            mesh,
            control_nodes,
            view,
        }
    }

    pub(crate) async fn create_kernel(
        &self,
        id: KernelId,
        spec: KernelSpec,
        within: Duration,
    ) -> Result<KernelRecord, Error> {
        let deadline = Instant::now() + within;
        match self.ask(&Request::Create { id, spec }, deadline).await? {
            Outcome::Kernel(record) => {
                self.seen(deadline, |state| state.kernels.contains_key(&id)).await?;
                Ok(*record)
            }
            other => Err(unexpected(other)),
        }
    }

    pub(crate) async fn delete_kernel(&self, id: KernelId, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        self.change(Command::DeleteKernel { id }, deadline).await?;
        self.seen(deadline, |state| !state.kernels.contains_key(&id)).await
    }

    pub(crate) async fn put_session(&self, session: SessionRecord, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        let id = session.id.clone();
        self.change(
            Command::PutSession {
                session: session.clone(),
            },
            deadline,
        )
        .await?;
        self.seen(deadline, |state| state.sessions.get(&id) == Some(&session))
            .await
    }

    pub(crate) async fn delete_session(&self, id: String, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        self.change(Command::DeleteSession { id: id.clone() }, deadline).await?;
        self.seen(deadline, |state| !state.sessions.contains_key(&id)).await
    }

    pub(crate) async fn register_host(
        &self,
        host: NodeName,
        incarnation: u64,
        gpus: u32,
        within: Duration,
    ) -> Result<(), Error> {
        self.change(
            Command::RegisterHost {
                host,
                incarnation,
                gpus,
            },
            Instant::now() + within,
        )
        .await
    }

    pub(crate) async fn begin_move(
        &self,
        kernel: KernelId,
        from: Option<NodeName>,
        to: Option<NodeName>,
        within: Duration,
    ) -> Result<Move, Error> {
        let deadline = Instant::now() + within;
        match self.ask(&Request::Move { kernel, from, to }, deadline).await? {
            Outcome::Kernel(record) => record.moving.ok_or_else(nonsense),
            other => Err(unexpected(other)),
        }
    }

    pub(crate) async fn drain(
        &self,
        host: NodeName,
        duty: Duty,
        within: Duration,
    ) -> Result<BTreeMap<KernelId, Left>, Error> {
        let deadline = Instant::now() + within;
        match self.answer(&Request::Drain { host, duty }, deadline).await? {
            Reply::Left(left) => Ok(left),
            Reply::Outcome(outcome) => Err(unexpected(outcome)),
            Reply::State(_) | Reply::Same | Reply::Scaling(_) | Reply::TryAgain { .. } => Err(nonsense()),
        }
    }

    pub(crate) async fn scaling(&self, within: Duration) -> Result<ScalingInfo, Error> {
        let asked = self.answer(&Request::Scaling, Instant::now() + within);
        // One control node that hangs would take longer than the caller has.
        let late = |_| Error::Unreachable(format!("no answer within {} ms", within.as_millis()));
        match tokio::time::timeout(within, asked).await.map_err(late)?? {
            Reply::Scaling(info) => Ok(info),
            Reply::Outcome(_) | Reply::State(_) | Reply::Same | Reply::Left(_) | Reply::TryAgain { .. } => {
                Err(nonsense())
            }
        }
    }

    /// Tells every control node; a report that is lost is followed by the next.
    pub(crate) fn report(&self, load: &HostLoad) {
        let body = to_bytes(&Request::Load(load.clone()));
        for node in &self.control_nodes {
            if let Err(error) = self.mesh.cast(node, CONTROL_PATH, body.clone()) {
                tracing::debug!(%error, %node, "load not reported");
            }
        }
    }

    /// A newer state than `version`, from any control node; `None` when there is none at the moment.
    pub(crate) async fn newer(&self, version: u64) -> Result<Option<Arc<ControlState>>, Error> {
        match self.ask_once(&Request::Watch { version }).await? {
            Reply::State(state) => Ok(Some(state)),
            Reply::Same | Reply::TryAgain { .. } => Ok(None),
            Reply::Outcome(outcome) => Err(unexpected(outcome)),
            Reply::Left(_) | Reply::Scaling(_) => Err(nonsense()),
        }
    }

    async fn change(&self, command: Command, deadline: Instant) -> Result<(), Error> {
        match self.ask(&Request::Change(command), deadline).await? {
            Outcome::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&self, request: &Request, deadline: Instant) -> Result<Outcome, Error> {
        match self.answer(request, deadline).await? {
            Reply::Outcome(outcome) => Ok(outcome),
            Reply::State(_) | Reply::Same | Reply::Left(_) | Reply::Scaling(_) | Reply::TryAgain { .. } => {
                Err(nonsense())
            }
        }
    }

    async fn answer(&self, request: &Request, deadline: Instant) -> Result<Reply, Error> {
        loop {
            let why = match self.ask_once(request).await {
                Ok(Reply::TryAgain { why }) => why,
                Ok(reply) => return Ok(reply),
                Err(error) => error.to_string(),
            };
            if Instant::now() + ROUND_PAUSE >= deadline {
                return Err(Error::Unreachable(why));
            }
            tokio::time::sleep(ROUND_PAUSE).await;
        }
    }

    /// One round over the control nodes; a node without a leader passes the question on to the next.
    async fn ask_once(&self, request: &Request) -> Result<Reply, Error> {
        let body = to_bytes(request);
        let mut why = "there are no control nodes".to_owned();
        for node in &self.control_nodes {
            match self.mesh.call(node, CONTROL_PATH, body.clone(), ASK_WITHIN).await {
                Ok(answer) => match codec::decode::<Reply>(&answer) {
                    Ok(Reply::TryAgain { why: reason }) => why = reason,
                    Ok(reply) => return Ok(reply),
                    Err(error) => why = error.to_string(),
                },
                Err(error) => why = format!("{node}: {error}"),
            }
        }
        Err(Error::Unreachable(why))
    }

    /// Waits until this node's view shows a change that the group has made.
    async fn seen(&self, deadline: Instant, shown: impl Fn(&ControlState) -> bool) -> Result<(), Error> {
        let mut view = self.view.clone();
        let waiting = view.wait_for(|state| shown(state));
        match tokio::time::timeout_at(deadline, waiting).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::Unreachable("this node does not see the change yet".to_owned())),
        }
    }
}

fn unexpected(outcome: Outcome) -> Error {
    match outcome {
        Outcome::Refused { code, message } => Error::Refused { code, message },
        Outcome::Done | Outcome::Kernel(_) => nonsense(),
    }
}

fn nonsense() -> Error {
    Error::Unreachable("the answer does not fit the question".to_owned())
}
