//! The model: where it begins, what can happen next, what must be true.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nbos_gpu::model::Ledger;
use nbos_gpu::{LeaseRequest, Terms};
use nbos_kernel::model::Session;
use stateright::{Model, Property};

use crate::act::{Act, MoveStep};
use crate::bug::Bug;
use crate::control::Control;
use crate::properties::properties;
use crate::world::{Budget, Call, Host, Kernel, Lasts, Phase, REPLICAS, Replica, Sent, What, World};

/// Of a kernel, on three hosts with one GPU each and a spare one.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// The last one is spare if there are more than replicas.
    pub(crate) hosts: usize,
    pub(crate) kernels: usize,
    /// One GPU each.
    pub(crate) cells: usize,
    /// Hosts whose GPU somebody else has at first.
    pub(crate) taken: &'static [usize],
    pub(crate) budget: Budget,
    pub(crate) bug: Bug,
    /// Where it begins, if not at the beginning.
    pub(crate) from: Vec<World>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Begin {
        kernel: usize,
        host: usize,
        cell: u8,
    },
    Granted {
        host: usize,
    },
    Deliver {
        kernel: usize,
        call: Call,
    },
    /// The link is reset under it.
    Break {
        kernel: usize,
        call: Call,
    },
    OfferEnds {
        kernel: usize,
        host: usize,
    },
    TakeRole {
        kernel: usize,
        host: usize,
    },
    Settle {
        kernel: usize,
        host: usize,
    },
    GiveUpMove {
        kernel: usize,
        host: usize,
        cell: u8,
    },
    Commit {
        kernel: usize,
        sent: Sent,
    },
    /// It was proposed twice.
    CommitAndRepeat {
        kernel: usize,
        sent: Sent,
    },
    /// Its proposer died before the leader heard it.
    Forget {
        kernel: usize,
        sent: Sent,
    },
    Apply {
        kernel: usize,
        host: usize,
    },
    Run {
        kernel: usize,
        host: usize,
    },
    End {
        kernel: usize,
        host: usize,
    },
    PythonDies {
        kernel: usize,
        host: usize,
    },
    Fence {
        kernel: usize,
        host: usize,
    },
    TakeOver {
        kernel: usize,
        host: usize,
    },
    Crash {
        host: usize,
    },
    Restart {
        host: usize,
    },
    Cut {
        host: usize,
    },
    Lasts {
        lasts: Lasts,
    },
    Heal,
    Pass {
        host: usize,
    },
    OthersEnd {
        host: usize,
    },
    Learn {
        kernel: usize,
        from: usize,
        to: usize,
    },
    Move {
        kernel: usize,
        step: MoveStep,
    },
}

impl Action {
    /// What need not happen: a world in which only this can happen stands still.
    pub(crate) fn is_chance(&self) -> bool {
        match self {
            Self::PythonDies { .. }
            | Self::Crash { .. }
            | Self::Cut { .. }
            | Self::Pass { .. }
            | Self::Learn { .. }
            | Self::CommitAndRepeat { .. } => true,
            Self::Begin { .. }
            | Self::Granted { .. }
            | Self::Deliver { .. }
            | Self::Break { .. }
            | Self::OfferEnds { .. }
            | Self::TakeRole { .. }
            | Self::Settle { .. }
            | Self::GiveUpMove { .. }
            | Self::Commit { .. }
            | Self::Forget { .. }
            | Self::Apply { .. }
            | Self::Run { .. }
            | Self::End { .. }
            | Self::Fence { .. }
            | Self::TakeOver { .. }
            | Self::Restart { .. }
            | Self::Lasts { .. }
            | Self::Heal
            | Self::OthersEnd { .. }
            | Self::Move { .. } => false,
        }
    }
}

