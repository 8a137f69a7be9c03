//! What serde cannot see: everything that concerns more than one key.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use nbos_scheduler::{NAME_PREFIX, Provider, is_command};

use super::error::{
    BAD_NAME, BAD_VALUE, CONTROL_COUNT, DUPLICATE_ADDRESS, DUPLICATE_NAME, GATEWAY_ADDRESS, NO_NODES, Problem,
    TOO_MANY_REPLICAS,
};
use super::table::{ClusterConfig, NodeTable, Role};

/// A name becomes a directory, a mesh address and a label: DNS's limit for one label.
const NAME_MAX: usize = 63;

/// Every problem of a configuration that parsed.
pub(super) fn check(config: &ClusterConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !is_name(&config.cluster.name) {
        problems.push(Problem::new(
            BAD_NAME,
            "[cluster], key `name`",
            name_rule(&config.cluster.name),
        ));
    }
    if config.nodes.is_empty() {
        problems.push(Problem::new(NO_NODES, "", "the cluster has no [[node]]"));
        return problems;
    }
    for node in &config.nodes {
        check_node(node, &mut problems);
    }
    check_names(config, &mut problems);
    check_addresses(config, &mut problems);
    check_counts(config, &mut problems);
    check_scaling(config, &mut problems);
    problems
}

fn check_node(node: &NodeTable, problems: &mut Vec<Problem>) {
    let place = |key: &str| format!("[[node]] {}, key `{key}`", node.name);
    if !is_name(&node.name) {
        problems.push(Problem::new(BAD_NAME, "[[node]], key `name`", name_rule(&node.name)));
    }
    if node.roles.is_empty() {
        problems.push(Problem::new(
            BAD_VALUE,
            place("roles"),
            "a node needs at least one role",
        ));
    }
    match (node.has(Role::Gateway), node.gateway) {
        (true, None) => {
            let message = "the role `gateway` needs an address, for example `127.0.0.1:8888`";
            problems.push(Problem::new(GATEWAY_ADDRESS, place("gateway"), message));
        }
        (false, Some(_)) => {
            let message = "an address for Jupyter clients, but `roles` does not name `gateway`";
            problems.push(Problem::new(GATEWAY_ADDRESS, place("gateway"), message));
        }
        (true, Some(_)) | (false, None) => {}
    }
    if node.gpus.is_some() && !node.has(Role::Host) {
        problems.push(Problem::new(
            BAD_VALUE,
            place("gpus"),
            "only a node with the role `host` has GPUs",
        ));
    }
}

fn check_names(config: &ClusterConfig, problems: &mut Vec<Problem>) {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    for node in &config.nodes {
        *times.entry(&node.name).or_default() += 1;
    }
    for (name, times) in times.into_iter().filter(|(_, times)| *times > 1) {
        problems.push(Problem::new(
            DUPLICATE_NAME,
            "[[node]], key `name`",
            format!("{times} nodes are called `{name}`"),
        ));
    }
}

fn check_addresses(config: &ClusterConfig, problems: &mut Vec<Problem>) {
    let mut owners: BTreeMap<SocketAddr, String> = BTreeMap::new();
    for node in &config.nodes {
        for (key, address) in [("mesh", Some(node.mesh)), ("gateway", node.gateway)] {
            let Some(address) = address else { continue };
            let place = format!("[[node]] {}, key `{key}`", node.name);
            if let Some(owner) = owners.get(&address) {
                problems.push(Problem::new(
                    DUPLICATE_ADDRESS,
                    place,
                    format!("{address} is taken by {owner}"),
                ));
            } else {
                owners.insert(address, place);
            }
        }
    }
}

fn check_counts(config: &ClusterConfig, problems: &mut Vec<Problem>) {
    let control = config.with_role(Role::Control).count();
    if !matches!(control, 1 | 3 | 5) {
        let message = format!("{control} nodes have the role `control`; a Raft group of 1, 3 or 5 is needed");
        problems.push(Problem::new(CONTROL_COUNT, "[[node]], key `roles`", message));
    }
    let hosts = config.with_role(Role::Host).count();
    let replicas = config.cluster.replicas;
    if replicas == 0 || replicas > hosts {
        let message = format!(
            "{replicas} replicas of a kernel need as many hosts (at least 1); {hosts} nodes have the role `host`"
        );
        problems.push(Problem::new(TOO_MANY_REPLICAS, "[cluster], key `replicas`", message));
    }
    if config.with_role(Role::Gateway).next().is_none() {
        let message = "no node has the role `gateway`: Jupyter clients could not reach the cluster";
        problems.push(Problem::new(GATEWAY_ADDRESS, "[[node]], key `roles`", message));
    }
}

/// Hosts that scaling orders share names and addresses with nobody.
fn check_scaling(config: &ClusterConfig, problems: &mut Vec<Problem>) {
    let hosts = &config.scheduler.hosts;
    let mut refuse = |message: String| problems.push(Problem::new(BAD_VALUE, "[scheduler], key `hosts`", message));
    let commands = [("start", &hosts.start), ("stop", &hosts.stop)];
    for (key, command) in commands {
        match (hosts.provider, command) {
            (Provider::Command, None) => refuse(format!("the provider `command` needs a command `{key}`")),
            (Provider::Command, Some(text)) if !is_command(text) => {
                refuse(format!(
                    "`{key}` is not a command: it is empty or a quote is not closed"
                ));
            }
            (Provider::None | Provider::Process, Some(_)) => {
                refuse(format!("`{key}` is for the provider `command` alone"));
            }
            (Provider::Command, Some(_)) | (Provider::None | Provider::Process, None) => {}
        }
    }
    if hosts.provider == Provider::None {
        return;
    }
    let there = config.with_role(Role::Host).count();
    let (min, max) = (hosts.min, hosts.max);
    if min > max || usize::try_from(max).is_ok_and(|max| max < there) {
        refuse(format!(
            "`min` = {min}, `max` = {max} and {there} hosts of the file do not fit together"
        ));
    }
    let ports = u32::from(hosts.mesh.port())..u32::from(hosts.mesh.port()) + max;
    for node in &config.nodes {
        if node.name.starts_with(NAME_PREFIX) {
            refuse(format!(
                "names of added hosts begin with `{NAME_PREFIX}`; node {} must not",
                node.name
            ));
        }
        for address in [Some(node.mesh), node.gateway].into_iter().flatten() {
            if address.ip() == hosts.mesh.ip() && ports.contains(&u32::from(address.port())) {
                refuse(format!("added hosts may get {address}, which node {} has", node.name));
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    text.len() <= NAME_MAX && starts_well && text.chars().all(allowed)
}

fn name_rule(name: &str) -> String {
    format!(
        "`{name}` is not a name: use at most {NAME_MAX} letters, digits, `-` and `_`, beginning with a letter or digit"
    )
}
