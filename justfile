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

# moves of a small and of a 1 GiB session, and their times
migration:
    cargo build -p nbos
    NBOS_MIB=1024 cargo nextest run -p nbos-integration --no-capture -E 'binary(t52_migration) and (test(fast) or test(large))'

# the Python shim's tests, in an environment of their own
python:
    .ci/python

# cold copies of large state in an S3-compatible store, moto's of the package registry; its client takes minutes to build
cold-copies:
    test -x target/s3-server/bin/moto_server || (python3 -m venv target/s3-server && target/s3-server/bin/pip install -q 'moto[server]==5.2.5')
    cargo build -p nbos --features s3
    NBOS_S3_SERVER=$PWD/target/s3-server/bin/moto_server AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any \
        cargo nextest run -p nbos-objects -p nbos-integration --features nbos-objects/s3,nbos-integration/s3 \
        -E 'binary(t40_cold) | binary(t19_cold_copies)'

# measures the main job beside jupyter_server, in a release build; writes docs/results/main-job.md
bench:
    cargo build --release -p nbos
    cargo bench -p nbos-integration --bench main_job

# measures what keeping the state costs, in a release build; writes docs/results/state.md
bench-state:
    .ci/python --version
    cargo build --release -p nbos
    cargo bench -p nbos-integration --bench state

# measures how fast a kernel starts beside jupyter_server, in a release build; writes docs/results/start.md
bench-start:
    cargo build --release -p nbos
    cargo bench -p nbos-integration --bench start

# every sequence of the corpus on real clusters, in every way: half an hour and more
corpus filter="":
    .ci/python -q
    cargo build -p nbos
    NBOS_CORPUS_ALL=1 NBOS_CORPUS={{filter}} cargo nextest run -p nbos-integration --no-capture -E 'binary(t70_corpus)'

# what a kernel does with a real GPU between cells: writes docs/results/gpu.md; without an NVIDIA GPU it says so
gpu:
    python3 integration/gpu/measure.py
