//! Hosts and kernels.

use serde_json::Value;

use super::table::table;
use crate::client::{Gpu, Host, Kernel, Memory, Replica};

/// Characters of an id that tell kernels apart.
const SHORT_ID: usize = 8;

pub(crate) fn hosts(hosts: &[Host]) -> String {
    if hosts.is_empty() {
        return "no hosts\n".into();
    }
    let rows = hosts.iter().map(|host| {
        [
            host.name.clone(),
            host.status.clone(),
            gpus(&host.gpus),
            host.waiting.map_or_else(|| "-".into(), |waiting| waiting.to_string()),
            count(&host.replicas),
            host.warm.map_or_else(|| "-".into(), |warm| warm.to_string()),
            host.subscription_ratio
                .map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}")),
            host.memory.map_or_else(|| "-".into(), memory),
            host.gpus
                .iter()
                .filter(|gpu| !gpu.lease.is_null())
                .map(lease)
                .collect::<Vec<_>>()
                .join(", "),
        ]
    });
    let header = [
        "HOST",
        "STATUS",
        "GPUS",
        "WAITING",
        "REPLICAS",
        "WARM",
        "SUBSCRIBED",
        "MEMORY",
        "LEASES",
    ];
    let mut text = table(header, &rows.collect::<Vec<_>>());
    if let Some(limit) = hosts.iter().find_map(|host| host.subscription_limit) {
        text.push_str(&format!("\nhosts are subscribed up to {limit:.2} now\n"));
    }
    text
}

/// `2 free, 1 leased, 1 clearing`; what there is none of is left out, except free ones.
fn gpus(gpus: &[Gpu]) -> String {
    let count = |state: &str| gpus.iter().filter(|gpu| gpu.state == state).count();
    let mut text = format!("{} free", count("free"));
    for state in ["leased", "clearing", "quarantined", "failed"] {
        let count = count(state);
        if count > 0 {
            text.push_str(&format!(", {count} {state}"));
        }
    }
    text
}

/// `12 of 64 GiB free`
fn memory(memory: Memory) -> String {
    let gib = |bytes: u64| bytes >> 30;
    format!("{} of {} GiB free", gib(memory.available), gib(memory.total))
}

pub(crate) fn kernels(kernels: &[Kernel]) -> String {
    if kernels.is_empty() {
        return "no kernels\n".into();
    }
    let rows = kernels.iter().map(|kernel| {
        [
            kernel.id.clone(),
            kernel.state.clone(),
            kernel.executor.clone().unwrap_or_else(|| "-".into()),
            kernel.cells.to_string(),
            kernel.replicas.iter().map(replica).collect::<Vec<_>>().join(" "),
            kernel.pinned.len().to_string(),
        ]
    });
    table(
        ["KERNEL", "STATE", "EXECUTOR", "CELLS", "REPLICAS", "PINNED"],
        &rows.collect::<Vec<_>>(),
    )
}

pub(crate) fn kernel(kernel: &Kernel) -> String {
    let executor = kernel.executor.as_deref().unwrap_or("none yet");
    let mut text = format!(
        "kernel {}\nstate {}, executor {executor}, epoch {}, {} cells, resources {}\n\n",
        kernel.id, kernel.state, kernel.epoch, kernel.cells, kernel.resources
    );
    if let Some(replicating) = kernel.replicating {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        text.push_str(&format!(
            "replicating the last cell: {} of {} MiB are on a majority of hosts\n\n",
            mib(replicating.done),
            mib(replicating.total)
        ));
    }
    let replicas = kernel.replicas.iter().map(|replica| {
        [
            replica.host.clone(),
            replica.role.clone(),
            plain(&replica.replica_id),
            replica.pid.map_or_else(|| "unloaded".into(), |pid| pid.to_string()),
            replica
                .applied
                .map_or_else(|| "-".to_owned(), |applied| applied.to_string()),
        ]
    });
    text.push_str(&table(
        ["HOST", "ROLE", "REPLICA", "PYTHON PID", "APPLIED"],
        &replicas.collect::<Vec<_>>(),
    ));
    for moving in &kernel.moves {
        text.push_str(&format!(
            "\na replica moves from {} to {} ({}): {}\n",
            moving.from, moving.to, moving.why, moving.phase
        ));
    }
    if !kernel.pinned.is_empty() {
        text.push_str("\nvariables that live on one host only:\n");
        let pinned = kernel.pinned.iter().map(|variable| {
            [
                variable.name.clone(),
                variable.type_name.clone(),
                variable.home.clone().unwrap_or_else(|| "-".into()),
                variable.cell.map_or_else(|| "-".into(), |cell| format!("[{cell}]")),
                variable.why.lines().next().unwrap_or_default().to_owned(),
            ]
        });
        text.push_str(&table(
            ["NAME", "TYPE", "HOME", "CELL", "WHY"],
            &pinned.collect::<Vec<_>>(),
        ));
    }
    text
}

