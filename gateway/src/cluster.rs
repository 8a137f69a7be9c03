//! What a gateway asks the rest of the cluster, outside the path of a cell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nbos_gpu::GpuInfo;
use nbos_host::{GpuFault, client};
use nbos_kernel::KernelId;
use nbos_kernel::protocol::{KernelSpec, ReplicaInfo, ReplicaReply, ReplicaRequest, Role, replica_path, to_bytes};
use nbos_mesh::{Mesh, NodeName, PeerState, codec};
use nbos_scheduler::{ControlHandle, ControlState, Duty, HostPhase, KernelRecord, Left, Move, Phase, SessionRecord};
use nbos_supervision::TreeNode;
use serde_json::{Value, json};

use crate::error::Error;

/// Hosts answer from memory; one that does not is shown as it was last known.
const ASK_HOST_WITHIN: Duration = Duration::from_millis(500);

/// A kernel created through another gateway shows up here within a heartbeat of the control group.
const VIEW_WITHIN: Duration = Duration::from_millis(300);

/// Longest wait for one write to the control group; it hides an election.
const CONTROL_WITHIN: Duration = Duration::from_secs(8);

/// Clients give up on creating a kernel after 42 s (jupyter_server's gateway client): answer before.
const CREATE_WITHIN: Duration = Duration::from_secs(38);

/// Pause before a kernel that could not be placed or committed is asked for again.
const CREATE_PAUSE: Duration = Duration::from_millis(250);

/// Pause between two rounds over the replicas of a kernel that is failing over.
const ROUND_PAUSE: Duration = Duration::from_millis(50);

/// A kernel may take this long to answer for the first time before its silence means failing over.
const STARTING_FOR_US: u64 = 60_000_000;

/// Pause before a move that could not begin, or came to nothing, is tried again.
const MOVE_PAUSE: Duration = Duration::from_millis(200);

/// What became of a move.
enum Moved {
    There,
    /// The old replica stays; why.
    Back(String),
}

pub(crate) struct Cluster {
    mesh: Mesh,
    control: ControlHandle,
}

impl Cluster {
    pub(crate) fn new(mesh: Mesh, control: ControlHandle) -> Self {
        Self { mesh, control }
    }

    pub(crate) fn view(&self) -> Arc<ControlState> {
        self.control.view()
    }

    /// The kernel that a path names; waits a moment for one that this node has not heard of yet.
    pub(crate) async fn kernel(&self, id: &str) -> Result<KernelRecord, Error> {
        let missing = || Error::NoSuchKernel(id.to_owned());
        let kernel = KernelId::parse(id).ok_or_else(missing)?;
        let mut states = self.control.watch();
        let found = states.wait_for(|state| state.kernels.contains_key(&kernel));
        let state = tokio::time::timeout(VIEW_WITHIN, found)
            .await
            .map_err(|_| missing())?
            .map_err(|_| missing())?;
        state.kernels.get(&kernel).cloned().ok_or_else(missing)
    }

    /// Creates a kernel; asking again with the same id, as this does itself when the control leader is lost, creates it once.
    pub(crate) async fn create_kernel(&self, id: KernelId, spec: KernelSpec) -> Result<KernelRecord, Error> {
        let deadline = Instant::now() + CREATE_WITHIN;
        loop {
            let error = match self.control.create_kernel(id, spec.clone(), CONTROL_WITHIN).await {
                Ok(record) => return Ok(record),
                Err(error) => error,
            };
            // NB0602: the hosts of a cluster that has just started are still registering. NB0620: one more is on its way.
            let passing = matches!(error.code(), "NB0601" | "NB0602" | "NB0620");
            if !passing || Instant::now() + CONTROL_WITHIN > deadline {
                return Err(refused(&error));
            }
            tracing::warn!(kernel = %id, %error, "kernel not created yet");
            tokio::time::sleep(CREATE_PAUSE).await;
        }
    }

