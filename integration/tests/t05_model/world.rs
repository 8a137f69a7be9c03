//! What a state of the model is made of.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use nbos_gpu::LeaseId;
use nbos_gpu::model::{Answer, Ledger};
use nbos_kernel::model::{Entry, Runner, Session, Verdict};

use crate::control::Control;

/// Where a kernel's replicas begin; one host more is a spare.
pub(crate) const REPLICAS: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    pub(crate) kernels: Vec<Kernel>,
    pub(crate) cut: Option<Cut>,
    pub(crate) left: Budget,
}

/// How often each of these may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// A host's node dies, and starts again with an empty memory.
    pub(crate) crashes: u8,
    /// One host is cut off from all others.
    pub(crate) cuts: u8,
    /// A Python process dies in a cell.
    pub(crate) deaths: u8,
    /// A replica moves to the spare host.
    pub(crate) moves: u8,
    /// An entry reaches the log twice.
    pub(crate) repeats: u8,
    /// A ledger's clock runs to its next deadline.
    pub(crate) passes: u8,
    /// Elections that one replica may hold.
    pub(crate) rounds: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Host {
    pub(crate) up: bool,
    pub(crate) incarnation: u64,
    /// The real one.
    pub(crate) ledger: Arc<Ledger>,
    /// Its answers, on their way to the replicas here.
    pub(crate) mail: Vec<Answer>,
    /// A lease of a kernel that the model does not follow.
    pub(crate) foreign: Option<LeaseId>,
}

/// One host cannot be reached, nor reach others. Time is how long it has lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cut {
    pub(crate) host: usize,
    pub(crate) lasts: Lasts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Lasts {
    /// Nobody has noticed.
    Unnoticed,
    /// Some suspect others. Clocks of silence differ by a heartbeat, so this may be before executors fence themselves.
    Suspected,
    /// Longer than `FENCE_SILENCE_US`: who runs a cell without a quorum has ended it; and longer than the pause of a taker over.
    Fenced,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kernel {
    /// What is committed, in order.
    pub(crate) log: Vec<Logged>,
    /// Proposals on their way to the log.
    pub(crate) flight: BTreeSet<Sent>,
    /// Requests and answers between replicas.
    pub(crate) calls: BTreeSet<Call>,
    /// Hosts of the group's voters.
    pub(crate) voters: BTreeSet<usize>,
    /// By host.
    pub(crate) replicas: Vec<Option<Replica>>,
    pub(crate) control: Control,
    pub(crate) moving: Option<Moving>,
    /// How often the code of each cell began.
    pub(crate) began: Vec<u8>,
}

/// A committed entry and what came of it: the session after it follows from those before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) entry: Entry,
    pub(crate) verdict: Verdict,
    pub(crate) before: Arc<Session>,
    pub(crate) after: Arc<Session>,
}

impl Hash for Logged {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entry.hash(state);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sent {
    pub(crate) from: usize,
    pub(crate) entry: Entry,
}

/// Names an election, as `ElectionId` does: the executor's epoch and a number of its own.
pub(crate) type Election = (u64, u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Call {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) what: What,
}

/// The requests of `protocol.rs`, and their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// `ReplicaRequest::Room`
    Room {
        cell: u8,
        election: Election,
    },
    RoomYes {
        election: Election,
    },
    RoomNo {
        election: Election,
    },
    /// `ReplicaRequest::LeaveRoom`
    LeaveRoom {
        election: Election,
    },
    /// `ReplicaRequest::Take` with the cell that GPUs wait for.
    Take {
        cell: u8,
    },
    TakeNo {
        cell: u8,
    },
}

