//! The scheduler: serves the control state and decides placements. One a control node; any of them may serve, since
//! the group orders what they propose.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use nbos_consensus::Group;
use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_mesh::{Fault, Mesh, NodeName, PeerState, Post, Responder, codec};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{Semaphore, watch};

use crate::choice::{Cluster, Need, When, Wish, choose};
use crate::load::Loads;
use crate::mover;
use crate::moves::Why;
use crate::policy::{Host, LimitRule, Reason, Refusal, Standing, Want, place};
use crate::protocol::{CONTROL_PATH, Reply, Request, WATCH_PATIENCE};
use crate::relocator::Relocator;
use crate::scaling::{self, Scaling};
use crate::state::{Command, ControlState, Duty, Outcome};
use crate::upkeep::{left, upkeep};
use nbos_kernel::protocol::{ReplicaInfo, ReplicaReply, ReplicaRequest, to_bytes};

/// Below the client's own limit, so that it hears why.
const PROPOSE_WITHIN: Duration = Duration::from_millis(2_000);

/// A host that is gone for this long is not coming back soon: `nbos up` restarts one within a second, and every kernel is to have all
/// its replicas again ten seconds after a loss.
const LOST_AFTER: Duration = Duration::from_millis(2_500);

/// Between two looks at what should move, when nothing changes meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A replica answers from memory; one that does not is not waited for.
const INFO_WITHIN: Duration = Duration::from_millis(300);

/// Requests served at once; more wait in the caller's own deadline.
const MAX_AT_ONCE: usize = 256;

pub struct Scheduler;

#[derive(Clone)]
pub struct Arguments {
    pub mesh: Mesh,
    pub group: Group,
    pub view: watch::Receiver<Arc<ControlState>>,
    /// Replicas of a kernel.
    pub replicas: usize,
    pub loads: Loads,
    pub scaling: Scaling,
}

pub struct State {
    around: Arguments,
    slots: Arc<Semaphore>,
    background: Vec<tokio::task::JoinHandle<()>>,
}

