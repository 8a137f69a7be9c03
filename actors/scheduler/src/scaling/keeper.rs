//! The loop that keeps the cluster at the size that its policy wants.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nbos_gpu::GpuOptions;
use nbos_kernel::KernelId;
use nbos_mesh::{NodeName, PeerState};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::command;
use super::observe::{Observer, Seen};
use crate::actor::Arguments;
use crate::load::HostLoad;
use crate::options::{Options, Policy, Provider};
use crate::policy::autoscale::{Action, Autoscale, Bounds, Documented, Event, Own, OwnOptions};
use crate::policy::{Host, Limit, Ratio, Want};
use crate::protocol::Reply;
use crate::scaled::{HostPhase, ScaleCommand};
use crate::state::{Command, ControlState, Duty, Outcome};

/// Samples of the limit are taken this often, and the policy is told what happened.
const BEAT: Duration = Duration::from_secs(1);

/// A host that is down for so long is not about to come back.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// A command that failed is run again after this.
const RETRY: Duration = Duration::from_secs(10);

/// A kernel that only the limit keeps from being placed waits so long for a host that was ordered. Clients give up after 42 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// Kernels that wait for a host and are remembered; above it nobody waits.
const MAX_PATIENT: usize = 1_024;

/// GPUs of a host with real ones, before one has told: the original's `gpus_per_host`.
const GPUS_OF_A_MACHINE: u32 = 8;

/// What `own` keeps free over what there is when a host goes.
const HEADROOM: Ratio = Ratio::from_millis(1_200);

/// Cells wait so long before `own` adds a host for them: longer than most cells' turns, shorter than the start of any host.
const WAITS: Duration = Duration::from_secs(2);

/// What placement and scaling know of each other on one control node. A cheap clone.
#[derive(Clone)]
pub struct Scaling(Arc<Shared>);

struct Shared {
    options: Options,
    /// Hosts of the configuration.
    configured: Vec<NodeName>,
    limit: Mutex<Limit>,
    /// The most that a placement lacked since the last look: hosts, of so many GPUs.
    lacking: Mutex<Option<(u32, u32)>>,
    wake: Notify,
    /// Since when kernels wait for a host.
    patient: Mutex<BTreeMap<KernelId, Instant>>,
}

/// How the cluster scales, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingInfo {
    pub provider: Provider,
    pub policy: Policy,
    pub min: u32,
    pub max: u32,
    /// The limit of subscription now, in thousandths.
    pub limit_millis: u64,
    /// What the hosts told last.
    pub loads: BTreeMap<NodeName, HostLoad>,
}

impl Scaling {
    /// `configured` are the hosts of the configuration.
    pub fn new(options: Options, configured: Vec<NodeName>) -> Self {
        Self(Arc::new(Shared {
            limit: Mutex::new(Limit::new(options.max_subscription)),
            options,
            configured,
            lacking: Mutex::new(None),
            wake: Notify::new(),
            patient: Mutex::default(),
        }))
    }

    pub(crate) fn limit(&self) -> Ratio {
        self.0.limit.lock().now()
    }

    pub(crate) fn info(&self, loads: BTreeMap<NodeName, HostLoad>) -> ScalingInfo {
        let hosts = &self.0.options.hosts;
        ScalingInfo {
            provider: hosts.provider,
            policy: self.0.options.autoscale,
            min: hosts.min,
            max: hosts.max,
            limit_millis: self.limit().millis(),
            loads,
        }
    }

    /// Whether one more host may be ordered or is on its way, and would do for a kernel as far as is known of its kind.
    pub(crate) fn could_help(&self, state: &ControlState, hosts: &[Host], want: Want) -> bool {
        let ordered = u32::try_from(state.scaled.hosts.len()).unwrap_or(u32::MAX);
        let expected = state
            .scaled
            .hosts
            .iter()
            .any(|(host, record)| record.phase != HostPhase::Retiring && !state.hosts.contains_key(host));
        let more = ordered < self.most_ordered() || expected;
        let mut alike = hosts.iter().filter(|host| state.scaled.hosts.contains_key(&host.name));
        let too_small = alike.any(|host| {
            let memory = host.memory.is_some_and(|memory| memory < want.memory);
            memory || (want.gpus > 0 && host.vram.is_some_and(|vram| vram < want.vram))
        });
        let helps = want.gpus <= self.gpus_of_a_host(state) && !too_small;
        self.0.options.hosts.provider != Provider::None && more && helps
    }

