//! Chunks named by their content: a cell's change that is too large for the log.
//!
//! State comes in chunks of at most 4 MiB under their BLAKE3 name. [`Objects::ingest`] keeps one here, compressed where
//! that pays, and starts bringing it to peers at once; [`Objects::settle`] waits until enough of them have it.
//! [`Objects::fetch`] brings here what is missing, from all that have it at once, and [`Objects::read`] gives it,
//! verified. Bytes travel on connections of their own beside the mesh, authenticated and encrypted like it, and never to
//! a peer that has them: each is asked first, and a broken transfer goes on with the next chunk. Small settlements
//! overtake large ones. [`Objects::retain`] deletes what nothing refers to any more.
//!
//! What is decided is pure: `outbox` (what to send next) and `hunt` (what to fetch where).

mod actor;
mod back;
#[cfg_attr(not(feature = "s3"), path = "cold_none.rs")]
mod cold;
mod dial;
mod door;
mod encoding;
mod error;
mod fetch;
mod handle;
mod hot;
mod hunt;
mod id;
mod lane;
mod node;
mod options;
mod outbox;
mod push;
mod receive;
mod serve;
mod settle;
mod stats;
mod store;
mod wire;

pub use error::Error;
pub use handle::{MAX_CHUNK, Objects};
pub use id::BlobId;
pub use options::{Durability, Options, S3};
pub use stats::Stats;
