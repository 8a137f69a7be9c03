//! The scheduler: serves the control state and decides placements. One a control node; any of them may serve, since
//! the group orders what they propose.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nbos_consensus::Group;
use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_mesh::{Fault, Mesh, NodeName, PeerState, Post, Responder, codec};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{Semaphore, watch};

use crate::options::Options;
use crate::placement::Candidate;
use crate::policy::{Host, LimitRule, Standing, Want, place};
use crate::protocol::{CONTROL_PATH, Reply, Request, WATCH_PATIENCE};
use crate::repair::repair;
use crate::state::{Command, ControlState, Outcome};
use nbos_kernel::protocol::to_bytes;

/// Below the client's own limit, so that it hears why.
const PROPOSE_WITHIN: Duration = Duration::from_millis(2_000);

/// A host that is gone for this long is not coming back soon: `nbos up` restarts one within a second, and every kernel is to have all
/// its replicas again ten seconds after a loss.
const LOST_AFTER: Duration = Duration::from_millis(2_500);

/// Between two looks for lost replicas.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    pub options: Options,
}

pub struct State {
    around: Arguments,
    slots: Arc<Semaphore>,
    repairs: tokio::task::JoinHandle<()>,
}

impl Actor for Scheduler {
    type Msg = Post;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Post>, around: Arguments) -> Result<State, ActorProcessingErr> {
        around.mesh.register(CONTROL_PATH, myself.get_derived());
        let repairs = tokio::spawn(around.clone().keep_replicas());
        Ok(State {
            around,
            slots: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            repairs,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Post>,
        Post(delivery): Post,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Some(responder) = delivery.reply else {
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
        state.repairs.abort();
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
            return Reply::Outcome(Outcome::Kernel(record.clone()));
        }
        let hosts = match self.place(&state, &spec) {
            Ok(hosts) => hosts,
            Err(reply) => return reply,
        };
        let at_us = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros();
        self.propose(Command::CreateKernel {
            id,
            spec,
            hosts,
            at_us: u64::try_from(at_us).unwrap_or(u64::MAX),
        })
        .await
    }

    fn place(&self, state: &ControlState, spec: &KernelSpec) -> Result<Vec<NodeName>, Reply> {
        let hosts = Host::all(state, &BTreeMap::new(), |host| self.standing(host));
        let want = Want {
            replicas: self.replicas,
            gpus: spec.gpus,
            vram: spec.vram,
            memory: spec.memory,
        };
        let limit = self.options.max_subscription;
        let placed = match place(&hosts, want, limit, LimitRule::Keep) {
            Err(refusal) if refusal.by_limit_alone() => place(&hosts, want, limit, LimitRule::Ignore),
            placed => placed,
        };
        placed.map_err(|refusal| {
            Reply::Outcome(Outcome::Refused {
                code: refusal.code().to_owned(),
                message: refusal.to_string(),
            })
        })
    }

    fn standing(&self, host: &NodeName) -> Standing {
        if self.is_up(host) { Standing::Up } else { Standing::Away }
    }

    /// Registered hosts that this node does not know to be gone. With too few of those, the others too: a host that restarts
    /// is back before the kernel needs it.
    fn candidates(&self, state: &ControlState) -> Vec<Candidate> {
        let all = state.hosts.iter().map(|(host, record)| Candidate {
            host: host.clone(),
            gpus: record.gpus,
        });
        let (mut up, down): (Vec<Candidate>, Vec<Candidate>) = all.partition(|candidate| self.is_up(&candidate.host));
        let missing = self.replicas.saturating_sub(up.len());
        // A majority must be up, or the kernel could not start at all.
        if up.len() * 2 > self.replicas {
            up.extend(down.into_iter().take(missing));
        }
        up
    }

    /// On the control group's leader: gives replicas of lost hosts new homes.
    async fn keep_replicas(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let leads = self.group.leader().is_some_and(|(_, node)| node == *self.mesh.local());
            if !leads {
                continue;
            }
            let state = Arc::clone(&self.view.borrow());
            let lost = self.lost_hosts();
            if lost.is_empty() {
                continue;
            }
            let candidates: Vec<Candidate> = self
                .candidates(&state)
                .into_iter()
                .filter(|candidate| self.is_up(&candidate.host))
                .collect();
            for command in repair(&state, &lost, &candidates) {
                tracing::info!(?command, "replica of a lost host gets a new home");
                if let Reply::TryAgain { why } = self.propose(command).await {
                    tracing::warn!(why, "replica not moved");
                }
            }
        }
    }

    fn lost_hosts(&self) -> Vec<NodeName> {
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

    async fn propose(&self, command: Command) -> Reply {
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

fn decode_outcome(answer: &Bytes) -> Reply {
    match codec::decode(answer) {
        Ok(outcome) => Reply::Outcome(outcome),
        Err(error) => Reply::TryAgain { why: error.to_string() },
    }
}