impl Actor for Scheduler {
    type Msg = Post;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Post>, around: Arguments) -> Result<State, ActorProcessingErr> {
        around.mesh.register(CONTROL_PATH, myself.get_derived());
        Actor::spawn_linked(None, Relocator, around.clone(), myself.get_cell()).await?;
        let background = vec![
            tokio::spawn(around.clone().keep_up()),
            tokio::spawn(mover::keep_moving(around.clone())),
            tokio::spawn(scaling::keep(around.clone())),
        ];
        Ok(State {
            around,
            slots: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            background,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Post>,
        Post(delivery): Post,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(responder) = delivery.reply else {
            if let Ok(Request::Load(load)) = codec::decode(&delivery.body) {
                state.around.loads.hear(delivery.from.node.clone(), load);
            }
            return Ok(());
        };
        match codec::decode::<Request>(&delivery.body) {
            Ok(request) => state.serve(request, responder),
            Err(error) => {
                let fault = Fault {
                    code: "NB0606".to_owned(),
                    message: format!("the request is not readable: {error}"),
                };
                responder.send(Err(fault));
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Post>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.around.mesh.unregister(CONTROL_PATH);
        for task in &state.background {
            task.abort();
        }
        Ok(())
    }
}

impl State {
    fn serve(&self, request: Request, responder: Responder) {
        let around = self.around.clone();
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            let reply = Reply::TryAgain {
                why: "the scheduler is busy".to_owned(),
            };
            return responder.send(Ok(to_bytes(&reply)));
        };
        tokio::spawn(async move {
            let reply = match request {
                Request::Create { id, spec } => around.create(id, spec).await,
                Request::Change(command) => around.propose(command).await,
                Request::Move { kernel, from, to } => {
                    around
                        .begin_move(kernel, (from, to), None, When::Ever, Why::Asked)
                        .await
                }
                Request::Drain { host, duty } => around.drain(host, duty).await,
                Request::Load(_) => Reply::Same,
                Request::Scaling => Reply::Scaling(around.scaling.info(around.loads.newest())),
                Request::Watch { version } => around.watch(version).await,
            };
            responder.send(Ok(to_bytes(&reply)));
            drop(slot);
        });
    }
}

impl Arguments {
    async fn create(&self, id: KernelId, spec: KernelSpec) -> Reply {
        let state = Arc::clone(&self.view.borrow());
        if let Some(record) = state.kernels.get(&id) {
            return Reply::Outcome(Outcome::Kernel(Box::new(record.clone())));
        }
        let hosts = match self.place(&state, id, &spec) {
            Ok(hosts) => hosts,
            Err(reply) => return reply,
        };
        self.propose(Command::CreateKernel {
            id,
            spec,
            hosts,
            at_us: unix_us(),
        })
        .await
    }

    fn place(&self, state: &ControlState, kernel: KernelId, spec: &KernelSpec) -> Result<Vec<NodeName>, Reply> {
        let hosts = Host::all(state, &self.loads.newest(), |host| self.standing(state, host));
        let want = Want {
            replicas: self.replicas,
            gpus: spec.gpus,
            vram: spec.vram,
            memory: spec.memory,
        };
        let limit = self.scaling.limit();
        match place(&hosts, want, limit, LimitRule::Keep) {
            Ok(hosts) => Ok(hosts),
            Err(refusal) => {
                self.wait_for_hosts(state, &hosts, kernel, &refusal)?;
                place(&hosts, want, limit, LimitRule::Ignore).map_err(|refusal| refused(&refusal))
            }
        }
    }

    /// Has hosts added for a kernel that found no place, and refuses it for the time being. It is let through when nobody can be waited
    /// for, or was for long enough.
    fn wait_for_hosts(
        &self,
        state: &ControlState,
        hosts: &[Host],
        kernel: KernelId,
        refusal: &Refusal,
    ) -> Result<(), Reply> {
        let back_soon = refusal.hosts_with(Reason::Away) + self.scaling.not_registered(state);
        let lacking = refusal.lacking().saturating_sub(back_soon);
        if lacking == 0 || !self.scaling.could_help(state, hosts, refusal.want()) {
            return Ok(());
        }
        if !self.leads() {
            // The client asks the next control node.
            return Err(Reply::TryAgain {
                why: "hosts are missing, and only the leader has them added".to_owned(),
            });
        }
        self.scaling.lack(lacking, refusal.want().gpus);
        if self.scaling.has_waited(kernel) {
            Ok(())
        } else {
            Err(refused(refusal))
        }
    }

    fn standing(&self, state: &ControlState, host: &NodeName) -> Standing {
        let duty = state.hosts.get(host).map(|record| record.duty);
        match duty {
            Some(Duty::Draining) => Standing::Draining,
            Some(Duty::Serving) | None if self.is_up(host) => Standing::Up,
            Some(Duty::Serving) | None => Standing::Away,
        }
    }

    /// On the control group's leader: begins the moves that nobody has to ask for.
    async fn keep_up(self) {
        let mut view = self.view.clone();
        loop {
            // A closed channel ends with the node.
            let _ = tokio::time::timeout(LOOK_EVERY, view.changed()).await;
            if !self.leads() {
                continue;
            }
            let state = view.borrow_and_update().clone();
            let commands = self.seen(&state, |cluster| upkeep(cluster, &self.lost_hosts(), unix_us()));
            for command in commands {
                tracing::info!(?command, "replica is to move");
                if let Reply::TryAgain { why } = self.propose(command).await {
                    tracing::warn!(why, "replica not moved");
                }
            }
        }
    }

    /// Somebody wants a replica moved, from and to where it says. Any control node decides: of two who do at once the group takes the
    /// first.
    pub(crate) async fn begin_move(
        &self,
        kernel: KernelId,
        (from, to): (Option<NodeName>, Option<NodeName>),
        need: Option<Need>,
        when: When,
        why: Why,
    ) -> Reply {
        let state = Arc::clone(&self.view.borrow());
        let Some(record) = state.kernels.get(&kernel) else {
            return Reply::TryAgain {
                why: format!("kernel {kernel} is not known here"),
            };
        };
        let infos = self.infos_of(&state, kernel).await;
        let newest = infos.iter().max_by_key(|info| info.epoch);
        let wish = Wish {
            from,
            to,
            need: need.unwrap_or_else(|| Need::of(record)),
            when,
            executor: newest.and_then(|info| info.executor.clone()),
            pinned: newest
                .into_iter()
                .flat_map(|info| &info.pinned)
                .map(|pinned| NodeName::from(pinned.home.as_str()))
                .collect(),
        };
        match self.seen(&state, |cluster| choose(cluster, record, &wish)) {
            Ok((replica, to)) => {
                self.propose(Command::BeginMove {
                    kernel,
                    from: replica,
                    to,
                    why,
                    at_us: unix_us(),
                })
                .await
            }
            Err(refusal) => Reply::Outcome(refusal.into()),
        }
    }

    async fn drain(&self, host: NodeName, duty: Duty) -> Reply {
        let state = Arc::clone(&self.view.borrow());
        if state.hosts.get(&host).is_none_or(|record| record.duty != duty) {
            let host = host.clone();
            match self.propose(Command::SetDuty { host, duty }).await {
                Reply::Outcome(Outcome::Done) => {}
                other => return other,
            }
        }
        Reply::Left(self.seen(&state, |cluster| left(cluster, &host)))
    }

    async fn infos_of(&self, state: &ControlState, kernel: KernelId) -> Vec<ReplicaInfo> {
        let replicas = state
            .kernels
            .get(&kernel)
            .into_iter()
            .flat_map(|record| &record.replicas);
        let up = replicas.filter(|placement| self.is_up(&placement.host));
        let asked = up.map(|placement| mover::ask(self, kernel, &placement.host, &ReplicaRequest::Info, INFO_WITHIN));
        let answers = join_all(asked).await;
        let infos = answers.into_iter().filter_map(|reply| match reply? {
            ReplicaReply::Info(info) => Some(*info),
            _ => None,
        });
        infos.collect()
    }

    /// Has something decided by what is known here now.
    pub(crate) fn seen<T>(&self, state: &ControlState, decide: impl FnOnce(&Cluster<'_>) -> T) -> T {
        let loads = self.loads.newest();
        let up: BTreeSet<NodeName> = state.hosts.keys().filter(|host| self.is_up(host)).cloned().collect();
        decide(&Cluster {
            state,
            loads: &loads,
            up: &up,
        })
    }

    pub(crate) fn leads(&self) -> bool {
        self.group.leader().is_some_and(|(_, node)| node == *self.mesh.local())
    }

    fn lost_hosts(&self) -> BTreeSet<NodeName> {
        self.mesh
            .subscribe()
            .borrow()
            .iter()
            .filter(|(_, status)| status.state == PeerState::Down && status.since.elapsed() > LOST_AFTER)
            .map(|(node, _)| node.clone())
            .collect()
    }

    fn is_up(&self, host: &NodeName) -> bool {
        host == self.mesh.local() || matches!(self.mesh.peer_state(host), PeerState::Up { .. })
    }

    pub(crate) async fn propose(&self, command: Command) -> Reply {
        match self.group.propose(to_bytes(&command), PROPOSE_WITHIN).await {
            Ok(answer) => decode_outcome(&answer),
            Err(error) => Reply::TryAgain { why: error.to_string() },
        }
    }

    async fn watch(&self, version: u64) -> Reply {
        let mut view = self.view.clone();
        let newer = view.wait_for(|state| state.version > version);
        match tokio::time::timeout(WATCH_PATIENCE, newer).await {
            Ok(Ok(state)) => Reply::State(Arc::clone(&state)),
            Ok(Err(_)) | Err(_) => Reply::Same,
        }
    }
}

fn refused(refusal: &Refusal) -> Reply {
    Reply::Outcome(Outcome::Refused {
        code: refusal.code().to_owned(),
        message: refusal.to_string(),
    })
}

/// Unix time, microseconds.
pub(crate) fn unix_us() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

fn decode_outcome(answer: &Bytes) -> Reply {
    match codec::decode(answer) {
        Ok(outcome) => Reply::Outcome(outcome),
        Err(error) => Reply::TryAgain { why: error.to_string() },
    }
}