/// A replica in the memory of its process, as `Core` and the shell's `State` have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    /// As in the control state.
    pub(crate) id: u64,
    /// Entries on its disk. This much outlives its process.
    pub(crate) stored: usize,
    pub(crate) applied: usize,
    pub(crate) cell: Option<Cell>,
    pub(crate) offer: Option<Offer>,
    /// `Handover` with a lent cell.
    pub(crate) handover: Option<u8>,
    /// `State::lease`
    pub(crate) lease: Option<LeaseId>,
    /// `State::leasing`: which request it waits for.
    pub(crate) leasing: Option<u8>,
    pub(crate) asked: u8,
    /// The last election it was told to leave.
    pub(crate) gone: Election,
    pub(crate) rounds: u8,
    pub(crate) proposal: Option<Entry>,
    /// `run_after`: it took over from a silent host.
    pub(crate) pauses: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    pub(crate) number: u8,
    pub(crate) phase: Phase,
}

/// `Phase` of `core/cell.rs`, without what concerns pinned variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Leasing,
    Electing {
        election: Election,
        waiting: BTreeSet<usize>,
    },
    Moving,
    Starting,
    Ready {
        seq: u64,
    },
    Running {
        seq: u64,
    },
    /// `Storing` and `Committing`.
    Ending {
        seq: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Offer {
    pub(crate) election: Election,
    pub(crate) cell: u8,
    pub(crate) to: usize,
    pub(crate) held: bool,
}

/// A replica on its way to the spare host; the control state knows how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Moving {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The new one votes in the old one's place.
    pub(crate) votes: bool,
}

impl Kernel {
    /// The session after so many entries.
    pub(crate) fn session(&self, applied: usize) -> Arc<Session> {
        match applied.checked_sub(1) {
            Some(last) => Arc::clone(&self.log[last].after),
            None => Arc::default(),
        }
    }

    /// As the log has it.
    pub(crate) fn newest(&self) -> Arc<Session> {
        self.session(self.log.len())
    }

    pub(crate) fn host_of(&self, runner: Runner) -> Option<usize> {
        self.control.host_of(runner.replica)
    }

    pub(crate) fn all_done(&self) -> bool {
        let newest = self.newest();
        (0..self.began.len()).all(|cell| newest.has_outcome(cell as u8))
    }
}

impl Replica {
    pub(crate) fn runs(&self) -> bool {
        matches!(self.cell.as_ref().map(|cell| &cell.phase), Some(Phase::Running { .. }))
    }

    pub(crate) fn phase(&self) -> Option<&Phase> {
        self.cell.as_ref().map(|cell| &cell.phase)
    }
}

impl World {
    /// Whether messages pass between two hosts now.
    pub(crate) fn connected(&self, a: usize, b: usize) -> bool {
        a == b || !self.cut.is_some_and(|cut| cut.host == a || cut.host == b)
    }

    /// `Core::is_up`: what `host` believes of `other`.
    pub(crate) fn seen_up(&self, host: usize, other: usize) -> bool {
        if self.connected(host, other) {
            return self.hosts[other].up;
        }
        self.cut.is_some_and(|cut| cut.lasts == Lasts::Unnoticed)
    }

    pub(crate) fn runner(&self, kernel: usize, host: usize) -> Option<Runner> {
        let replica = self.kernels[kernel].replicas[host].as_ref()?;
        Some(Runner {
            replica: replica.id,
            incarnation: self.hosts[host].incarnation,
        })
    }

    /// Hosts of voters that can agree now, if they are a majority.
    pub(crate) fn quorum(&self, kernel: usize) -> Option<Vec<usize>> {
        let voters = &self.kernels[kernel].voters;
        self.majority_of(voters)
    }

    pub(crate) fn majority_of(&self, voters: &BTreeSet<usize>) -> Option<Vec<usize>> {
        let apart = self.cut.map(|cut| cut.host);
        let side: Vec<usize> = voters
            .iter()
            .copied()
            .filter(|&host| self.hosts[host].up && Some(host) != apart)
            .collect();
        (side.len() * 2 > voters.len()).then_some(side)
    }

    /// `State::quorum_is_heard`, by the truth.
    pub(crate) fn hears_quorum(&self, kernel: usize, host: usize) -> bool {
        let heard = |other: &&usize| self.hosts[**other].up && self.connected(host, **other);
        let quorums = self.kernels[kernel].control.quorums();
        quorums
            .iter()
            .all(|members| members.iter().filter(heard).count() * 2 > members.len())
    }
}
