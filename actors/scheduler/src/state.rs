//! The control group's state machine: which hosts there are, which kernels, and where their replicas live.
//!
//! Pure: commands come from the control log in the same order on every control node.

use std::collections::{BTreeMap, BTreeSet};

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_mesh::NodeName;
use serde::{Deserialize, Serialize};

use crate::moves::{Move, Step, Undone, Why};
use crate::scaled::{ScaleCommand, ScaledHosts};

/// Everything the control group agrees on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlState {
    /// Raised by every command that changed something; watchers compare it.
    pub version: u64,
    pub hosts: BTreeMap<NodeName, HostRecord>,
    pub kernels: BTreeMap<KernelId, KernelRecord>,
    /// Jupyter sessions (`/api/sessions`) by id.
    pub sessions: BTreeMap<String, SessionRecord>,
    /// Hosts that scaling ordered.
    pub scaled: ScaledHosts,
    /// Next replica id to give out; never reused, so a wiped replica can never pass for its predecessor.
    pub(crate) next_replica: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Boot id of the process that registered last.
    pub incarnation: u64,
    /// Devices of this host.
    pub gpus: u32,
    pub duty: Duty,
}

/// Whether a host takes replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Duty {
    #[default]
    Serving,
    /// Nothing new goes there, and what is there moves away.
    Draining,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelRecord {
    pub id: KernelId,
    pub spec: KernelSpec,
    /// In order of preference as executor; distinct hosts (invariant 1).
    pub replicas: Vec<Placement>,
    /// The replicas that formed the group when the kernel was created; a host that has none of its log starts from these.
    pub founders: Vec<Placement>,
    /// Unix time, microseconds, of creation.
    pub created_us: u64,
    /// A replica on its way to another host.
    pub moving: Option<Move>,
    /// The last move, when it came to nothing.
    pub undone: Option<Undone>,
}

/// One replica on one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placement {
    pub replica: u64,
    pub host: NodeName,
}

/// A Jupyter session: a notebook path bound to a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    pub id: String,
    pub path: String,
    pub name: String,
    /// `notebook`, `console`, …: the client's word.
    pub kind: String,
    pub kernel: KernelId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    RegisterHost {
        host: NodeName,
        incarnation: u64,
        gpus: u32,
    },
    CreateKernel {
        id: KernelId,
        spec: KernelSpec,
        hosts: Vec<NodeName>,
        at_us: u64,
    },
    DeleteKernel {
        id: KernelId,
    },
    /// A replica is to live on another host, under a fresh id.
    BeginMove {
        kernel: KernelId,
        from: u64,
        to: NodeName,
        why: Why,
        at_us: u64,
    },
    /// `replica` is the new one's id.
    AdvanceMove {
        kernel: KernelId,
        replica: u64,
        step: Step,
    },
    SetDuty {
        host: NodeName,
        duty: Duty,
    },
    PutSession {
        session: SessionRecord,
    },
    DeleteSession {
        id: String,
    },
    /// Orders, starts and ends hosts.
    Scale(ScaleCommand),
}

/// What a command did. A repeated command answers as the first one did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Done,
    Kernel(Box<KernelRecord>),
    Refused { code: String, message: String },
}

impl ControlState {
    /// Applies one committed command.
    pub fn apply(&mut self, command: Command) -> Outcome {
        let before = self.version;
        self.version = before + 1;
        let outcome = match command {
            Command::RegisterHost {
                host,
                incarnation,
                gpus,
            } => self.register_host(host, incarnation, gpus),
            Command::CreateKernel { id, spec, hosts, at_us } => self.create_kernel(id, spec, hosts, at_us),
            Command::DeleteKernel { id } => self.delete_kernel(id),
            Command::BeginMove {
                kernel,
                from,
                to,
                why,
                at_us,
            } => self.begin_move(kernel, from, to, why, at_us),
            Command::AdvanceMove { kernel, replica, step } => self.advance_move(kernel, replica, step),
            Command::SetDuty { host, duty } => self.set_duty(host, duty),
            Command::PutSession { session } => self.put_session(session),
            Command::DeleteSession { id } => self.delete_session(&id),
            Command::Scale(command) => self.scale(command),
        };
        if matches!(outcome, Outcome::Refused { .. }) {
            self.version = before;
        }
        debug_assert!(
            self.replicas_on_distinct_hosts(),
            "invariant 1: replicas of a kernel are on distinct hosts"
        );
        outcome
    }

