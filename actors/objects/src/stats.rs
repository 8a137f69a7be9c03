//! What a node has stored and moved.

/// Counters since the node started, and what is stored now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Chunks stored here.
    pub blobs: u64,
    /// Bytes they take on the disk, compressed where it paid.
    pub stored_bytes: u64,
    /// Bytes sent to peers because they asked for them or lacked them, as they travelled.
    pub pushed_bytes: u64,
    /// Bytes that this node fetched from peers, as they travelled.
    pub fetched_bytes: u64,
    /// Chunks known to have a cold copy, 0 where none are made.
    pub cold_blobs: u64,
    /// Bytes of chunks held in memory on their way to the disk and to peers.
    pub in_flight_bytes: u64,
}
