//! Meshes across real processes, one node each: ractor's registries are process-global.
#![allow(clippy::unwrap_used, reason = "what fails in a helper fails its test")]

mod child;
mod node;
mod t20_ordinary;
mod t30_faults;

/// Not a test: what the tests start to have a node.
#[test]
fn node_process() {
    child::run();
}