    /// Replicas placed on each registered host, those on their way to it or from it included.
    pub fn replicas_by_host(&self) -> BTreeMap<&NodeName, usize> {
        let mut counts: BTreeMap<&NodeName, usize> = self.hosts.keys().map(|host| (host, 0)).collect();
        for placement in self.kernels.values().flat_map(KernelRecord::placements) {
            *counts.entry(&placement.host).or_default() += 1;
        }
        counts
    }

    /// Invariant 1.
    pub fn replicas_on_distinct_hosts(&self) -> bool {
        self.kernels.values().all(|kernel| {
            let hosts: BTreeSet<&NodeName> = kernel.placements().map(|placement| &placement.host).collect();
            hosts.len() == kernel.placements().count()
        })
    }

    fn register_host(&mut self, host: NodeName, incarnation: u64, gpus: u32) -> Outcome {
        if self.scaled.retires(&host) {
            return refused("NB0624", format!("host {host} is being removed"));
        }
        // A host that is being drained stays so when its process starts anew.
        let duty = self.hosts.get(&host).map_or(Duty::Serving, |before| before.duty);
        let record = HostRecord {
            incarnation,
            gpus,
            duty,
        };
        self.hosts.insert(host, record);
        Outcome::Done
    }

    fn create_kernel(&mut self, id: KernelId, spec: KernelSpec, hosts: Vec<NodeName>, at_us: u64) -> Outcome {
        if let Some(existing) = self.kernels.get(&id) {
            return Outcome::Kernel(Box::new(existing.clone()));
        }
        let distinct: BTreeSet<&NodeName> = hosts.iter().collect();
        if hosts.is_empty() || distinct.len() != hosts.len() {
            return refused("NB0602", "a kernel needs distinct hosts".to_owned());
        }
        if let Some(unknown) = hosts.iter().find(|host| !self.hosts.contains_key(*host)) {
            return refused("NB0602", format!("host {unknown} is not registered"));
        }
        let replicas: Vec<Placement> = hosts
            .into_iter()
            .map(|host| {
                self.next_replica += 1;
                Placement {
                    replica: self.next_replica,
                    host,
                }
            })
            .collect();
        let record = KernelRecord {
            id,
            spec,
            founders: replicas.clone(),
            replicas,
            created_us: at_us,
            moving: None,
            undone: None,
        };
        self.kernels.insert(id, record.clone());
        Outcome::Kernel(Box::new(record))
    }

    fn delete_kernel(&mut self, id: KernelId) -> Outcome {
        self.sessions.retain(|_, session| session.kernel != id);
        match self.kernels.remove(&id) {
            Some(_) => Outcome::Done,
            None => refused("NB0603", format!("kernel {id} does not exist")),
        }
    }

    fn set_duty(&mut self, host: NodeName, duty: Duty) -> Outcome {
        match self.hosts.get_mut(&host) {
            Some(record) => {
                record.duty = duty;
                Outcome::Done
            }
            None => refused("NB0615", format!("host {host} is not registered")),
        }
    }

    fn put_session(&mut self, session: SessionRecord) -> Outcome {
        if !self.kernels.contains_key(&session.kernel) {
            return refused("NB0603", format!("kernel {} does not exist", session.kernel));
        }
        self.sessions.insert(session.id.clone(), session);
        Outcome::Done
    }

    fn delete_session(&mut self, id: &str) -> Outcome {
        match self.sessions.remove(id) {
            Some(_) => Outcome::Done,
            None => refused("NB0605", format!("session {id} does not exist")),
        }
    }
}

pub(crate) fn refused(code: &str, message: String) -> Outcome {
    Outcome::Refused {
        code: code.to_owned(),
        message,
    }
}
