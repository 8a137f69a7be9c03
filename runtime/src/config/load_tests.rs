use nbos_gpu::GpuOptions;

use super::*;
use crate::config::{ClusterTable, PythonTable, Role};

const GOOD: &str = r#"
[cluster]
replicas = 1

[[node]]
name = "h1"
roles = ["control", "host", "gateway"]
mesh = "127.0.0.1:7601"
gateway = "127.0.0.1:8888"
gpus = { simulated = 4 }
"#;

fn load_text(text: &str, environment: &[(&str, &str)], ports: Ports) -> Result<Loaded, Error> {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let environment = environment
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    load(&Source::File(file.path().to_path_buf()), &environment, ports)
}

#[track_caller]
fn refused(text: &str, code: &str, parts: &[&str]) {
    let error = load_text(text, &[], Ports::AsWritten).expect_err("must be refused");
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
    assert!(message.contains(".toml"), "the file is not named in: {message}");
}

#[test]
fn shipped_file_states_the_defaults() {
    let loaded = load(&Source::BuiltIn, &BTreeMap::new(), Ports::AsWritten).unwrap();
    let config = loaded.config;
    assert_eq!(config.cluster, ClusterTable::default());
    assert_eq!(config.python, PythonTable::default());
    assert_eq!(config.kernel, nbos_kernel::Options::default());
    assert_eq!(config.objects, nbos_objects::Options::default());
    assert_eq!(config.scheduler, nbos_scheduler::Options::default());
    assert_eq!(config.mesh, nbos_mesh::Options::default());
    assert_eq!(config.gateway, nbos_gateway::Options::default());
    let names: Vec<_> = config.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["h1", "h2", "h3"]);
    for (n, node) in (0u16..).zip(&config.nodes) {
        assert_eq!(node.roles, [Role::Control, Role::Host, Role::Gateway]);
        assert_eq!(node.mesh, SocketAddr::from(([127, 0, 0, 1], 7601 + n)));
        assert_eq!(node.gateway, Some(SocketAddr::from(([127, 0, 0, 1], 8888 + n))));
        assert_eq!(node.gpus, Some(GpuOptions::Simulated(4)));
    }
}

#[test]
fn effective_text_loads_to_the_same() {
    let first = load(&Source::BuiltIn, &BTreeMap::new(), Ports::GatewaysFrom(9100)).unwrap();
    let again = load_text(&first.effective, &[], Ports::AsWritten).unwrap();
    assert_eq!(again.config.nodes, first.config.nodes);
    let ports: Vec<_> = again
        .config
        .nodes
        .iter()
        .map(|node| node.gateway.unwrap().port())
        .collect();
    assert_eq!(ports, [9100, 9101, 9102]);
    assert_eq!(again.config.nodes[0].mesh.port(), 7601);
}

#[test]
fn free_ports_are_distinct() {
    let loaded = load(&Source::BuiltIn, &BTreeMap::new(), Ports::Free).unwrap();
    let nodes = &loaded.config.nodes;
    let ports = nodes
        .iter()
        .flat_map(|node| [node.mesh.port(), node.gateway.unwrap().port()]);
    assert_eq!(ports.collect::<std::collections::BTreeSet<_>>().len(), 6);
}

#[test]
fn environment_overrides_a_key() {
    let environment = [
        ("NBOS_CLUSTER__NAME", "lab"),
        ("NBOS_PYTHON__PACKAGES", "numpy,polars"),
        ("NBOS_TOKEN", "x"),
    ];
    let config = load_text(GOOD, &environment, Ports::AsWritten).unwrap().config;
    assert_eq!(config.cluster.name, "lab");
    assert_eq!(config.python.packages, ["numpy", "polars"]);
}

#[test]
fn environment_mistakes_name_the_environment() {
    let error = load_text(GOOD, &[("NBOS_CLUSTER__REPLIKAS", "3")], Ports::AsWritten).unwrap_err();
    assert_eq!(error.code(), "NB0102");
    assert!(error.to_string().contains("environment"), "{error}");
}

#[test]
fn missing_file() {
    let error = load(
        &Source::File("/nonexistent/cluster.toml".into()),
        &BTreeMap::new(),
        Ports::AsWritten,
    )
    .unwrap_err();
    assert_eq!(error.code(), "NB0101");
    assert!(error.to_string().contains("/nonexistent/cluster.toml"), "{error}");
}

#[test]
fn not_toml() {
    refused("[cluster\nname = 3", "NB0101", &["line 1"]);
}

#[test]
fn unknown_keys_at_every_level() {
    refused(&format!("colour = 1\n{GOOD}"), "NB0102", &["`colour`", "line 1"]);
    refused(
        &GOOD.replace("replicas", "replikas"),
        "NB0102",
        &["[cluster]", "`replikas`", "line 3"],
    );
    refused(
        &GOOD.replace("simulated", "emulated"),
        "NB0102",
        &["[[node]]", "`gpus`", "`emulated`"],
    );
    refused(&format!("{GOOD}\nrack = 'a'"), "NB0102", &["[[node]]", "`rack`"]);
    refused(
        &format!("{GOOD}\n[python]\npakages = []"),
        "NB0102",
        &["[python]", "`pakages`"],
    );
}