    /// A placement lacks hosts: the policy hears of it at once.
    pub(crate) fn lack(&self, hosts: usize, gpus: u32) {
        let hosts = u32::try_from(hosts).unwrap_or(u32::MAX);
        if hosts > 0 {
            let mut lacking = self.0.lacking.lock();
            *lacking = Some(lacking.map_or((hosts, gpus), |known| known.max((hosts, gpus))));
            self.0.wake.notify_one();
        }
    }

    /// Whether a kernel has waited long enough for a host that would take it within the limit.
    pub(crate) fn has_waited(&self, kernel: KernelId) -> bool {
        let mut patient = self.0.patient.lock();
        patient.retain(|_, since| since.elapsed() < PATIENCE * 4);
        let full = patient.len() >= MAX_PATIENT && !patient.contains_key(&kernel);
        full || patient.entry(kernel).or_insert_with(Instant::now).elapsed() >= PATIENCE
    }

    /// Hosts of the configuration that have not registered yet.
    pub(crate) fn not_registered(&self, state: &ControlState) -> usize {
        let configured = self.0.configured.iter();
        configured.filter(|host| !state.hosts.contains_key(*host)).count()
    }

    fn most_ordered(&self) -> u32 {
        let configured = u32::try_from(self.0.configured.len()).unwrap_or(u32::MAX);
        self.0.options.hosts.max.saturating_sub(configured)
    }

    fn gpus_of_a_host(&self, state: &ControlState) -> u32 {
        match self.0.options.hosts.gpus {
            GpuOptions::Simulated(gpus) => gpus,
            GpuOptions::Nvml => {
                let ordered = state.scaled.hosts.keys().filter_map(|host| state.hosts.get(host));
                ordered.map(|record| record.gpus).max().unwrap_or(GPUS_OF_A_MACHINE)
            }
        }
    }

    fn sample(&self, state: &ControlState, loads: &BTreeMap<NodeName, HostLoad>) {
        let demand = state.kernels.values().map(|kernel| u64::from(kernel.spec.gpus)).sum();
        let busy = loads.values().map(|load| u64::from(load.leased)).sum();
        self.0.limit.lock().sample(demand, busy);
    }

    fn policy(&self, state: &ControlState, replicas: usize) -> Box<dyn Autoscale> {
        let Options {
            autoscale,
            cool_down,
            hosts,
            ..
        } = &self.0.options;
        let bounds = Bounds {
            min: hosts.min,
            max: hosts.max,
            replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
            gpus: self.gpus_of_a_host(state),
            start_within: Duration::from_secs(hosts.within),
        };
        match autoscale {
            Policy::Own => Box::new(Own::new(
                bounds,
                OwnOptions {
                    headroom: HEADROOM,
                    cool_down: Duration::from_secs(*cool_down),
                    waits: WAITS,
                },
            )),
            Policy::Documented => Box::new(Documented::new(bounds)),
        }
    }
}

/// Runs on every control node until it is aborted; acts on the leader alone.
pub(crate) async fn keep(around: Arguments) {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut term: Option<Term> = None;
    loop {
        tokio::select! {
            _ = beat.tick() => {
                let state = around.view.borrow().clone();
                around.scaling.sample(&state, &around.loads.newest());
            }
            () = around.scaling.0.wake.notified() => {}
        }
        if around.scaling.0.options.hosts.provider == Provider::None {
            continue;
        }
        if around.leads() {
            term.get_or_insert_with(|| Term::new(&around)).look(&around).await;
        } else {
            // Commands that run end with it: the next leader runs them again.
            term = None;
        }
    }
}

/// Whether a host has been down for so long that it is not expected back.
pub(crate) fn is_lost(around: &Arguments, host: &NodeName) -> bool {
    let peers = around.mesh.subscribe();
    let peers = peers.borrow();
    peers
        .get(host)
        .is_some_and(|status| status.state == PeerState::Down && status.since.elapsed() > LOST_AFTER)
}

/// One time of leading.
struct Term {
    began: Instant,
    policy: Box<dyn Autoscale>,
    observer: Observer,
    commands: JoinSet<Ran>,
    running: BTreeSet<NodeName>,
    /// Hosts whose command failed, and when.
    failed: BTreeMap<NodeName, Instant>,
}

