//! What the control group knows of a kernel: the real state, driven by the real commands.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use nbos_kernel::protocol::KernelSpec;
use nbos_kernel::{KernelId, Member, Membership};
use nbos_mesh::NodeName;
use nbos_scheduler::{Command, ControlState, KernelRecord, Outcome, Phase, Step, Why};

use crate::world::REPLICAS;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control(Arc<ControlState>);

impl Hash for Control {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Membership { members, change } = self.membership();
        for member in &members {
            (member.replica, member.host.as_str()).hash(state);
        }
        change.map(|change| change.leaving).hash(state);
        self.record().moving.is_some().hash(state);
    }
}

fn name(host: usize) -> NodeName {
    NodeName::from(format!("h{host}"))
}

fn number(host: &NodeName) -> usize {
    host.as_str()[1..].parse().expect("invariant: a name from above")
}

impl Control {
    pub(crate) fn new(hosts: usize) -> Self {
        let mut state = ControlState::default();
        for host in 0..hosts {
            state.apply(Command::RegisterHost {
                host: name(host),
                incarnation: 0,
                gpus: 1,
            });
        }
        let created = state.apply(Command::CreateKernel {
            id: KernelId::random(),
            spec: KernelSpec::default(),
            hosts: (0..REPLICAS).map(name).collect(),
            at_us: 0,
        });
        assert!(matches!(created, Outcome::Kernel(_)), "{created:?}");
        Self(Arc::new(state))
    }

    fn record(&self) -> &KernelRecord {
        let mut kernels = self.0.kernels.values();
        kernels.next().expect("invariant: created with it")
    }

    fn membership(&self) -> Membership {
        self.record().membership()
    }

    /// Who a replica thinks belongs to the kernel, in order of preference.
    pub(crate) fn members(&self) -> Vec<(u64, usize)> {
        let pair = |member: &Member| (member.replica, number(&member.host));
        self.membership().members.iter().map(pair).collect()
    }

    /// Hosts of the members, in order of preference.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = usize> {
        self.members().into_iter().map(|(_, host)| host)
    }

    pub(crate) fn host_of(&self, replica: u64) -> Option<usize> {
        let members = self.members();
        let found = members.into_iter().find(|(member, _)| *member == replica);
        found.map(|(_, host)| host)
    }

    pub(crate) fn has(&self, host: usize) -> bool {
        self.hosts().any(|member| member == host)
    }

    /// The host whose replica takes no role any more.
    pub(crate) fn leaving(&self) -> Option<usize> {
        self.host_of(self.membership().change?.leaving)
    }

    /// Hosts of which a majority each is a quorum.
    pub(crate) fn quorums(&self) -> Vec<Vec<usize>> {
        let hosts = |quorum: Vec<&Member>| quorum.iter().map(|member| number(&member.host)).collect();
        self.membership().quorums().into_iter().map(hosts).collect()
    }

    pub(crate) fn phase(&self) -> Option<Phase> {
        self.record().moving.as_ref().map(|moving| moving.phase)
    }

    /// The new replica's id.
    pub(crate) fn begin_move(&mut self, from: usize, to: usize) -> Option<u64> {
        let from = self.members().into_iter().find(|(_, host)| *host == from)?.0;
        let outcome = self.apply(|kernel| Command::BeginMove {
            kernel,
            from,
            to: name(to),
            why: Why::Asked,
            at_us: 0,
        });
        match outcome {
            Outcome::Kernel(record) => record.moving.map(|moving| moving.to.replica),
            Outcome::Done | Outcome::Refused { .. } => None,
        }
    }

    pub(crate) fn advance_move(&mut self, step: Step) {
        if let Some(replica) = self.record().moving.as_ref().map(|moving| moving.to.replica) {
            let outcome = self.apply(|kernel| Command::AdvanceMove { kernel, replica, step });
            assert_eq!(outcome, Outcome::Done);
        }
    }

    fn apply(&mut self, command: impl FnOnce(KernelId) -> Command) -> Outcome {
        let kernel = self.record().id;
        Arc::make_mut(&mut self.0).apply(command(kernel))
    }

    pub(crate) fn on_distinct_hosts(&self) -> bool {
        self.0.replicas_on_distinct_hosts() && self.record().replicas.len() == REPLICAS
    }
}
