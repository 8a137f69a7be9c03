//! Moving a replica from one host to another, as far as the control group agrees on it.
//!
//! A move is written down before it begins and after every step, so that whoever leads next goes on where the last one stopped.
//! Old and new replica both exist until the new one votes and can run cells; only then the old one goes:
//!
//! `Joining` (the new one learns the log) → `Leaving` (it is a member, the old one takes no role any more) → done
//!
//! When the new one is lost, both ways lead back over `Undoing`. Every command names the move and the phase that it continues: of two
//! who act on the same knowledge only the first changes anything.

use nbos_kernel::{KernelId, Member, Membership, Replacement};
use nbos_mesh::NodeName;
use serde::{Deserialize, Serialize};

use crate::state::{ControlState, Duty, KernelRecord, Outcome, Placement, refused};

/// Moves at once in the whole cluster. Each one starts a Python process and ships a log.
const MAX_MOVES: usize = 8;

/// A replica under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub from: Placement,
    /// Under a fresh id, which names the move.
    pub to: Placement,
    pub phase: Phase,
    pub why: Why,
    /// Unix time, microseconds.
    pub began_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// The new replica learns the log, fetches what it lacks and brings its Python process up to date.
    Joining,
    /// Both are members. The old one gives up its role and its vote.
    Leaving,
    /// The new one gives up what it has got.
    Undoing,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Leaving => "leaving",
            Self::Undoing => "undoing",
        }
    }
}

/// Who wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// Somebody asked for it.
    Asked,
    /// Its host is to be empty.
    Drain,
    /// Its host is lost.
    Repair,
    /// A cell waits for GPUs that another host has.
    Room,
    /// Cells are likely to.
    Foresight,
}

impl Why {
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Drain => "drain",
            Self::Repair => "repair",
            Self::Room => "room",
            Self::Foresight => "foresight",
        }
    }
}

/// A move that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// The new replica's id.
    pub replica: u64,
    pub why: String,
}

impl KernelRecord {
    /// Every replica that runs, the one under way included.
    pub fn placements(&self) -> impl Iterator<Item = &Placement> {
        self.replicas.iter().chain(self.moving.iter().map(|moving| &moving.to))
    }

    /// Who belongs to the kernel now. A replica that leaves comes last: it is the executor only when nobody else can be.
    pub fn membership(&self) -> Membership {
        let to_member = |placement: &Placement| Member {
            replica: placement.replica,
            host: placement.host.clone(),
        };
        let leaving = |members: Vec<&Placement>, leaving: &Placement, staying: &Placement| Membership {
            members: members.into_iter().chain([leaving]).map(to_member).collect(),
            change: Some(Replacement {
                leaving: leaving.replica,
                staying: staying.replica,
            }),
        };
        match &self.moving {
            Some(Move {
                from,
                to,
                phase: Phase::Leaving,
                ..
            }) => {
                let new = self.replicas.iter();
                let new = new.map(|placement| if placement == from { to } else { placement });
                leaving(new.collect(), from, to)
            }
            Some(Move {
                from,
                to,
                phase: Phase::Undoing,
                ..
            }) => leaving(self.replicas.iter().collect(), to, from),
            Some(Move {
                phase: Phase::Joining, ..
            })
            | None => Membership {
                members: self.replicas.iter().map(to_member).collect(),
                change: None,
            },
        }
    }
}

impl ControlState {
    pub fn moves(&self) -> impl Iterator<Item = (KernelId, &Move)> {
        let kernels = self.kernels.values();
        kernels.filter_map(|kernel| Some((kernel.id, kernel.moving.as_ref()?)))
    }

    pub(crate) fn begin_move(&mut self, kernel: KernelId, from: u64, to: NodeName, why: Why, began_us: u64) -> Outcome {
        if self.moves().count() >= MAX_MOVES {
            return refused("NB0613", format!("{MAX_MOVES} replicas are moving already"));
        }
        match self.hosts.get(&to) {
            None => return refused("NB0612", format!("host {to} is not registered")),
            Some(host) if host.duty == Duty::Draining => {
                return refused("NB0612", format!("host {to} is being drained"));
            }
            Some(_) => {}
        }
        let Some(record) = self.kernels.get_mut(&kernel) else {
            return refused("NB0603", format!("kernel {kernel} does not exist"));
        };
        if record.moving.is_some() {
            return refused("NB0611", format!("a replica of kernel {kernel} is moving already"));
        }
        if record.replicas.iter().any(|placement| placement.host == to) {
            return refused("NB0612", format!("host {to} already has a replica of kernel {kernel}"));
        }
        let Some(from) = record.replicas.iter().find(|placement| placement.replica == from) else {
            return refused("NB0604", format!("kernel {kernel} has no replica {from}"));
        };
        self.next_replica += 1;
        record.moving = Some(Move {
            from: from.clone(),
            to: Placement {
                replica: self.next_replica,
                host: to,
            },
            phase: Phase::Joining,
            why,
            began_us,
        });
        record.undone = None;
        Outcome::Kernel(Box::new(record.clone()))
    }

    /// The next step of a move; `replica` names it.
    pub(crate) fn advance_move(&mut self, kernel: KernelId, replica: u64, step: Step) -> Outcome {
        let Some(record) = self.kernels.get_mut(&kernel) else {
            return refused("NB0603", format!("kernel {kernel} does not exist"));
        };
        let current = record.moving.as_mut().filter(|moving| moving.to.replica == replica);
        let Some(moving) = current else {
            return refused("NB0614", format!("replica {replica} of kernel {kernel} is not moving"));
        };
        match (moving.phase, step) {
            (Phase::Joining, Step::Leave) => moving.phase = Phase::Leaving,
            (Phase::Joining | Phase::Leaving, Step::Undo { why }) => {
                moving.phase = Phase::Undoing;
                record.undone = Some(Undone { replica, why });
            }
            (Phase::Leaving, Step::Finish) => {
                let slot = record.replicas.iter_mut().find(|placement| **placement == moving.from);
                if let Some(slot) = slot {
                    slot.clone_from(&moving.to);
                }
                record.moving = None;
            }
            (Phase::Undoing, Step::Finish) => record.moving = None,
            (Phase::Joining, Step::Finish)
            | (Phase::Leaving | Phase::Undoing, Step::Leave)
            | (Phase::Undoing, Step::Undo { .. }) => {
                return refused(
                    "NB0614",
                    format!("replica {replica} of kernel {kernel} is not at that step"),
                );
            }
        }
        Outcome::Done
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The new replica has everything and its process runs.
    Leave,
    /// The new replica is lost, or it took too long.
    Undo { why: String },
    /// The group consists of those that stay.
    Finish,
}

#[cfg(test)]
#[path = "moves_tests.rs"]
mod tests;
