//! `GET /api/cluster/events`: what changes in the cluster, as it is noticed here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nbos_gpu::{DeviceState, GpuInfo, Health};
use nbos_kernel::KernelId;
use nbos_kernel::protocol::ReplicaInfo;
use nbos_mesh::{Mesh, NodeName, PeerState};
use nbos_scheduler::{ControlHandle, ControlState, Duty, HostPhase, KernelRecord};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use nbos_kernel::time::iso8601;

use crate::clock::unix_micros;
use crate::cluster::Cluster;
use crate::rest::model;

/// Events a slow listener may be behind before it misses some (and is told so).
const BACKLOG: usize = 1_024;

/// While somebody listens, executors and GPUs are compared this often: they are not in the control state.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// One event, ready to be sent: its name and its data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClusterEvent {
    pub(crate) name: &'static str,
    pub(crate) data: Value,
}

/// Where listeners come from; a cheap clone.
#[derive(Clone)]
pub(crate) struct Feed(broadcast::Sender<Arc<ClusterEvent>>);

impl Feed {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<ClusterEvent>> {
        self.0.subscribe()
    }
}

impl ClusterEvent {
    /// As a server-sent event.
    pub(crate) fn to_sse(&self) -> String {
        format!("event: {}\ndata: {}\n\n", self.name, self.data)
    }

    pub(crate) fn missed(count: u64) -> Self {
        Self {
            name: "missed",
            data: json!({"time": iso8601(unix_micros()), "count": count}),
        }
    }
}

type Peers = BTreeMap<NodeName, PeerState>;
type Executors = BTreeMap<KernelId, (NodeName, u64)>;
type Gpus = BTreeMap<NodeName, Vec<GpuInfo>>;

/// What two views of the control state differ in. Pure.
fn control_events(before: &ControlState, after: &ControlState) -> Vec<(&'static str, Value)> {
    let mut events = Vec::new();
    for (id, record) in &after.kernels {
        let hosts = || {
            record
                .replicas
                .iter()
                .map(|placement| &placement.host)
                .collect::<Vec<_>>()
        };
        match before.kernels.get(id) {
            None => events.push(("kernel_created", json!({"kernel": id.to_string(), "hosts": hosts()}))),
            Some(old) if old.moving != record.moving => events.extend(move_event(old, record)),
            Some(old) if old.replicas != record.replicas => {
                events.push(("kernel_placed", json!({"kernel": id.to_string(), "hosts": hosts()})));
            }
            Some(_) => {}
        }
    }
    let deleted = before.kernels.keys().filter(|id| !after.kernels.contains_key(id));
    events.extend(deleted.map(|id| ("kernel_deleted", json!({"kernel": id.to_string()}))));
    for (host, record) in &after.hosts {
        if before.hosts.get(host) != Some(record) {
            events.push((
                "host_registered",
                json!({"host": host, "incarnation": record.incarnation, "gpus": record.gpus, "draining": record.duty == Duty::Draining}),
            ));
        }
    }
    for (host, record) in &after.scaled.hosts {
        if before.scaled.hosts.get(host) != Some(record) {
            let name = match record.phase {
                HostPhase::Ordered => "host_ordered",
                HostPhase::Started => "host_started",
                HostPhase::Retiring => "host_retiring",
            };
            events.push((name, json!({"host": host, "mesh": record.mesh.to_string()})));
        }
    }
    let ended = before
        .scaled
        .hosts
        .keys()
        .filter(|host| !after.scaled.hosts.contains_key(*host));
    events.extend(ended.map(|host| ("host_removed", json!({"host": host}))));
    events
}

/// What became of the replica that was or is on its way.
fn move_event(before: &KernelRecord, after: &KernelRecord) -> Option<(&'static str, Value)> {
    let shown = after.moving.as_ref().or(before.moving.as_ref())?;
    let mut data = model::moving(shown);
    data["kernel"] = json!(after.id.to_string());
    let name = match &after.moving {
        Some(_) => "replica_moving",
        None if after.replicas.contains(&shown.to) => "replica_moved",
        None => {
            data["undone"] = json!(after.undone.as_ref().map(|undone| &undone.why));
            "replica_not_moved"
        }
    };
    Some((name, data))
}

fn peer_events(before: &Peers, after: &Peers) -> Vec<(&'static str, Value)> {
    let changed = after.iter().filter(|(node, state)| before.get(*node) != Some(*state));
    let event = |(node, state): (&NodeName, &PeerState)| {
        let name = match state {
            PeerState::Up { .. } => "peer_up",
            PeerState::Suspected => "peer_suspected",
            PeerState::Down => "peer_down",
        };
        (name, json!({"node": node}))
    };
    changed.map(event).collect()
}

