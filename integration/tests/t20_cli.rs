//! The command line.

use std::fs;
use std::path::Path;

use nbos::client::Framing;
use nbos_integration::{Cluster, Ended, SHORT, Shape, holds};
use serde_json::{Value, json};

#[track_caller]
fn answer(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {}", ended.stdout))
}

/// Every path of a tree.
fn paths(tree: &Value) -> Vec<String> {
    let below = tree["children"].as_array().into_iter().flatten().flat_map(paths);
    tree["path"]
        .as_str()
        .map(str::to_owned)
        .into_iter()
        .chain(below)
        .collect()
}

#[tokio::test]
async fn the_cluster_can_be_looked_at_and_steered() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("x = 1").await;
    kernel.settled().await;

    let tree = answer(&cluster.nbos(&["tree", "--json"]).await);
    for part in ["h1/", "h2/", "h3/", "gateway", &kernel.id] {
        assert!(
            paths(&tree).iter().any(|path| path.contains(part)),
            "`{part}` is missing in {:?}",
            paths(&tree)
        );
    }
    let hosts = answer(&cluster.nbos(&["hosts", "--json"]).await);
    assert_eq!(hosts.as_array().map(Vec::len), Some(3));
    assert_eq!(hosts[0]["gpus"].as_array().map(Vec::len), Some(4));
    let kernels = answer(&cluster.nbos(&["kernels", "--json"]).await);
    assert_eq!(kernels[0]["id"], kernel.id);
    for command in [
        ["tree"].as_slice(),
        &["hosts"],
        &["kernels"],
        &["kernel", &kernel.id[..8]],
    ] {
        let shown = cluster.nbos(command).await;
        assert_eq!(shown.code, Some(0), "{command:?}: {}", shown.stderr);
        assert!(shown.stdout.contains("h2"), "{command:?}: {}", shown.stdout);
    }

    let executor = kernel.executor().await;
    let target = cluster.other_than(&[&executor]).name().to_owned();
    let handed = cluster.nbos(&["handover", &kernel.id[..8], "--to", &target]).await;
    assert_eq!(handed.code, Some(0), "{}", handed.stderr);
    assert_eq!(
        answer(&cluster.nbos(&["kernel", &kernel.id, "--json"]).await)["executor"],
        json!(target)
    );
}

#[tokio::test]
async fn an_actor_is_restarted_by_its_path() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("x = 5").await;
    let executor = kernel.settled().await.executor.expect("a cell has run");
    let tree = answer(&cluster.nbos(&["tree", "--json"]).await);
    let standby = cluster.other_than(&[&executor]).name().to_owned();
    let fits = |path: &&String| path.starts_with(&standby) && path.ends_with(&kernel.id);
    let path = paths(&tree).iter().find(fits).expect("the standby's replica").clone();
    let restarted = cluster.nbos(&["restart", &path]).await;
    assert_eq!(restarted.code, Some(0), "{}", restarted.stderr);
    kernel.settled().await;
    kernel.handover(Some(&standby)).await;
    assert_eq!(kernel.open(Framing::V1).await.value("x").await, 5);
    let unknown = cluster.nbos(&["restart", "h1/no/such/actor"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("error NB"), "{}", unknown.stderr);
}

#[tokio::test]
async fn a_notebook_runs_to_its_end_or_to_its_first_error() {
    let cluster = Cluster::start().await;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/many_cells.ipynb");
    let output = cluster.path("out.ipynb");
    let ran = cluster
        .nbos(&["run", &example.to_string_lossy(), "-o", &output.to_string_lossy()])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let written: Value = serde_json::from_slice(&fs::read(&output).expect("the output")).expect("JSON");
    let code_cells = written["cells"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|cell| cell["cell_type"] == "code");
    let counts: Vec<_> = code_cells.map(|cell| cell["execution_count"].as_u64()).collect();
    assert!(counts.len() > 50 && counts.iter().all(Option::is_some), "{counts:?}");

    let cell = |source: &str| json!({"cell_type": "code", "id": source.len().to_string(), "metadata": {}, "source": source, "outputs": [], "execution_count": null});
    let broken = json!({"cells": [cell("print('fine')"), cell("raise ValueError('no good')"), cell("print('never')")], "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    fs::write(cluster.path("broken.ipynb"), broken.to_string()).expect("a notebook");
    let failed = cluster.nbos(&["run", "broken.ipynb"]).await;
    assert_eq!(failed.code, Some(1));
    assert!(
        failed.stderr.contains("ValueError") && failed.stderr.contains("no good"),
        "{}",
        failed.stderr
    );
    let written = fs::read_to_string(cluster.path("broken.out.ipynb")).expect("written up to the error");
    assert!(
        written.contains("fine\\n") && !written.contains("never\\n"),
        "{written}"
    );
    let left = async || cluster.client().kernels().await.is_ok_and(|kernels| kernels.is_empty());
    holds("`run` deletes its kernels", SHORT, left).await;
}

#[tokio::test]
async fn run_brings_its_own_cluster_and_takes_it_away() {
    let cluster = Cluster::prepared(&Shape::default());
    let cell = json!({"cell_type": "code", "id": "a", "metadata": {}, "source": "print(6 * 7)", "outputs": [], "execution_count": null});
    let notebook = json!({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    fs::write(cluster.path("small.ipynb"), notebook.to_string()).expect("a notebook");
    let ran = cluster.nbos(&["run", "small.ipynb", "--config", "cluster.toml"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let written = fs::read_to_string(cluster.path("small.out.ipynb")).expect("the output");
    assert!(written.contains("42\\n"), "{written}");
    cluster.all_gone().await;
}

#[tokio::test]
async fn sigterm_ends_everything_and_the_next_up_goes_on() {
    let mut cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("x = 'kept'").await;
    assert_eq!(cluster.stop().await, Some(0));
    cluster.all_gone().await;
    assert!(!cluster.state_dir().join("connection.json").exists());
    assert_eq!(cluster.socket_dirs(), [""; 0]);
    cluster.up().await;
    assert_eq!(kernel.notebook(cluster.client()).value("x").await, "kept");
}