impl Cluster {
    /// A step that nothing else can make a difference to, done first: it halves the orders to look at. Answers within a host; a
    /// refusal; what a connected replica reads that does nothing and offers nothing.
    fn urgent(&self, world: &World) -> Option<Action> {
        let up = |host: &usize| world.hosts[*host].up;
        if let Some(host) = (0..world.hosts.len())
            .filter(up)
            .find(|&host| !world.hosts[host].mail.is_empty())
        {
            return Some(Action::Granted { host });
        }
        for (kernel, its) in world.kernels.iter().enumerate() {
            let refusal = its.calls.iter().find(|call| {
                let refuses = matches!(call.what, What::RoomNo { .. });
                refuses && world.hosts[call.to].up && world.connected(call.from, call.to)
            });
            if let Some(&call) = refusal {
                return Some(Action::Deliver { kernel, call });
            }
            let Some(side) = world.quorum(kernel) else {
                continue;
            };
            let idle = |host: &usize| {
                let replica = its.replicas[*host].as_ref();
                replica.is_some_and(|it| {
                    let nothing = it.cell.is_none() && it.offer.is_none() && it.handover.is_none();
                    nothing && it.proposal.is_none() && it.applied < its.log.len()
                })
            };
            let reads = side.into_iter().find(idle);
            if let Some(host) = reads {
                return Some(Action::Apply { kernel, host });
            }
        }
        None
    }

    fn of_host(&self, world: &World, host: usize, actions: &mut Vec<Action>) {
        let it = &world.hosts[host];
        if !it.up {
            return actions.push(Action::Restart { host });
        }
        if world.left.crashes > 0 {
            actions.push(Action::Crash { host });
        }
        if world.left.cuts > 0 && world.cut.is_none() {
            actions.push(Action::Cut { host });
        }
        if it.foreign.is_some() {
            actions.push(Action::OthersEnd { host });
        }
        let offers = world
            .kernels
            .iter()
            .filter_map(|kernel| kernel.replicas[host].as_ref()?.offer);
        if world.left.passes > 0 && offers.into_iter().any(|offer| offer.held) {
            actions.push(Action::Pass { host });
        }
    }

    fn of_cut(&self, world: &World, actions: &mut Vec<Action>) {
        let Some(cut) = world.cut else {
            return;
        };
        actions.push(Action::Heal);
        match cut.lasts {
            Lasts::Unnoticed => actions.push(Action::Lasts {
                lasts: Lasts::Suspected,
            }),
            Lasts::Suspected => {
                // Who has no quorum ends its cell before so much time has passed: its tick sees to that.
                let runs_alone = |kernel: usize, host: usize| {
                    let replica = world.kernels[kernel].replicas[host].as_ref();
                    replica.is_some_and(Replica::runs) && !world.hears_quorum(kernel, host)
                };
                let mut pairs = self.pairs(world);
                if self.bug == Bug::NoFence || !pairs.any(|(kernel, host)| runs_alone(kernel, host)) {
                    actions.push(Action::Lasts { lasts: Lasts::Fenced });
                }
            }
            Lasts::Fenced => {}
        }
    }

    fn pairs(&self, world: &World) -> impl Iterator<Item = (usize, usize)> {
        let hosts = world.hosts.len();
        (0..world.kernels.len()).flat_map(move |kernel| (0..hosts).map(move |host| (kernel, host)))
    }

    fn of_kernel(&self, world: &World, kernel: usize, actions: &mut Vec<Action>) {
        let its = &world.kernels[kernel];
        for &call in &its.calls {
            if world.connected(call.from, call.to) {
                if world.hosts[call.to].up {
                    actions.push(Action::Deliver { kernel, call });
                }
            } else if world.cut.is_some_and(|cut| cut.lasts > Lasts::Unnoticed) {
                actions.push(Action::Break { kernel, call });
            }
        }
        let quorum = world.quorum(kernel);
        for &sent in &its.flight {
            let isolated = world.cut.is_some_and(|cut| cut.host == sent.from);
            if quorum.is_some() && !isolated {
                actions.push(Action::Commit { kernel, sent });
                if world.left.repeats > 0 {
                    actions.push(Action::CommitAndRepeat { kernel, sent });
                }
            }
            let replica = its.replicas[sent.from].as_ref();
            if replica.is_none_or(|replica| replica.proposal != Some(sent.entry)) {
                actions.push(Action::Forget { kernel, sent });
            }
        }
        self.of_move(world, kernel, actions);
    }