/// `h1*` executes, `h2` stands by, `h3(joining)` catches up.
fn replica(replica: &Replica) -> String {
    match replica.role.as_str() {
        "executor" => format!("{}*", replica.host),
        "standby" => replica.host.clone(),
        other => format!("{}({other})", replica.host),
    }
}

fn lease(gpu: &Gpu) -> String {
    let holder = match &gpu.lease {
        Value::Object(lease) => lease.get("kernel").map_or_else(|| gpu.lease.to_string(), plain),
        other => plain(other),
    };
    format!("{}:{}", gpu.index, holder.chars().take(SHORT_ID).collect::<String>())
}

fn count(value: &Value) -> String {
    value
        .as_array()
        .map_or_else(|| plain(value), |list| list.len().to_string())
}

/// A text without its quotes; `-` for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hosts_with_leases() {
        let answer = json!([
            {"name": "h1", "incarnation": 7, "status": "up", "replicas": 2, "warm": 1, "subscription_ratio": 0.5, "subscription_limit": 6.5,
             "waiting": 3, "memory": {"total": 68_719_476_736_u64, "available": 12_884_901_888_u64}, "gpus": [
                {"index": 0, "uuid": "u", "name": "sim", "state": "leased", "lease": {"kernel": "12345678-aaaa", "epoch": 3}},
                {"index": 1, "uuid": "v", "name": "sim", "state": "free", "lease": null},
                {"index": 2, "uuid": "w", "name": "sim", "state": "failed", "lease": null}]},
            {"name": "h2", "status": "suspected", "replicas": [], "subscription_ratio": null, "gpus": []},
        ]);
        let expected = "\
HOST  STATUS     GPUS                        WAITING  REPLICAS  WARM  SUBSCRIBED  MEMORY             LEASES
h1    up         1 free, 1 leased, 1 failed  3        2         1     0.50        12 of 64 GiB free  0:12345678
h2    suspected  0 free                      -        0         -     -           -

hosts are subscribed up to 6.50 now
";
        assert_eq!(hosts(&serde_json::from_value::<Vec<Host>>(answer).unwrap()), expected);
        assert_eq!(hosts(&[]), "no hosts\n");
    }

    #[test]
    fn one_kernel_and_the_list() {
        let answer = json!({
            "id": "k1", "state": "idle", "executor": "h1", "epoch": 2, "cells": 5, "resources": {"gpus": 1},
            "replicas": [
                {"host": "h1", "replica_id": 1, "role": "executor", "pid": 10, "applied": 9},
                {"host": "h2", "replica_id": 2, "role": "standby", "pid": null, "applied": 9},
                {"host": "h3", "replica_id": 3, "role": "joining", "pid": null, "applied": 0}],
            "replicating": {"done": 1_048_577, "total": 5_242_880},
            "moves": [{"from": "h2", "to": "h3", "phase": "joining", "why": "drain", "began": "2026-01-01T00:00:00Z"}],
            "pinned": [{"name": "g", "type": "generator", "why": "cannot pickle", "home": "h1", "cell": 4}],
        });
        let one: Kernel = serde_json::from_value(answer).unwrap();
        let text = kernel(&one);
        for part in [
            "epoch 2, 5 cells",
            "2 of 5 MiB are on a majority",
            "h2    standby   2        unloaded",
            "a replica moves from h2 to h3 (drain): joining",
            "g     generator  h1    [4]   cannot pickle",
        ] {
            assert!(text.contains(part), "`{part}` is missing in:\n{text}");
        }
        let list = kernels(&[one]);
        assert!(list.contains("h1* h2 h3(joining)"), "{list}");
    }
}
