//! Kernels as Jupyter's clients and the admin API see them. Pure.

use std::collections::BTreeMap;

use nbos_kernel::KernelId;
use nbos_kernel::protocol::{Awaited, ExecutionState, ReplicaInfo, Role};
use nbos_scheduler::{Duty, KernelRecord, Left, Move};
use serde_json::{Value, json};

use nbos_kernel::time::iso8601;

/// Jupyter's kernel model. Clients ignore keys they do not know.
pub(super) fn kernel(record: &KernelRecord, infos: &[ReplicaInfo]) -> Value {
    let leading = leading(infos);
    let activity = infos
        .iter()
        .map(|info| info.last_activity_us)
        .fold(record.created_us, u64::max);
    json!({
        "id": record.id.to_string(),
        "name": record.spec.name,
        "last_activity": iso8601(activity),
        "execution_state": state(leading).name(),
        "connections": leading.map_or(0, |info| info.connections),
        "executor": leading.and_then(|info| info.executor.as_ref()),
    })
}

/// The admin API's kernel record.
pub(super) fn kernel_record(record: &KernelRecord, infos: &[ReplicaInfo]) -> Value {
    let leading = leading(infos);
    let replicas: Vec<Value> = record
        .placements()
        .map(|placement| {
            let info = infos
                .iter()
                .find(|info| info.host == placement.host && info.replica == placement.replica);
            // A replica that does not answer is as good as one that has yet to join.
            json!({
                "host": placement.host,
                "replica_id": placement.replica,
                "role": info.map_or(Role::Joining, |info| info.role).name(),
                "pid": info.and_then(|info| info.pid),
                "applied": info.map(|info| info.applied.0),
                "lacks": info.map(|info| info.lacks),
            })
        })
        .collect();
    json!({
        "id": record.id.to_string(),
        "state": state(leading).name(),
        "executor": leading.and_then(|info| info.executor.as_ref()),
        "epoch": leading.map_or(0, |info| info.epoch.0),
        "cells": infos.iter().map(|info| info.cells.0).max().unwrap_or_default(),
        "execution_count": leading.map_or(0, |info| info.execution_count),
        "replicas": replicas,
        "pinned": leading.map(|info| info.pinned.as_slice()).unwrap_or_default(),
        "moves": record.moving.iter().map(moving).collect::<Vec<Value>>(),
        "replicating": leading.and_then(|info| info.replicating),
        "resources": {
            "gpus": record.spec.gpus,
            "leased": leading.map_or(0, |info| info.gpus),
            "awaited": leading.and_then(|info| info.awaited.as_ref()).map(awaited),
        },
    })
}

/// A replica on its way.
pub(crate) fn moving(moving: &Move) -> Value {
    json!({
        "from": moving.from.host,
        "to": moving.to.host,
        "replica_id": moving.to.replica,
        "phase": moving.phase.name(),
        "why": moving.why.name(),
        "began": iso8601(moving.began_us),
    })
}

/// How far a host has been emptied.
pub(super) fn drained(host: &str, duty: Duty, left: &BTreeMap<KernelId, Left>) -> Value {
    let status = match duty {
        Duty::Serving => "up",
        Duty::Draining => "draining",
    };
    let left = left.iter().map(|(kernel, left)| {
        let (state, code, why) = match left {
            Left::Moving(phase) => (phase.name(), None, None),
            Left::Waits => ("waits", None, None),
            Left::Stays { code, message } => ("stays", Some(code), Some(message)),
        };
        json!({"kernel": kernel.to_string(), "state": state, "code": code, "why": why})
    });
    json!({"name": host, "status": status, "left": left.collect::<Vec<Value>>()})
}

/// What a cell waits for, and where it is nearest to the front of a line.
fn awaited(awaited: &Awaited) -> Value {
    let nearest = awaited.nearest.as_ref();
    json!({
        "gpus": awaited.gpus,
        "since": iso8601(awaited.since_us),
        "host": nearest.map(|(host, _)| host),
        "position": nearest.map(|(_, place)| place.position),
        "waiting": nearest.map(|(_, place)| place.waiting),
        "reason": nearest.map(|(_, place)| &place.reason),
    })
}

/// The replica to believe: the newest epoch, in it the executor, before the first cell the one whose Python is up; ties by
/// order of preference, which is that of replica ids.
fn leading(infos: &[ReplicaInfo]) -> Option<&ReplicaInfo> {
    infos.iter().max_by_key(|info| {
        (
            info.epoch,
            info.role == Role::Executor,
            info.pid.is_some(),
            std::cmp::Reverse(info.replica),
        )
    })
}

fn state(leading: Option<&ReplicaInfo>) -> ExecutionState {
    leading.map_or(ExecutionState::Starting, |info| info.state)
}

#[cfg(test)]
mod tests {
    use nbos_kernel::protocol::KernelSpec;
    use nbos_kernel::{CellSeq, Epoch};
    use nbos_mesh::NodeName;
    use nbos_scheduler::Placement;

    use super::*;

    fn record() -> KernelRecord {
        let placement = |replica, host: &str| Placement {
            replica,
            host: NodeName::from(host),
        };
        let replicas = vec![placement(1, "a"), placement(2, "b"), placement(3, "c")];
        KernelRecord {
            id: KernelId::random(),
            spec: KernelSpec {
                name: "python3".to_owned(),
                ..KernelSpec::default()
            },
            founders: replicas.clone(),
            replicas,
            created_us: 1_000_000,
            moving: None,
            undone: None,
        }
    }

    fn info(record: &KernelRecord, index: usize, epoch: u64, role: Role) -> ReplicaInfo {
        ReplicaInfo {
            kernel: record.id,
            host: record.replicas[index].host.clone(),
            replica: record.replicas[index].replica,
            role,
            pid: Some(42),
            applied: CellSeq(epoch),
            cells: CellSeq(epoch),
            epoch: Epoch(epoch),
            executor: Some(NodeName::from("b")),
            state: ExecutionState::Idle,
            last_activity_us: 2_000_000,
            connections: 2,
            execution_count: 5,
            pinned: Vec::new(),
            gpus: 1,
            awaited: None,
            replicating: None,
            retired: false,
            log: 0,
            lacks: 0,
        }
    }

    #[test]
    fn a_kernel_nobody_answers_for_is_starting() {
        let record = record();
        let model = kernel(&record, &[]);
        assert_eq!(model["execution_state"], "starting");
        assert_eq!(model["last_activity"], "1970-01-01T00:00:01.000000Z");
        assert_eq!(model["connections"], 0);
        assert_eq!(kernel_record(&record, &[])["executor"], Value::Null);
    }

    #[test]
    fn the_newest_epoch_is_believed_and_a_silent_replica_counts_as_joining() {
        let record = record();
        let infos = [info(&record, 0, 3, Role::Executor), info(&record, 1, 4, Role::Executor)];
        let model = kernel_record(&record, &infos);
        assert_eq!((&model["epoch"], &model["executor"]), (&json!(4), &json!("b")));
        let roles: Vec<&Value> = (0..3).map(|index| &model["replicas"][index]["role"]).collect();
        assert_eq!(roles, ["executor", "executor", "joining"]);
        assert_eq!(model["replicas"][2]["pid"], Value::Null);
    }
}
