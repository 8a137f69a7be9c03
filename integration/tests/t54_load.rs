//! A trace replayed against a real cluster.

use std::fmt::Write;
use std::fs;

use nbos_integration::{Cluster, SHORT, Shape, holds};
use serde_json::Value;

/// Twelve sessions of four cells, a cell a minute, of half a minute each; the third one of every session wants more GPUs than a host
/// has.
fn trace() -> String {
    let mut text = "job_id,num_gpu,submit_time,model_name,duration\n".to_owned();
    for session in 0..12 {
        // Each begins before the one before it ended: that is what divides them.
        let begins = 1.0 + 0.05 * f64::from(session);
        for (cell, gpus) in [1, 2, 8, 1].into_iter().enumerate() {
            let submit = begins + f64::from(u32::try_from(cell).expect("small")) * 2.0;
            writeln!(text, "{session}{cell},{gpus},{submit},resnet,0.5").expect("a text");
        }
    }
    text
}

fn number(report: &Value, path: &str) -> f64 {
    report
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("no number at {path} in {report:#}"))
}

#[tokio::test]
async fn a_trace_runs_to_its_end_and_the_report_adds_up() {
    let cluster = Cluster::shaped(Shape {
        gpus: 2,
        ..Shape::default()
    })
    .await;
    fs::write(cluster.path("trace.csv"), trace()).expect("a trace");
    let ended = cluster
        .nbos(&[
            "load",
            "--trace",
            "trace.csv",
            "--speed",
            "30",
            "--out",
            "results",
            "--json",
        ])
        .await;
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, ended.stdout);
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON on standard output");
    assert_eq!(number(&report, "/sessions"), 12.0);
    assert_eq!(number(&report, "/cells/planned"), 48.0);
    assert_eq!(number(&report, "/cells/well"), 48.0, "{report:#}");
    assert_eq!(number(&report, "/cells/clamped"), 12.0);
    assert_eq!(number(&report, "/state_errors"), 0.0);
    assert_eq!(report["errors"], Value::Array(vec![]));
    assert_eq!(number(&report, "/devices"), 6.0);

    let hours = |name: &str| number(&report, &format!("/gpu_hours/{name}"));
    // A session trains on 1, 2, 2 and 1 GPUs for a second each.
    assert!((hours("asked") * 3_600.0 - 72.0).abs() < 0.01, "{report:#}");
    assert!(hours("active") >= hours("asked"), "a training is never cut: {report:#}");
    assert!(
        hours("held") >= hours("active"),
        "a cell trains while it holds: {report:#}"
    );
    // Seen from outside, several times a second.
    let ratio = hours("held_sampled") / hours("held");
    assert!((0.75..1.25).contains(&ratio), "{ratio}: {report:#}");
    assert!(hours("reservation") > hours("held"));
    for share in [
        "immediate_commit",
        "executor_reuse",
        "within_1_s",
        "saved_vs_reservation",
    ] {
        let value = number(&report, &format!("/{share}"));
        assert!((0.0..=1.0).contains(&value), "{share}: {report:#}");
    }
    for (shorter, longer) in [("p50", "p95"), ("p95", "max")] {
        let delay = |name: &str| number(&report, &format!("/delay_s/{name}"));
        assert!(delay(shorter) <= delay(longer) && delay(shorter) > 0.0);
    }
    assert!(
        number(&report, "/tct_s/p50") >= 1.0,
        "a cell takes a second: {report:#}"
    );

    let written = fs::read_to_string(cluster.path("results/load.json")).expect("load.json");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), report);
    let cells = fs::read_to_string(cluster.path("results/cells.csv")).expect("cells.csv");
    assert_eq!(
        cells.lines().filter(|line| line.ends_with(",well")).count(),
        48,
        "{cells}"
    );
    for chart in ["delay", "completion", "gpus", "queue"] {
        let png = fs::read(cluster.path(&format!("results/{chart}.png"))).expect("a chart");
        assert!(png.starts_with(b"\x89PNG"), "{chart}");
        assert!(cluster.path(&format!("results/{chart}.svg")).exists(), "{chart}");
    }
    holds("its kernels are deleted", SHORT, async || {
        cluster.client().kernels().await.is_ok_and(|kernels| kernels.is_empty())
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused_with_its_line() {
    // Nothing needs to run: mistakes are found before the cluster is looked for.
    let cluster = Cluster::prepared(&Shape::default());
    let good = "num_gpu,submit_time,duration\n1,5,2\n";
    for (text, options, expected) in [
        (None, ["--speed", "1"].as_slice(), "NB0137"),
        (Some(""), &[], "NB0137"),
        (Some("gpus,submit_time,duration\n1,5,2\n"), &[], "no column `num_gpu`"),
        (
            Some("num_gpu,submit_time,duration\n1,5,2\n1,6,-2\n"),
            &[],
            "line 3: duration is negative",
        ),
        (Some(good), &["--speed", "0"], "NB0138"),
        (Some(good), &["--minutes", "-3"], "NB0138"),
        (Some(good), &[], "NB0130"),
    ] {
        let path = cluster.path("trace.csv");
        match text {
            Some(text) => fs::write(&path, text).expect("a trace"),
            None => assert!(!path.exists()),
        }
        let arguments = [["load", "--trace", "trace.csv"].as_slice(), options].concat();
        let ended = cluster.nbos(&arguments).await;
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("error NB") && ended.stderr.contains(expected),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
}
