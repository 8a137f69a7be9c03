//! The control group's state machine: which hosts there are, which kernels, and where their replicas live.
//!
//! Pure: commands come from the control log in the same order on every control node.

use std::collections::{BTreeMap, BTreeSet};

use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_mesh::NodeName;
use serde::{Deserialize, Serialize};

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
    next_replica: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Boot id of the process that registered last.
    pub incarnation: u64,
    /// Devices of this host.
    pub gpus: u32,
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
    /// Names `host` as the new home of a lost replica; the replica there joins the group under a fresh id.
    ReplaceReplica {
        kernel: KernelId,
        lost: u64,
        host: NodeName,
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
    Kernel(KernelRecord),
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
            Command::ReplaceReplica { kernel, lost, host } => self.replace_replica(kernel, lost, host),
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

    /// Replicas placed on each registered host.
    pub fn replicas_by_host(&self) -> BTreeMap<&NodeName, usize> {
        let mut counts: BTreeMap<&NodeName, usize> = self.hosts.keys().map(|host| (host, 0)).collect();
        for placement in self.kernels.values().flat_map(|kernel| &kernel.replicas) {
            *counts.entry(&placement.host).or_default() += 1;
        }
        counts
    }

    /// Invariant 1.
    pub fn replicas_on_distinct_hosts(&self) -> bool {
        self.kernels.values().all(|kernel| {
            let hosts: BTreeSet<&NodeName> = kernel.replicas.iter().map(|placement| &placement.host).collect();
            hosts.len() == kernel.replicas.len()
        })
    }

    fn register_host(&mut self, host: NodeName, incarnation: u64, gpus: u32) -> Outcome {
        if self.scaled.retires(&host) {
            return refused("NB0624", format!("host {host} is being removed"));
        }
        self.hosts.insert(host, HostRecord { incarnation, gpus });
        Outcome::Done
    }

    fn create_kernel(&mut self, id: KernelId, spec: KernelSpec, hosts: Vec<NodeName>, at_us: u64) -> Outcome {
        if let Some(existing) = self.kernels.get(&id) {
            return Outcome::Kernel(existing.clone());
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
        };
        self.kernels.insert(id, record.clone());
        Outcome::Kernel(record)
    }

    fn delete_kernel(&mut self, id: KernelId) -> Outcome {
        self.sessions.retain(|_, session| session.kernel != id);
        match self.kernels.remove(&id) {
            Some(_) => Outcome::Done,
            None => refused("NB0603", format!("kernel {id} does not exist")),
        }
    }

    fn replace_replica(&mut self, kernel: KernelId, lost: u64, host: NodeName) -> Outcome {
        if !self.hosts.contains_key(&host) {
            return refused("NB0602", format!("host {host} is not registered"));
        }
        let Some(record) = self.kernels.get_mut(&kernel) else {
            return refused("NB0603", format!("kernel {kernel} does not exist"));
        };
        if record
            .replicas
            .iter()
            .any(|placement| placement.host == host && placement.replica != lost)
        {
            return refused(
                "NB0602",
                format!("host {host} already has a replica of kernel {kernel}"),
            );
        }
        let Some(slot) = record.replicas.iter_mut().find(|placement| placement.replica == lost) else {
            return refused("NB0604", format!("kernel {kernel} has no replica {lost}"));
        };
        self.next_replica += 1;
        *slot = Placement {
            replica: self.next_replica,
            host,
        };
        Outcome::Kernel(record.clone())
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
