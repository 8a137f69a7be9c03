//! Blobs named by their content: a cell's change that is too large for the log.
//!
//! Every node keeps blobs in a local [`store`](Objects::put) under their BLAKE3 name, durable before they are
//! acknowledged and verified when read. [`Objects::replicate`] brings a blob to peers and returns once enough of them
//! have it on disk; [`Objects::get`] reads it here or fetches it from a peer. Bytes travel over the mesh in pieces,
//! a small window at a time, from where an earlier attempt stopped, and never to a peer that has them.
//! [`Objects::retain`] deletes what nothing refers to any more.

mod actor;
mod error;
mod handle;
mod id;
mod intake;
mod link;
mod pull;
mod push;
mod retry;
mod service;
mod store;
mod transfer;
mod wire;

pub use error::Error;
pub use handle::Objects;
pub use id::BlobId;
