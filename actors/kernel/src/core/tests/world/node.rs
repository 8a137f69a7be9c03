//! One of the three.

use std::collections::BTreeSet;

use nbos_mesh::NodeName;
use nbos_objects::BlobId;

use super::HOSTS;
use super::requests::KERNEL_GPUS;
use crate::core::tests::gpus::Gpus;
use crate::core::tests::python::Python;
use crate::core::{Core, Member, Membership, Settings};
use crate::id::KernelId;
use crate::protocol::KernelSpec;
use crate::state::Executor;

/// A host with its replica.
pub(super) struct Node {
    pub(super) core: Core,
    pub(super) life: u64,
    pub(super) applied: usize,
    pub(super) up: bool,
    pub(super) child: Option<Python>,
    /// Chunks on its disk.
    pub(super) chunks: BTreeSet<BlobId>,
    pub(super) gpus: Gpus,
}

impl Node {
    pub(super) fn new(kernel: KernelId, index: usize, life: u64, settings: Settings) -> Self {
        let members = HOSTS
            .iter()
            .zip(1..)
            .map(|(host, replica)| Member {
                replica,
                host: NodeName::from(*host),
            })
            .collect();
        let me = Executor {
            replica: index as u64 + 1,
            incarnation: life,
            life,
        };
        let core = Core::new(
            kernel,
            me,
            NodeName::from(HOSTS[index]),
            KernelSpec {
                gpus: KERNEL_GPUS,
                ..KernelSpec::default()
            },
            Membership { members, change: None },
            settings,
        );
        Self {
            core,
            life,
            applied: 0,
            up: true,
            child: None,
            chunks: BTreeSet::new(),
            gpus: Gpus::default(),
        }
    }
}
