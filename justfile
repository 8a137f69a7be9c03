# Recipes for people who work on this repository. `just` lists them; `.ci/run` is what must pass.

# lists the recipes
default:
    @just --list

# everything that must pass: style, build, all tests
ci:
    .ci/run

# formats the code
fmt:
    cargo fmt --all

# style and lints, as .ci/run checks them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# unit tests of every crate, seconds
unit:
    cargo nextest run --workspace --exclude nbos-integration

# scenarios across real processes, minutes; `just scenarios t30` picks some
scenarios filter="":
    cargo build -p nbos
    cargo nextest run -p nbos-integration {{filter}}

# the fault scenarios with ten runs of the main one, and its figures
faults:
    cargo build -p nbos
    NBOS_RUNS=10 cargo nextest run -p nbos-integration --no-capture -E 'binary(t30_failover) | binary(t40_restart) | binary(t45_sigstop)'

# the Python shim's tests, in an environment of their own
python:
    .ci/python

# measures the main job beside jupyter_server, in a release build; writes docs/results/main-job.md
bench:
    cargo build --release -p nbos
    cargo bench -p nbos-integration --bench main_job

# measures what keeping the state costs, in a release build; writes docs/results/state.md
bench-state:
    .ci/python --version
    cargo build --release -p nbos
    cargo bench -p nbos-integration --bench state

# every sequence of the corpus on real clusters, in every way: half an hour and more
corpus filter="":
    .ci/python -q
    cargo build -p nbos
    NBOS_CORPUS_ALL=1 NBOS_CORPUS={{filter}} cargo nextest run -p nbos-integration --no-capture -E 'binary(t70_corpus)'