/// A command that ended.
struct Ran {
    host: NodeName,
    phase: HostPhase,
    outcome: Result<Option<SocketAddr>, command::Error>,
}

impl Term {
    fn new(around: &Arguments) -> Self {
        Self {
            began: Instant::now(),
            policy: around.scaling.policy(&around.view.borrow(), around.replicas),
            observer: Observer::default(),
            commands: JoinSet::new(),
            running: BTreeSet::new(),
            failed: BTreeMap::new(),
        }
    }

    async fn look(&mut self, around: &Arguments) {
        let scaling = &around.scaling;
        let state = around.view.borrow().clone();
        let mut events = self.observer.observe(&Seen {
            state: &state,
            loads: &around.loads.newest(),
            lost: &|host| is_lost(around, host),
            limit: scaling.limit(),
            replicas: around.replicas,
            configured: &scaling.0.configured,
        });
        if let Some((hosts, gpus)) = scaling.0.lacking.lock().take() {
            events.push(Event::PlacementFailed { hosts, gpus });
        }
        let mut actions = Vec::new();
        for event in events {
            self.policy.step(self.began.elapsed(), event, &mut actions);
        }
        for action in actions {
            carry_out(around, action).await;
        }
        match scaling.0.options.hosts.provider {
            Provider::None => {}
            Provider::Process => forget_the_ended(around, &state).await,
            Provider::Command => self.run_commands(around).await,
        }
    }

    /// Starts what is ordered and stops what retires, each host by a command of its own.
    async fn run_commands(&mut self, around: &Arguments) {
        while let Some(ended) = self.commands.try_join_next() {
            match ended {
                Ok(ran) => self.ended(around, ran).await,
                Err(error) => tracing::error!(%error, "a provider's command was lost"),
            }
        }
        // What has just ended is in it.
        let state = around.view.borrow().clone();
        if self.commands.is_empty() {
            self.running.clear();
        }
        let hosts = &around.scaling.0.options.hosts;
        let within = Duration::from_secs(hosts.within);
        self.failed.retain(|_, at| at.elapsed() < RETRY);
        for (host, record) in &state.scaled.hosts {
            let template = match record.phase {
                HostPhase::Ordered => hosts.start.clone(),
                HostPhase::Retiring => hosts.stop.clone(),
                HostPhase::Started => None,
            };
            let Some(template) = template.filter(|_| !self.failed.contains_key(host)) else {
                continue;
            };
            if self.running.insert(host.clone()) {
                tracing::info!(%host, mesh = %record.mesh, phase = ?record.phase, "provider's command begins");
                let (host, phase, mesh) = (host.clone(), record.phase, record.mesh);
                self.commands.spawn(async move {
                    let outcome = command::run(&template, &host, mesh, within).await;
                    Ran { host, phase, outcome }
                });
            }
        }
    }

    async fn ended(&mut self, around: &Arguments, ran: Ran) {
        let Ran { host, phase, outcome } = ran;
        self.running.remove(&host);
        match outcome {
            Ok(mesh) => {
                tracing::info!(%host, ?phase, "provider's command ended");
                let command = match phase {
                    HostPhase::Retiring => ScaleCommand::Forget { host: host.clone() },
                    HostPhase::Ordered | HostPhase::Started => ScaleCommand::Started {
                        host: host.clone(),
                        mesh,
                    },
                };
                if !propose(around, Command::Scale(command)).await {
                    self.failed.insert(host, Instant::now());
                }
            }
            Err(error) => {
                tracing::error!(%host, ?phase, %error, "provider's command failed");
                self.failed.insert(host, Instant::now());
            }
        }
    }
}

async fn carry_out(around: &Arguments, action: Action) {
    tracing::info!(?action, "scaling");
    let hosts = &around.scaling.0.options.hosts;
    let command = match action {
        Action::AddHosts(count) => Command::Scale(ScaleCommand::Order {
            count,
            max: around.scaling.most_ordered(),
            first: hosts.mesh,
        }),
        Action::DrainHost(host) => Command::SetDuty {
            host,
            duty: Duty::Draining,
        },
        Action::RemoveHost(host) => Command::Scale(ScaleCommand::Retire { host }),
    };
    propose(around, command).await;
}

