//! Moves of a replica to the spare host: `Mover` of the scheduler, step by step, and what replicas do about it.

use std::collections::BTreeSet;

use nbos_kernel::model::Entry;
use nbos_scheduler::{Phase as MovePhase, Step};

use super::Act;
use crate::bug::Bug;
use crate::cluster::{Action, Cluster};
use crate::world::{Kernel, Moving, REPLICAS, Replica, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoveStep {
    /// The new replica has the log: both are members, the old one takes no role any more.
    Include,
    /// The old one is the executor: the new one is asked to take its role.
    HandOver,
    /// The change of voters is committed.
    Vote,
    /// What is not to stay ends, and the control state says so.
    Finish,
    /// The new replica's host is lost.
    Undo,
    /// The old one votes again.
    VoteBack,
}

impl Replica {
    /// `Core::is_retired`, of one that leaves and is not the executor.
    fn is_idle(&self) -> bool {
        self.cell.is_none() && self.proposal.is_none() && self.offer.is_none() && self.handover.is_none()
    }
}

impl Cluster {
    /// What a move can do next.
    pub(crate) fn of_move(&self, world: &World, kernel: usize, actions: &mut Vec<Action>) {
        let its = &world.kernels[kernel];
        let Some(moving) = its.moving else {
            if world.left.moves > 0 && world.hosts[REPLICAS].up {
                let to = REPLICAS;
                // The preferred executor, or a standby.
                actions.extend([0, 1].map(|from| Action::Learn { kernel, from, to }));
            }
            return;
        };
        if self.bug == Bug::OldLeavesEarly {
            let step = MoveStep::Finish;
            actions.push(Action::Move { kernel, step });
        }
        let steps = match its.control.phase() {
            Some(MovePhase::Joining) => joining(world, its, moving),
            Some(MovePhase::Leaving) => leaving(world, kernel, moving),
            Some(MovePhase::Undoing) => undoing(world, kernel, moving),
            None => Vec::new(),
        };
        actions.extend(steps.into_iter().map(|step| Action::Move { kernel, step }));
    }
}

/// `Mover::join`
fn joining(world: &World, its: &Kernel, moving: Moving) -> Vec<MoveStep> {
    if !world.hosts[moving.to].up {
        return vec![MoveStep::Undo];
    }
    let new = its.replicas[moving.to].as_ref();
    let caught_up = new.is_some_and(|new| new.stored == its.log.len());
    caught_up.then_some(MoveStep::Include).into_iter().collect()
}

/// `Mover::leave`
fn leaving(world: &World, kernel: usize, moving: Moving) -> Vec<MoveStep> {
    let mut steps = Vec::new();
    if moving.votes {
        steps.push(MoveStep::Finish);
    } else if gone(world, kernel, moving.from) {
        steps.extend(may_change(world, kernel, moving.from, moving.to).then_some(MoveStep::Vote));
    } else if may_take_role(world, kernel, moving.to) {
        steps.push(MoveStep::HandOver);
    }
    if !world.hosts[moving.to].up && !moving.votes {
        steps.push(MoveStep::Undo);
    }
    steps
}

/// `Mover::undo`
fn undoing(world: &World, kernel: usize, moving: Moving) -> Vec<MoveStep> {
    let step = if !gone(world, kernel, moving.to) {
        may_take_role(world, kernel, moving.from).then_some(MoveStep::HandOver)
    } else if moving.votes {
        may_change(world, kernel, moving.to, moving.from).then_some(MoveStep::VoteBack)
    } else {
        Some(MoveStep::Finish)
    };
    step.into_iter().collect()
}

/// Its host is down, or it has retired: `Mover` may change the voters without it.
fn gone(world: &World, kernel: usize, host: usize) -> bool {
    let its = &world.kernels[kernel];
    let Some(replica) = its.replicas[host].as_ref().filter(|_| world.hosts[host].up) else {
        return true;
    };
    let executor = its.session(replica.applied).executor();
    replica.is_idle() && executor.is_none_or(|executor| executor.replica != replica.id)
}

/// A change of voters is committed by a majority of those before and of those after it, who then have all that is in the log.
fn may_change(world: &World, kernel: usize, out: usize, into: usize) -> bool {
    let its = &world.kernels[kernel];
    let mut after: BTreeSet<usize> = its.voters.clone();
    after.remove(&out);
    after.insert(into);
    let full = |side: Option<Vec<usize>>| {
        let has_all = |host: usize| {
            let replica = its.replicas[host].as_ref();
            replica.is_some_and(|replica| replica.stored == its.log.len())
        };
        side.is_some_and(|side| side.into_iter().filter(|&host| has_all(host)).count() * 2 > REPLICAS)
    };
    world.quorum(kernel).is_some() && full(world.majority_of(&after))
}

/// `Core::handover` without a cell: the role passes between cells.
fn may_take_role(world: &World, kernel: usize, host: usize) -> bool {
    let its = &world.kernels[kernel];
    let replica = its.replicas[host].as_ref().filter(|_| world.hosts[host].up);
    replica.is_some_and(|replica| {
        let session = its.session(replica.applied);
        let other = session
            .executor()
            .is_some_and(|executor| executor.replica != replica.id);
        other && session.running().is_none() && replica.is_idle()
    })
}

impl Act<'_> {
    /// A new replica begins on the spare host, as a learner.
    pub(crate) fn learn(&mut self, kernel: usize, from: usize, to: usize) {
        let kernel = &mut self.world.kernels[kernel];
        let id = kernel.control.begin_move(from, to);
        kernel.replicas[to] = Some(Replica {
            id: id.expect("a spare host takes a replica"),
            ..Replica::default()
        });
        let votes = false;
        kernel.moving = Some(Moving { from, to, votes });
    }

    pub(crate) fn advance_move(&mut self, kernel: usize, step: MoveStep) {
        let Some(moving) = self.world.kernels[kernel].moving else {
            return;
        };
        let undoing = self.world.kernels[kernel].control.phase() == Some(MovePhase::Undoing);
        let (stays, goes) = if undoing {
            (moving.from, moving.to)
        } else {
            (moving.to, moving.from)
        };
        match step {
            MoveStep::Include => self.change_membership(kernel, Step::Leave),
            MoveStep::Undo => self.change_membership(kernel, Step::Undo { why: String::new() }),
            MoveStep::HandOver => {
                let (by, epoch) = (self.me(kernel, stays), self.session(kernel, stays).epoch() + 1);
                self.propose(kernel, stays, Entry::ExecutorChanged { by, epoch });
            }
            MoveStep::Vote => self.exchange_votes(kernel, goes, stays, true),
            MoveStep::VoteBack => self.exchange_votes(kernel, goes, stays, false),
            MoveStep::Finish => {
                if self.world.kernels[kernel].control.phase() == Some(MovePhase::Joining) {
                    self.change_membership(kernel, Step::Leave);
                }
                if !undoing && !moving.votes {
                    self.exchange_votes(kernel, goes, stays, true);
                }
                self.finish(kernel, goes);
            }
        }
    }

    /// `Core::set_membership`
    fn change_membership(&mut self, kernel: usize, step: Step) {
        let its = &mut self.world.kernels[kernel];
        its.control.advance_move(step);
        let leaving = its.control.leaving();
        let runs = |host: &usize| self.world.hosts[*host].up && self.world.kernels[kernel].replicas[*host].is_some();
        if let Some(host) = leaving.filter(runs) {
            self.withdraw_offer(kernel, host);
            self.settle(kernel, host);
        }
    }

    fn exchange_votes(&mut self, kernel: usize, out: usize, into: usize, votes: bool) {
        let its = &mut self.world.kernels[kernel];
        its.voters.remove(&out);
        its.voters.insert(into);
        its.moving = its.moving.map(|moving| Moving { votes, ..moving });
    }

    /// `ControlState::apply`, `plan`, the actor's `post_stop`.
    fn finish(&mut self, kernel: usize, goes: usize) {
        if self.world.kernels[kernel].replicas[goes].is_some() {
            self.withdraw_offer(kernel, goes);
            self.leave_line(kernel, goes);
            self.release(kernel, goes);
        }
        let its = &mut self.world.kernels[kernel];
        its.replicas[goes] = None;
        its.control.advance_move(Step::Finish);
        its.moving = None;
    }
}