    /// On return this node's view does not hold it any more, or is late.
    pub(crate) async fn delete_kernel(&self, id: KernelId) -> Result<(), Error> {
        match self.control.delete_kernel(id, CONTROL_WITHIN).await {
            Ok(()) => {
                let mut states = self.control.watch();
                let gone = states.wait_for(|state| !state.kernels.contains_key(&id));
                let _ = tokio::time::timeout(VIEW_WITHIN, gone).await;
                Ok(())
            }
            Err(error) if error.code() == "NB0603" => Err(Error::NoSuchKernel(id.to_string())),
            Err(error) => Err(refused(&error)),
        }
    }

    pub(crate) async fn put_session(&self, session: SessionRecord) -> Result<(), Error> {
        self.control
            .put_session(session, CONTROL_WITHIN)
            .await
            .map_err(|error| refused(&error))
    }

    pub(crate) async fn delete_session(&self, id: &str) -> Result<(), Error> {
        match self.control.delete_session(id.to_owned(), CONTROL_WITHIN).await {
            Ok(()) => Ok(()),
            Err(error) if error.code() == "NB0605" => Err(Error::NoSuchSession(id.to_owned())),
            Err(error) => Err(refused(&error)),
        }
    }

    /// What the replicas of these kernels say, by kernel; hosts that do not answer are left out.
    pub(crate) async fn infos<'a>(
        &self,
        records: impl IntoIterator<Item = &'a KernelRecord>,
    ) -> BTreeMap<KernelId, Vec<ReplicaInfo>> {
        let placements = records.into_iter().flat_map(KernelRecord::placements);
        let hosts: BTreeSet<&NodeName> = placements.map(|placement| &placement.host).collect();
        let asked = hosts.into_iter().filter(|host| self.is_up(host));
        let answers = join_all(asked.map(|host| client::infos(&self.mesh, host, ASK_HOST_WITHIN))).await;
        let mut infos: BTreeMap<KernelId, Vec<ReplicaInfo>> = BTreeMap::new();
        for info in answers.into_iter().flatten().flatten() {
            infos.entry(info.kernel).or_default().push(info);
        }
        infos
    }

    /// What one kernel's replicas say; 503 when none answers though they should by now.
    pub(crate) async fn infos_of(&self, record: &KernelRecord) -> Result<Vec<ReplicaInfo>, Error> {
        let infos = self.infos([record]).await.remove(&record.id).unwrap_or_default();
        let age = crate::clock::unix_micros().saturating_sub(record.created_us);
        if infos.is_empty() && age > STARTING_FOR_US {
            return Err(Error::KernelUnreachable {
                kernel: record.id.to_string(),
                waited: ASK_HOST_WITHIN,
            });
        }
        Ok(infos)
    }

    /// Has the kernel's executor carry out a request, wherever it is and while it changes.
    pub(crate) async fn ask_executor(
        &self,
        record: &KernelRecord,
        request: &ReplicaRequest,
        within: Duration,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        let mut named: Option<NodeName> = None;
        loop {
            let mut hosts: Vec<&NodeName> = record.placements().map(|placement| &placement.host).collect();
            hosts.sort_by_key(|host| (named.as_ref() != Some(*host), !self.is_up(host)));
            for host in hosts {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Error::KernelUnreachable {
                        kernel: record.id.to_string(),
                        waited: within,
                    });
                }
                if !self.is_up(host) {
                    continue;
                }
                match self.ask_replica(record.id, host, request, left).await {
                    Ok(ReplicaReply::Redirect { executor }) => {
                        named = Some(executor);
                        break;
                    }
                    Ok(ReplicaReply::Refused { code, message }) => return Err(Error::Refused { code, message }),
                    Ok(ReplicaReply::Busy) | Err(_) => {}
                    Ok(_) => return Ok(()),
                }
            }
            tokio::time::sleep(ROUND_PAUSE).await;
        }
    }

    /// Makes another replica the executor: the one on `to`, else the first standby that is up.
    pub(crate) async fn hand_over(
        &self,
        record: &KernelRecord,
        to: Option<&NodeName>,
        within: Duration,
    ) -> Result<(), Error> {
        let infos = self.infos_of(record).await?;
        let membership = record.membership();
        let leaving = membership.change.map(|change| change.leaving);
        let is_standby = |info: &&ReplicaInfo| info.role == Role::Standby && Some(info.replica) != leaving;
        let target = match to {
            Some(host) if membership.members.iter().any(|member| member.host == *host) => host.clone(),
            Some(host) => {
                return Err(Error::NoSuchHost(format!(
                    "{host} has no replica of kernel {}",
                    record.id
                )));
            }
            None => match infos.iter().filter(is_standby).map(|info| &info.host).min() {
                Some(host) => host.clone(),
                None => {
                    return Err(Error::KernelUnreachable {
                        kernel: record.id.to_string(),
                        waited: ASK_HOST_WITHIN,
                    });
                }
            },
        };
        match self
            .ask_replica(record.id, &target, &ReplicaRequest::Handover, within)
            .await
        {
            Ok(ReplicaReply::Refused { code, message }) => Err(Error::Refused { code, message }),
            Ok(ReplicaReply::Redirect { .. } | ReplicaReply::Busy) | Err(_) => Err(Error::KernelUnreachable {
                kernel: record.id.to_string(),
                waited: within,
            }),
            Ok(_) => Ok(()),
        }
    }

    /// Moves a replica to another host; returns when the kernel has the new one instead of the old one. One whose target is lost on the
    /// way is moved elsewhere, unless the caller named the target.
    pub(crate) async fn migrate(
        &self,
        kernel: KernelId,
        from: Option<NodeName>,
        to: Option<NodeName>,
        within: Duration,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        loop {
            let within = CONTROL_WITHIN;
            let begun = self.control.begin_move(kernel, from.clone(), to.clone(), within).await;
            let moving = match begun {
                Ok(moving) => moving,
                Err(error) if matches!(error.code(), "NB0611" | "NB0613") && Instant::now() < deadline => {
                    match self.wanted_move(kernel, from.as_ref(), to.as_ref()) {
                        // The answer to an earlier question was lost, or somebody else wants the same.
                        Some(moving) => moving,
                        // It is being undone, or there are many: that ends.
                        None => {
                            tokio::time::sleep(MOVE_PAUSE).await;
                            continue;
                        }
                    }
                }
                Err(error) => return Err(refused(&error)),
            };
            match self.moved(kernel, &moving, deadline).await? {
                Moved::There => return Ok(()),
                Moved::Back(_) if to.is_none() && Instant::now() < deadline => tokio::time::sleep(MOVE_PAUSE).await,
                Moved::Back(why) => return Err(Error::NotMoved(why)),
            }
        }
    }

    /// The move under way, if it is what is wanted.
    fn wanted_move(&self, kernel: KernelId, from: Option<&NodeName>, to: Option<&NodeName>) -> Option<Move> {
        let state = self.view();
        let moving = state.kernels.get(&kernel)?.moving.as_ref()?;
        let fits = |wish: Option<&NodeName>, host: &NodeName| wish.is_none_or(|wish| wish == host);
        let wanted = moving.phase != Phase::Undoing && fits(from, &moving.from.host) && fits(to, &moving.to.host);
        wanted.then(|| moving.clone())
    }

    async fn moved(&self, kernel: KernelId, moving: &Move, deadline: Instant) -> Result<Moved, Error> {
        let mut states = self.control.watch();
        let mut seen = false;
        let over = states.wait_for(|state| {
            let record = state.kernels.get(&kernel);
            let current = record.and_then(|record| record.moving.as_ref());
            let runs = current.is_some_and(|current| current.to == moving.to);
            // This node may hear of the end before it has heard of the beginning, but of nothing after that.
            let ended = record.is_none_or(|record| {
                record.replicas.contains(&moving.to)
                    || record
                        .undone
                        .as_ref()
                        .is_some_and(|undone| undone.replica == moving.to.replica)
            });
            seen |= runs;
            !runs && (seen || ended)
        });
        let state = match tokio::time::timeout_at(deadline.into(), over).await {
            Ok(Ok(state)) => Arc::clone(&state),
            Ok(Err(_)) | Err(_) => return Err(Error::NotMoved("it has not come to an end yet".to_owned())),
        };
        let record = state.kernels.get(&kernel);
        let record = record.ok_or_else(|| Error::NoSuchKernel(kernel.to_string()))?;
        if record.replicas.contains(&moving.to) {
            return Ok(Moved::There);
        }
        let undone = record
            .undone
            .as_ref()
            .filter(|undone| undone.replica == moving.to.replica);
        let why = undone.map_or_else(|| "it was given up".to_owned(), |undone| undone.why.clone());
        Ok(Moved::Back(why))
    }

    /// Takes a host out of service, or back into it, and tells what is still there.
    pub(crate) async fn drain(&self, host: &str, duty: Duty) -> Result<BTreeMap<KernelId, Left>, Error> {
        let left = self.control.drain(NodeName::from(host), duty, CONTROL_WITHIN).await;
        left.map_err(|error| match error.code() {
            "NB0615" => Error::NoSuchHost(host.to_owned()),
            _ => refused(&error),
        })
    }

    /// `GET /api/cluster/hosts`
    pub(crate) async fn hosts(&self) -> Vec<Value> {
        let state = self.view();
        let counts = state.replicas_by_host();
        let scaling = self.control.scaling(ASK_HOST_WITHIN).await.ok();
        let limit = scaling.as_ref().map(|scaling| ratio(scaling.limit_millis));
        let loads = scaling.map(|scaling| scaling.loads).unwrap_or_default();
        let asks = state.hosts.iter().map(async |(host, record)| {
            let answer = client::host(&self.mesh, host, ASK_HOST_WITHIN).await.ok();
            let status = match (self.mesh.peer_state(host), &answer) {
                (_, Some(_)) if record.duty == Duty::Draining => "draining",
                (_, Some(_)) => "up",
                (PeerState::Down, None) => "down",
                (PeerState::Suspected | PeerState::Up { .. }, None) => "suspected",
            };
            let warm = answer.as_ref().map(|info| info.warm);
            let load = loads.get(host);
            json!({
                "name": host,
                "incarnation": answer.as_ref().map_or(record.incarnation, |info| info.incarnation),
                "status": status,
                "replicas": counts.get(host).copied().unwrap_or_default(),
                "warm": warm,
                "subscription_ratio": answer.as_ref().map(|info| ratio(info.subscription_millis)),
                "subscription_limit": limit,
                "waiting": load.map(|load| load.waiting),
                "memory": load.map(|load| json!({"total": load.memory, "available": load.memory_available})),
                "added": state.scaled.hosts.contains_key(host),
                "gpus": answer.map(|info| info.gpus).unwrap_or_default(),
            })
        });
        let mut hosts = join_all(asks).await;
        // Ordered and not there yet, or not any more.
        for (host, record) in state
            .scaled
            .hosts
            .iter()
            .filter(|(host, _)| !state.hosts.contains_key(*host))
        {
            let status = match record.phase {
                HostPhase::Ordered | HostPhase::Started => "starting",
                HostPhase::Retiring => "stopping",
            };
            hosts.push(json!({"name": host, "status": status, "gpus": [], "replicas": 0, "added": true}));
        }
        hosts
    }

    /// The devices of every host that answers.
    pub(crate) async fn gpus(&self) -> BTreeMap<NodeName, Vec<GpuInfo>> {
        let state = self.view();
        let asks = state.hosts.keys().map(async |host| {
            let info = client::host(&self.mesh, host, ASK_HOST_WITHIN).await.ok()?;
            Some((host.clone(), info.gpus))
        });
        join_all(asks).await.into_iter().flatten().collect()
    }

    /// `GET /api/cluster/scaling`: the hosts that scaling ordered, as of a version of the control state, and its bounds.
    pub(crate) async fn scaling(&self) -> Result<Value, Error> {
        let info = self
            .control
            .scaling(ASK_HOST_WITHIN)
            .await
            .map_err(|error| refused(&error))?;
        let state = self.view();
        let hosts = state.scaled.hosts.iter().map(|(host, record)| {
            json!({"name": host, "mesh": record.mesh.to_string(), "phase": record.phase, "registered": state.hosts.contains_key(host)})
        });
        Ok(json!({
            "version": state.version,
            "provider": info.provider,
            "policy": info.policy,
            "min": info.min,
            "max": info.max,
            "subscription_limit": ratio(info.limit_millis),
            "hosts": hosts.collect::<Vec<_>>(),
        }))
    }

    /// `GET /api/cluster/tree`: every node's tree below one root.
    pub(crate) async fn tree(&self) -> TreeNode {
        let nodes = self.nodes();
        let children = join_all(nodes.iter().map(async |node| {
            let tree = client::tree(&self.mesh, node, ASK_HOST_WITHIN).await;
            tree.unwrap_or_else(|error| TreeNode::unreachable(node.as_str(), error.to_string()))
        }))
        .await;
        TreeNode {
            path: String::new(),
            kind: "cluster".to_owned(),
            node: self.mesh.local().to_string(),
            status: nbos_supervision::Status::Running,
            restarts: 0,
            started_at: children
                .iter()
                .map(|child| child.started_at)
                .filter(|at| *at > 0)
                .min()
                .unwrap_or_default(),
            last_error: None,
            children,
        }
    }

    /// Restarts what runs at a path of the tree; its first segment is the node.
    pub(crate) async fn restart(&self, path: &str, within: Duration) -> Result<(), Error> {
        let node = path.split('/').next().unwrap_or_default();
        let node = self.nodes().into_iter().find(|known| known.as_str() == node);
        let node = node.ok_or_else(|| Error::NoSuchHost(path.to_owned()))?;
        let restarted = client::restart(&self.mesh, &node, path.to_owned(), within).await;
        restarted.map_err(|error| Error::Refused {
            code: error.code().to_owned(),
            message: error.to_string(),
        })
    }

    /// Has something go wrong with a simulated GPU of a host, or ends it.
    pub(crate) async fn fault(&self, host: &str, gpu: u32, fault: GpuFault) -> Result<(), Error> {
        let host = NodeName::from(host);
        if !self.view().hosts.contains_key(&host) {
            return Err(Error::NoSuchHost(host.to_string()));
        }
        let done = client::fault(&self.mesh, &host, gpu, fault, ASK_HOST_WITHIN).await;
        done.map_err(|error| Error::Refused {
            code: error.code().to_owned(),
            message: error.to_string(),
        })
    }

    /// Every node of the cluster by name, this one included.
    pub(crate) fn nodes(&self) -> BTreeSet<NodeName> {
        let peers = self
            .mesh
            .subscribe()
            .borrow()
            .keys()
            .cloned()
            .collect::<BTreeSet<NodeName>>();
        peers.into_iter().chain([self.mesh.local().clone()]).collect()
    }

    pub(crate) fn state_of(&self, node: &NodeName) -> PeerState {
        self.mesh.peer_state(node)
    }

    fn is_up(&self, node: &NodeName) -> bool {
        matches!(self.mesh.peer_state(node), PeerState::Up { .. })
    }

    async fn ask_replica(
        &self,
        kernel: KernelId,
        host: &NodeName,
        request: &ReplicaRequest,
        within: Duration,
    ) -> Result<ReplicaReply, nbos_mesh::Error> {
        let body = self
            .mesh
            .call(host, &replica_path(kernel), to_bytes(request), within)
            .await?;
        codec::decode(&body).map_err(|error| {
            tracing::warn!(%kernel, %host, %error, "unreadable answer of a replica");
            nbos_mesh::Error::Unreachable(host.clone())
        })
    }
}

/// For people: thousandths as a number.
fn ratio(millis: u64) -> f64 {
    millis as f64 / 1_000.0
}

fn refused(error: &nbos_scheduler::Error) -> Error {
    Error::Refused {
        code: error.code().to_owned(),
        message: error.to_string(),
    }
}