/// `nbos up` stops what retires; a host that has gone is forgotten.
async fn forget_the_ended(around: &Arguments, state: &ControlState) {
    for (host, record) in &state.scaled.hosts {
        let gone = around.mesh.peer_state(host) == PeerState::Down;
        if record.phase == HostPhase::Retiring && gone {
            propose(around, Command::Scale(ScaleCommand::Forget { host: host.clone() })).await;
        }
    }
}

/// True when the group has taken it. Whatever it has not is decided anew at the next look.
async fn propose(around: &Arguments, command: Command) -> bool {
    match around.propose(command).await {
        Reply::Outcome(Outcome::Refused { code, message }) => {
            tracing::warn!(code, message, "scaling refused");
            false
        }
        Reply::TryAgain { why } => {
            tracing::warn!(why, "scaling not agreed on yet");
            false
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Hosts;

    fn scaling(provider: Provider, max: u32) -> Scaling {
        let hosts = Hosts {
            provider,
            max,
            gpus: GpuOptions::Simulated(2),
            ..Hosts::default()
        };
        let options = Options {
            hosts,
            ..Options::default()
        };
        Scaling::new(options, ["h1", "h2", "h3"].map(NodeName::from).to_vec())
    }

    fn want(gpus: u32, memory: u64) -> Want {
        Want {
            replicas: 3,
            gpus,
            vram: 0,
            memory,
        }
    }

    #[test]
    fn hosts_are_waited_for_only_where_they_can_come_and_help() {
        let mut state = ControlState::default();
        let helps = |scaling: &Scaling, state: &ControlState, memory: Option<u64>, want| {
            let mut hosts = Host::all(state, &BTreeMap::new(), |_| crate::policy::Standing::Up);
            hosts.iter_mut().for_each(|host| host.memory = memory);
            scaling.could_help(state, &hosts, want)
        };
        assert!(
            !helps(&scaling(Provider::None, 9), &state, None, want(1, 0)),
            "nobody provides any"
        );
        let scaling = scaling(Provider::Process, 4);
        assert!(helps(&scaling, &state, None, want(2, 0)));
        assert!(!helps(&scaling, &state, None, want(3, 0)), "a new host has two GPUs");
        let first = SocketAddr::from(([127, 0, 0, 1], 7_700));
        state.apply(Command::Scale(ScaleCommand::Order {
            count: 1,
            max: scaling.most_ordered(),
            first,
        }));
        assert!(helps(&scaling, &state, None, want(1, 0)), "one is on its way");
        state.apply(Command::RegisterHost {
            host: NodeName::from("auto-1"),
            incarnation: 1,
            gpus: 2,
        });
        assert!(!helps(&scaling, &state, None, want(1, 0)), "the maximum is reached");
        let larger = super::tests::scaling(Provider::Process, 5);
        assert!(helps(&larger, &state, Some(64), want(1, 64)));
        assert!(!helps(&larger, &state, Some(64), want(1, 65)), "its like is too small");
    }

    #[test]
    fn the_limit_follows_what_cells_hold() {
        let scaling = scaling(Provider::None, 9);
        let mut state = ControlState::default();
        for host in ["h1", "h2", "h3"] {
            state.apply(Command::RegisterHost {
                host: NodeName::from(host),
                incarnation: 1,
                gpus: 4,
            });
        }
        for _ in 0..4 {
            state.apply(Command::CreateKernel {
                id: KernelId::random(),
                spec: nbos_kernel::protocol::KernelSpec {
                    gpus: 2,
                    ..Default::default()
                },
                hosts: state.hosts.keys().cloned().collect(),
                at_us: 0,
            });
        }
        assert_eq!(scaling.info(BTreeMap::new()).limit_millis, 7_000);
        let load = HostLoad {
            leased: 4,
            ..HostLoad::default()
        };
        let loads = BTreeMap::from([(NodeName::from("h1"), load)]);
        (0..5).for_each(|_| scaling.sample(&state, &loads));
        assert_eq!(scaling.limit().millis(), 2_000, "eight GPUs wanted, four held");
    }

    #[test]
    fn the_most_that_is_lacking_is_told() {
        let scaling = scaling(Provider::Process, 9);
        scaling.lack(1, 1);
        scaling.lack(3, 1);
        scaling.lack(0, 8);
        assert_eq!(scaling.0.lacking.lock().take(), Some((3, 1)));
        let kernel = KernelId::random();
        assert!(!scaling.has_waited(kernel));
    }
}