#[test]
fn wrong_types() {
    refused(
        &GOOD.replace("replicas = 1", "replicas = 'x'"),
        "NB0103",
        &["[cluster]", "`replicas`"],
    );
    refused(&GOOD.replace("= 4 }", "= true }"), "NB0103", &["[[node]]", "`gpus`"]);
    refused(&GOOD.replace("name = \"h1\"", ""), "NB0103", &["name"]);
    refused(
        &GOOD.replace("\"control\", \"host\", \"gateway\"", ""),
        "NB0103",
        &["h1", "`roles`"],
    );
}

#[test]
fn empty_cluster() {
    refused("[cluster]\nname = 'x'", "NB0104", &["[[node]]"]);
}

#[test]
fn bad_names() {
    for name in ["", "a b", "../up", "-a", "ä", &"x".repeat(64)] {
        refused(
            &GOOD.replace("\"h1\"", &format!("{name:?}")),
            "NB0105",
            &["[[node]]", "`name`"],
        );
    }
    refused(
        &GOOD.replace("replicas = 1", "replicas = 1\nname = 'a/b'"),
        "NB0105",
        &["[cluster]"],
    );
}

#[test]
fn duplicate_names_and_addresses_are_reported_together() {
    let node = &GOOD[GOOD.find("[[node]]").unwrap()..];
    let twice = format!("{GOOD}{node}{node}").replace("replicas = 1", "replicas = 9");
    refused(
        &twice,
        "NB0106",
        &[
            "3 nodes are called `h1`",
            "NB0109",
            "127.0.0.1:7601",
            "127.0.0.1:8888",
            "NB0111",
        ],
    );
}

#[test]
fn mesh_and_gateway_addresses_may_not_collide() {
    refused(
        &GOOD.replace("127.0.0.1:8888", "127.0.0.1:7601"),
        "NB0109",
        &["h1", "`gateway`", "`mesh`"],
    );
}

#[test]
fn unknown_role() {
    refused(
        &GOOD.replace("\"gateway\"]", "\"gatway\"]"),
        "NB0107",
        &["[[node]]", "`roles`", "`gatway`"],
    );
}

#[test]
fn unparsable_addresses() {
    refused(
        &GOOD.replace("127.0.0.1:7601", "here"),
        "NB0108",
        &["[[node]]", "`mesh`", "`here`"],
    );
    refused(
        &GOOD.replace("127.0.0.1:8888", "127.0.0.1:99999"),
        "NB0108",
        &["`gateway`"],
    );
    refused(&GOOD.replace("127.0.0.1:8888", "127.0.0.1:0"), "NB0108", &["`gateway`"]);
}

#[test]
fn even_number_of_control_nodes() {
    let second = "\n[[node]]\nname = 'h2'\nroles = ['control']\nmesh = '127.0.0.1:7602'\n";
    refused(&format!("{GOOD}{second}"), "NB0110", &["2 nodes", "`roles`"]);
    refused(&GOOD.replace("\"control\", ", ""), "NB0110", &["0 nodes"]);
}

#[test]
fn more_replicas_than_hosts() {
    refused(
        &GOOD.replace("replicas = 1", "replicas = 3"),
        "NB0111",
        &["[cluster]", "`replicas`", "3 replicas"],
    );
    refused(&GOOD.replace("replicas = 1", "replicas = 0"), "NB0111", &["`replicas`"]);
}

#[test]
fn gateway_role_and_address_belong_together() {
    refused(
        &GOOD.replace("gateway = \"127.0.0.1:8888\"", ""),
        "NB0112",
        &["h1", "`gateway`"],
    );
    refused(&GOOD.replace(", \"gateway\"]", "]"), "NB0112", &["h1", "`gateway`"]);
}

#[test]
fn hosts_to_be_added() {
    let with = |hosts: &str| format!("{GOOD}\n[scheduler]\nhosts = {{ {hosts} }}\n");
    let good = with(r#"provider = "process", min = 1, max = 8, gpus = { simulated = 4 }"#);
    let config = load_text(&good, &[], Ports::AsWritten).unwrap().config;
    assert_eq!((config.scheduler.hosts.min, config.scheduler.hosts.max), (1, 8));
    for (wrong, part) in [
        (r#"provider = "process", min = 9, max = 8"#, "`min` = 9"),
        (r#"provider = "process", max = 0"#, "`max` = 0"),
        (r#"provider = "process", mesh = "127.0.0.1:7590""#, "127.0.0.1:7601"),
        (r#"provider = "process", start = "x""#, "`command` alone"),
        (r#"provider = "command", start = "x""#, "`stop`"),
        (r#"provider = "command", start = "x 'y", stop = "z""#, "quote"),
    ] {
        refused(&with(wrong), "NB0103", &["[scheduler]", part]);
    }
    refused(&good.replace("\"h1\"", "\"auto-1\""), "NB0103", &["auto-1"]);
}

#[test]
fn ports_beyond_the_last_are_refused() {
    let error = load(&Source::BuiltIn, &BTreeMap::new(), Ports::GatewaysFrom(65_534)).unwrap_err();
    assert_eq!(error.code(), "NB0103");
    assert!(error.to_string().contains("--port"), "{error}");
}