fn executor_events(before: &Executors, after: &Executors) -> Vec<(&'static str, Value)> {
    let changed = after
        .iter()
        .filter(|(kernel, now)| before.get(*kernel).is_some_and(|old| old != *now));
    let event = |(kernel, (host, epoch)): (&KernelId, &(NodeName, u64))| {
        (
            "executor_changed",
            json!({"kernel": kernel.to_string(), "executor": host, "epoch": epoch}),
        )
    };
    changed.map(event).collect()
}

/// Devices that cannot be lent any more, or can again. One not seen before is expected to work.
fn gpu_events(before: &Gpus, after: &Gpus) -> Vec<(&'static str, Value)> {
    let mut events = Vec::new();
    for (host, gpus) in after {
        let known = before.get(host).map(Vec::as_slice).unwrap_or_default();
        for gpu in gpus {
            let old = known.iter().find(|old| old.index == gpu.index);
            let name = match (old.and_then(|old| out_of_order(old.state)), out_of_order(gpu.state)) {
                (old, new) if old == new => continue,
                (_, Some(name)) => name,
                (_, None) => "gpu_working",
            };
            let why = match &gpu.health {
                Health::Healthy => None,
                Health::Failed { why } => Some(why),
            };
            let data =
                json!({"host": host, "gpu": gpu.index, "uuid": gpu.uuid, "memory_used": gpu.memory_used, "why": why});
            events.push((name, data));
        }
    }
    events
}

/// What to call it when a device came into a state in which it is not lent.
fn out_of_order(state: DeviceState) -> Option<&'static str> {
    match state {
        DeviceState::Free | DeviceState::Leased | DeviceState::Clearing => None,
        DeviceState::Quarantined => Some("gpu_quarantined"),
        DeviceState::Failed => Some("gpu_failed"),
    }
}

/// The executor by the newest epoch that any replica has seen.
fn executors(infos: &BTreeMap<KernelId, Vec<ReplicaInfo>>) -> Executors {
    let newest = |infos: &[ReplicaInfo]| {
        let known = infos
            .iter()
            .filter_map(|info| Some((info.epoch.0, info.executor.clone()?)));
        known.max().map(|(epoch, host)| (host, epoch))
    };
    infos
        .iter()
        .filter_map(|(kernel, infos)| Some((*kernel, newest(infos)?)))
        .collect()
}

/// Watches the cluster and fills the [`Feed`].
pub(crate) struct Watcher;

#[derive(Clone)]
pub(crate) struct WatcherArguments {
    pub(crate) mesh: Mesh,
    pub(crate) control: ControlHandle,
    pub(crate) feed: Feed,
}

pub(crate) enum Message {
    Control(Arc<ControlState>),
    Peers(Peers),
    Executors(Executors),
    Gpus(Gpus),
}

impl ractor::Message for Message {}

pub(crate) struct State {
    feed: Feed,
    control: Arc<ControlState>,
    peers: Peers,
    executors: Executors,
    gpus: Gpus,
    task: JoinHandle<()>,
}

