//! The gateway: Jupyter's REST API and WebSockets on one side, the mesh on the other.
//!
//! It keeps nothing that another gateway lacks: kernels and sessions are in the control state, outputs with the kernel's
//! replicas. What is here is the way between them. `framing` reads and writes both WebSocket framings, `socket` holds one
//! client's connection, `bridge` carries one kernel's messages to its executor and follows it through fail-over, `rest` is the
//! HTTP API with the admin API beside it, `cluster` asks the rest of the cluster.

mod app;
mod auth;
mod bridge;
mod clock;
mod cluster;
mod error;
mod events;
mod framing;
mod http;
mod metrics;
mod options;
mod rest;
mod server;
mod socket;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use options::Options;
pub use server::{Gateway, GatewayHandle, GatewayOptions};
