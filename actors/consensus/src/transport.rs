//! How a replica reaches the others. The mesh is one transport; tests use one inside the process.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use nbos_mesh::NodeName;

/// Sends bodies to the `Groups` of other nodes, which answer with `Groups::deliver`.
pub trait Transport: Send + Sync + 'static {
    /// Ends after `within` at the latest.
    fn call<'a>(&'a self, to: &'a NodeName, body: Bytes, within: Duration) -> BoxFuture<'a, Result<Bytes, CallError>>;
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// It may have arrived nevertheless.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// It may have arrived, and may still take effect.
    #[error("no answer in time")]
    Timeout,
    /// The other node answered, and did nothing.
    #[error("{message} ({code})")]
    Refused { code: String, message: String },
}