impl Actor for Watcher {
    type Msg = Message;
    type State = State;
    type Arguments = WatcherArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        WatcherArguments { mesh, control, feed }: WatcherArguments,
    ) -> Result<State, ActorProcessingErr> {
        let peers = peers_of(&mesh);
        let state = control.view();
        let task = tokio::spawn(watch(mesh, control, feed.clone(), myself));
        Ok(State {
            feed,
            control: state,
            peers,
            executors: Executors::new(),
            gpus: Gpus::new(),
            task,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let events = match message {
            Message::Control(control) => {
                let before = std::mem::replace(&mut state.control, control);
                control_events(&before, &state.control)
            }
            Message::Peers(peers) => {
                let before = std::mem::replace(&mut state.peers, peers);
                peer_events(&before, &state.peers)
            }
            Message::Executors(executors) => {
                let before = std::mem::replace(&mut state.executors, executors);
                executor_events(&before, &state.executors)
            }
            Message::Gpus(gpus) => {
                let events = gpu_events(&state.gpus, &gpus);
                // A host that is silent for a moment keeps what was known of it.
                state.gpus.extend(gpus);
                state.gpus.retain(|host, _| state.control.hosts.contains_key(host));
                events
            }
        };
        for (name, mut data) in events {
            data["time"] = json!(iso8601(unix_micros()));
            // Nobody listening is fine.
            let _ = state.feed.0.send(Arc::new(ClusterEvent { name, data }));
        }
        Ok(())
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(mesh: Mesh, control: ControlHandle, feed: Feed, watcher: ActorRef<Message>) {
    let (mut states, mut peers) = (control.watch(), mesh.subscribe());
    let cluster = Cluster::new(mesh.clone(), control);
    let mut check = tokio::time::interval(CHECK_EVERY);
    check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            changed = states.changed() => changed.map(|()| Message::Control(Arc::clone(&states.borrow_and_update()))).ok(),
            changed = peers.changed() => changed.map(|()| Message::Peers(peers_of(&mesh))).ok(),
            _ = check.tick() => {
                if feed.0.receiver_count() == 0 {
                    continue;
                }
                let view = cluster.view();
                let (infos, gpus) = tokio::join!(cluster.infos(view.kernels.values()), cluster.gpus());
                if watcher.cast(Message::Gpus(gpus)).is_err() {
                    return;
                }
                Some(Message::Executors(executors(&infos)))
            }
        };
        match message.map(|message| watcher.cast(message)) {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return,
        }
    }
}

fn peers_of(mesh: &Mesh) -> Peers {
    mesh.subscribe()
        .borrow()
        .iter()
        .map(|(node, status)| (node.clone(), status.state))
        .collect()
}

#[cfg(test)]
mod tests {
    use nbos_kernel::protocol::KernelSpec;
    use std::net::SocketAddr;

    use nbos_scheduler::{Command, ScaleCommand};

    use super::*;

    #[test]
    fn kernels_and_hosts_that_come_and_go_are_told_once() {
        let (empty, host) = (ControlState::default(), NodeName::from("h1"));
        let mut one = empty.clone();
        one.apply(Command::RegisterHost {
            host: host.clone(),
            incarnation: 7,
            gpus: 4,
        });
        let id = KernelId::random();
        one.apply(Command::CreateKernel {
            id,
            spec: KernelSpec::default(),
            hosts: vec![host],
            at_us: 1,
        });
        let names = |events: Vec<(&'static str, Value)>| events.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            names(control_events(&empty, &one)),
            ["kernel_created", "host_registered"]
        );
        assert_eq!(names(control_events(&one, &one)), Vec::<&str>::new());
        assert_eq!(names(control_events(&one, &empty)), ["kernel_deleted"]);
    }

    #[test]
    fn hosts_that_scaling_orders_are_told_of() {
        let (empty, mut state) = (ControlState::default(), ControlState::default());
        let host = NodeName::from("auto-1");
        let mut seen = Vec::new();
        let first = SocketAddr::from(([127, 0, 0, 1], 7700));
        for command in [
            ScaleCommand::Order {
                count: 1,
                max: 1,
                first,
            },
            ScaleCommand::Retire { host: host.clone() },
            ScaleCommand::Forget { host },
        ] {
            let before = state.clone();
            state.apply(Command::Scale(command));
            seen.extend(control_events(&before, &state).into_iter().map(|(name, _)| name));
        }
        assert_eq!(seen, ["host_ordered", "host_retiring", "host_removed"]);
        assert!(control_events(&empty, &state).is_empty());
    }

    #[test]
    fn devices_that_cannot_be_lent_are_told_once_and_when_they_are_back() {
        let gpu = |state, health| GpuInfo {
            index: 1,
            uuid: "GPU-1".to_owned(),
            name: "simulated".to_owned(),
            memory_total: 2,
            memory_used: 0,
            utilisation: None,
            processes: Vec::new(),
            health,
            state,
            lease: None,
        };
        let seen = |state, health| Gpus::from([(NodeName::from("h1"), vec![gpu(state, health)])]);
        let off = Health::Failed { why: "off".to_owned() };
        let free = seen(DeviceState::Free, Health::Healthy);
        let failed = seen(DeviceState::Failed, off);
        let stuck = seen(DeviceState::Quarantined, Health::Healthy);
        let names = |before: &Gpus, after: &Gpus| {
            gpu_events(before, after)
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&Gpus::new(), &free), Vec::<&str>::new());
        assert_eq!(names(&Gpus::new(), &failed), ["gpu_failed"]);
        assert_eq!(names(&free, &failed), ["gpu_failed"]);
        assert_eq!(gpu_events(&free, &failed)[0].1["why"], "off");
        assert_eq!(names(&failed, &failed), Vec::<&str>::new());
        assert_eq!(
            names(&free, &seen(DeviceState::Leased, Health::Healthy)),
            Vec::<&str>::new()
        );
        assert_eq!(names(&free, &stuck), ["gpu_quarantined"]);
        assert_eq!(names(&stuck, &free), ["gpu_working"]);
    }

    #[test]
    fn an_executor_is_news_only_when_it_replaces_another() {
        let id = KernelId::random();
        let (none, first) = (Executors::new(), Executors::from([(id, (NodeName::from("a"), 1))]));
        let second = Executors::from([(id, (NodeName::from("b"), 2))]);
        assert!(executor_events(&none, &first).is_empty());
        assert_eq!(executor_events(&first, &second).len(), 1);
        let event = ClusterEvent {
            name: "executor_changed",
            data: json!({"a": 1}),
        };
        assert_eq!(event.to_sse(), "event: executor_changed\ndata: {\"a\":1}\n\n");
    }
}