    fn of_replica(&self, world: &World, kernel: usize, host: usize, actions: &mut Vec<Action>) {
        let its = &world.kernels[kernel];
        let Some(replica) = its.replicas[host].as_ref().filter(|_| world.hosts[host].up) else {
            return;
        };
        let reached = match world.quorum(kernel) {
            Some(side) if side.iter().any(|&other| world.connected(host, other)) => its.log.len(),
            _ => replica.stored,
        };
        if replica.applied < reached {
            actions.push(Action::Apply { kernel, host });
        }
        if replica.offer.is_some_and(|offer| offer.held) {
            actions.push(Action::OfferEnds { kernel, host });
        }
        let session = its.session(replica.applied);
        let executor = session.executor() == world.runner(kernel, host);
        if replica.handover.is_some() && (executor || session.running().is_some()) {
            actions.push(Action::Settle { kernel, host });
        }
        match replica.cell.as_ref().map(|cell| (&cell.phase, cell.number)) {
            Some((Phase::Ready { seq }, _)) if session.running() == Some(*seq) => {
                if self.may_run(world, kernel, host) {
                    actions.push(Action::Run { kernel, host });
                }
            }
            Some((Phase::Running { .. }, _)) => {
                actions.push(Action::End { kernel, host });
                if world.left.deaths > 0 {
                    actions.push(Action::PythonDies { kernel, host });
                }
                if !world.hears_quorum(kernel, host) && self.bug != Bug::NoFence {
                    actions.push(Action::Fence { kernel, host });
                }
            }
            // Its deadline is above those of the call and of the hand-over.
            Some((Phase::Moving, cell)) => {
                let asked = |call: &Call| matches!(call.what, What::Take { .. } | What::TakeNo { .. });
                let taken = its.replicas.iter().flatten().any(|other| other.handover.is_some());
                if !taken && !its.calls.iter().any(asked) {
                    actions.push(Action::GiveUpMove { kernel, host, cell });
                }
            }
            Some(_) => {}
            None => self.of_free_replica(world, kernel, host, &session, actions),
        }
    }

    /// One without a cell.
    fn of_free_replica(&self, world: &World, kernel: usize, host: usize, session: &Session, actions: &mut Vec<Action>) {
        let its = &world.kernels[kernel];
        let Some(replica) = its.replicas[host].as_ref().filter(|replica| replica.proposal.is_none()) else {
            return;
        };
        let me = world.runner(kernel, host);
        let executor = session.executor();
        let idle = session.running().is_none();
        if replica.handover.is_some() && idle && executor != me {
            actions.push(Action::TakeRole { kernel, host });
        }
        let waiting = (0..self.cells as u8).find(|&cell| !session.has_outcome(cell));
        // `Core::acting`
        let old = executor.and_then(|executor| Some((its.host_of(executor)?, executor)));
        let there = old.is_some_and(|(at, executor)| {
            world.seen_up(host, at)
                && world.hosts[at].incarnation == executor.incarnation
                && executor != me.unwrap_or(executor)
        });
        let lost = old.map(|(at, _)| at);
        let members = || its.control.hosts();
        let ordered = members()
            .filter(|&at| Some(at) != lost)
            .chain(members().filter(|&at| Some(at) == lost));
        let first = ordered.into_iter().find(|&at| at == host || world.seen_up(host, at)) == Some(host);
        if executor == me || (executor.is_none() && first) {
            if !idle {
                actions.push(Action::TakeOver { kernel, host });
            } else if let Some(cell) = waiting {
                actions.push(Action::Begin { kernel, host, cell });
            }
        } else if !there && first && executor.is_some() && (waiting.is_some() || !idle) {
            actions.push(Action::TakeOver { kernel, host });
        }
    }

    /// `run_after`. While the other side is silent, it has ended its cell by then; when it is heard again, it has read what was
    /// committed since.
    fn may_run(&self, world: &World, kernel: usize, host: usize) -> bool {
        let its = &world.kernels[kernel];
        let Some(replica) = its.replicas[host].as_ref().filter(|replica| replica.pauses) else {
            return true;
        };
        if self.bug == Bug::NoPause {
            return true;
        }
        let changed = |index: &usize| its.log[*index].before.executor() != its.log[*index].after.executor();
        let took_over = (0..replica.applied).rev().find(changed).map_or(0, |index| index + 1);
        let others = (0..world.hosts.len()).filter(|&other| other != host && world.hosts[other].up);
        let mut others = others.filter_map(|other| Some((other, its.replicas[other].as_ref()?)));
        others.all(|(other, it)| {
            if world.connected(host, other) {
                it.applied >= took_over || !it.runs()
            } else {
                world.cut.is_some_and(|cut| cut.lasts == Lasts::Fenced)
            }
        })
    }
}

