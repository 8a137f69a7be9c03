use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn documented_lines_are_understood() {
    for line in [
        "nbos up",
        "nbos up --config c.toml --state-dir d --port 9000 --token t --python /usr/bin/python3",
        "nbos node h1 --config c.toml --state-dir d",
        "nbos node h1 --supervised --config c.toml --state-dir d",
        "nbos run a.ipynb",
        "nbos run a.ipynb -o b.ipynb --gpus 1 --url http://127.0.0.1:1 --url http://127.0.0.1:2 --token t",
        "nbos tree",
        "nbos hosts --json",
        "nbos kernels --state-dir d",
        "nbos kernel 0123",
        "nbos handover 0123 --to h2 --json",
        "nbos restart h1/host",
        "nbos load --trace t.csv --speed 60",
        "nbos load --trace t.csv --speed 200 --start-min 29400 --minutes 1050 --sessions 18 --with-idle --gpus-max 1 --out d --json --url http://127.0.0.1:1 --token t",
        "nbos guard /tmp/nbos-0-0123456789-abcdef",
    ] {
        parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn mistakes_are_refused() {
    for line in [
        "nbos",
        "nbos run",
        "nbos up --port 0",
        "nbos up --port 70000",
        "nbos up extra",
        "nbos run a.ipynb --gpus -1",
        "nbos kernel",
        "nbos load --speed 60",
        "nbos load --trace t.csv --gpus-max -1",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_wrapped_error_keeps_its_code() {
    let inner = client::Error::Malformed("x".into());
    let error = anyhow::Error::new(inner).context("cannot start a kernel");
    assert_eq!(
        describe(&error),
        "error NB0134: cannot start a kernel: malformed kernel message: x"
    );
    assert_eq!(describe(&anyhow::anyhow!("plain")), "error: plain");
}
