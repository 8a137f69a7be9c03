//! Who belongs to a kernel, also while one of its replicas is being replaced.

use nbos_mesh::NodeName;

use super::Core;
use super::event::Member;
use super::takeover::Acting;
use crate::protocol::ReplicaReply;
use crate::state::ReplicaNumber;

/// The kernel's replicas, as the control state has them. A replica that is not among the members is joining: it learns the log and
/// makes its Python process ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// In order of preference as executor.
    pub members: Vec<Member>,
    pub change: Option<Replacement>,
}

/// One member takes the place of another. Until that is done both are members, and what has to be on a majority has to be on one
/// with the one and on one with the other: the log may count either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// It does not become the executor any more, so that it can go without cutting a cell.
    pub leaving: ReplicaNumber,
    pub staying: ReplicaNumber,
}

impl Membership {
    /// The sets of which a majority each is a quorum.
    pub fn quorums(&self) -> Vec<Vec<&Member>> {
        let without = |gone: ReplicaNumber| self.members.iter().filter(|member| member.replica != gone).collect();
        match self.change {
            None => vec![self.members.iter().collect()],
            Some(Replacement { leaving, staying }) => vec![without(staying), without(leaving)],
        }
    }

    pub(crate) fn has(&self, replica: ReplicaNumber) -> bool {
        self.members.iter().any(|member| member.replica == replica)
    }
}

impl Core {
    /// The control state moved replicas.
    pub(super) fn set_membership(&mut self, membership: Membership) {
        self.membership = membership;
        if self.is_leaving() {
            self.withdraw_offer();
            let code = LEAVING.to_owned();
            for handover in std::mem::take(&mut self.handovers) {
                let reply = ReplicaReply::Refused {
                    code: code.clone(),
                    message: WHY_LEAVING.to_owned(),
                };
                self.drop_handover(handover, reply);
            }
        }
    }

    /// Not a member yet.
    pub(super) fn is_joining(&self) -> bool {
        !self.membership.has(self.me.replica)
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaves(self.me.replica)
    }

    pub(super) fn leaves(&self, replica: ReplicaNumber) -> bool {
        self.membership.change.is_some_and(|change| change.leaving == replica)
    }

    /// This replica leaves, and nothing that it has begun can make it the executor again.
    pub(super) fn is_retired(&self) -> bool {
        self.is_leaving()
            && !self.is_executor()
            && self.cell.is_none()
            && self.proposal.is_none()
            && self.unproposed.is_empty()
            && self.offer.is_none()
    }

    /// Where a replica that is no member sends who asks it.
    pub(super) fn nearest_member(&self) -> Acting {
        let up = self.membership.members.iter().find(|member| self.is_up(&member.host));
        match up.or_else(|| self.membership.members.first()) {
            Some(member) => Acting::There(member.host.clone()),
            None => Acting::Here,
        }
    }

    pub(super) fn refuse_leaving(&self) -> Option<ReplicaReply> {
        self.is_leaving().then(|| ReplicaReply::Refused {
            code: LEAVING.to_owned(),
            message: WHY_LEAVING.to_owned(),
        })
    }

    pub(super) fn host_of(&self, replica: ReplicaNumber) -> Option<&NodeName> {
        let members = &self.membership.members;
        members
            .iter()
            .find(|member| member.replica == replica)
            .map(|member| &member.host)
    }
}

const LEAVING: &str = "NB0610";
const WHY_LEAVING: &str = "this replica is moving to another host and takes no role any more";