impl Model for Cluster {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        if !self.from.is_empty() {
            return self.from.clone();
        }
        let host = |number: usize| {
            let mut ledger = Ledger::new(1);
            let foreign = self.taken.contains(&number).then(|| {
                let request = LeaseRequest {
                    holder: "others".to_owned(),
                    user: "others".to_owned(),
                    epoch: 0,
                    count: 1,
                    memory: 0,
                    within: Duration::ZERO,
                    terms: Terms::Firm,
                };
                ledger
                    .request(0, request)
                    .remove(0)
                    .lease
                    .expect("its only device is free")
            });
            Host {
                up: true,
                incarnation: 0,
                ledger: Arc::new(ledger),
                mail: Vec::new(),
                foreign,
            }
        };
        let control = Control::new(self.hosts);
        let replica = |host: usize| {
            let (id, _) = *control.members().get(host)?;
            Some(Replica {
                id,
                ..Replica::default()
            })
        };
        let kernel = Kernel {
            log: Vec::new(),
            flight: BTreeSet::new(),
            calls: BTreeSet::new(),
            voters: (0..REPLICAS).collect(),
            replicas: (0..self.hosts).map(replica).collect(),
            control: control.clone(),
            moving: None,
            began: vec![0; self.cells],
        };
        vec![World {
            hosts: (0..self.hosts).map(host).collect(),
            kernels: vec![kernel; self.kernels],
            cut: None,
            left: self.budget,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if let Some(urgent) = self.urgent(world) {
            return actions.push(urgent);
        }
        for host in 0..world.hosts.len() {
            self.of_host(world, host, actions);
        }
        self.of_cut(world, actions);
        for kernel in 0..world.kernels.len() {
            self.of_kernel(world, kernel, actions);
        }
        for (kernel, host) in self.pairs(world) {
            self.of_replica(world, kernel, host, actions);
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        let mut act = Act {
            world: &mut world,
            bug: self.bug,
        };
        match action {
            Action::Begin { kernel, host, cell } => act.begin(kernel, host, cell),
            Action::Granted { host } => act.granted(host),
            Action::Deliver { kernel, call } => act.deliver(kernel, call),
            Action::Break { kernel, call } => act.refuse(kernel, call),
            Action::OfferEnds { kernel, host } => act.withdraw_offer(kernel, host),
            Action::TakeRole { kernel, host } => act.take_role(kernel, host),
            Action::Settle { kernel, host } => act.settle(kernel, host),
            Action::GiveUpMove { kernel, host, cell } => act.not_moved(kernel, host, cell),
            Action::Commit { kernel, sent } => {
                act.commit(kernel, sent);
                world.kernels[kernel].flight.remove(&sent);
            }
            Action::CommitAndRepeat { kernel, sent } => {
                act.commit(kernel, sent);
                world.left.repeats -= 1;
            }
            Action::Forget { kernel, sent } => {
                world.kernels[kernel].flight.remove(&sent);
            }
            Action::Apply { kernel, host } => act.apply(kernel, host),
            Action::Run { kernel, host } => act.run(kernel, host),
            Action::End { kernel, host } => act.end(kernel, host),
            Action::PythonDies { kernel, host } => {
                act.cut_cell(kernel, host);
                world.left.deaths -= 1;
            }
            Action::Fence { kernel, host } => act.cut_cell(kernel, host),
            Action::TakeOver { kernel, host } => act.take_over(kernel, host),
            Action::Crash { host } => {
                act.crash(host);
                world.left.crashes -= 1;
            }
            Action::Restart { host } => act.restart(host),
            Action::Cut { host } => {
                act.cut(host);
                world.left.cuts -= 1;
            }
            Action::Lasts { lasts } => {
                if let Some(cut) = world.cut.as_mut() {
                    cut.lasts = lasts;
                }
            }
            Action::Heal => world.cut = None,
            Action::Pass { host } => {
                act.pass(host);
                world.left.passes -= 1;
            }
            Action::OthersEnd { host } => act.others_end(host),
            Action::Learn { kernel, from, to } => {
                act.learn(kernel, from, to);
                world.left.moves -= 1;
            }
            Action::Move { kernel, step } => act.advance_move(kernel, step),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties()
    }
}
