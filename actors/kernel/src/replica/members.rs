//! Brings the group's membership to what the control state wants.

use std::collections::BTreeMap;
use std::time::Duration;

use nbos_consensus::{Group, Newcomers, ReplicaId, Shape};
use nbos_mesh::{NodeName, Responder};

use crate::protocol::{Known, ReplicaReply, to_bytes};

/// Voters, learners, and what is known of the voters that are new.
pub(super) type Wanted = (BTreeMap<u64, NodeName>, BTreeMap<u64, NodeName>, Known);

/// Any replica may be asked, and several at once do no harm: each change of members is a compare-and-set.
pub(super) async fn reshape(group: Group, (voters, learners, known): Wanted, within: Duration, responder: Responder) {
    let named = |replicas: BTreeMap<u64, NodeName>| {
        let pairs = replicas.into_iter().map(|(replica, host)| (ReplicaId(replica), host));
        pairs.collect()
    };
    let shape = Shape {
        voters: named(voters),
        learners: named(learners),
        newcomers: match known {
            Known::Nothing => Newcomers::CaughtUp,
            Known::HasVoted => Newcomers::Known,
        },
    };
    let reply = match group.reshape(shape, within).await {
        Ok(()) => ReplicaReply::Done,
        Err(error) => ReplicaReply::Refused {
            code: error.code().to_owned(),
            message: error.to_string(),
        },
    };
    responder.send(Ok(to_bytes(&reply)));
}
