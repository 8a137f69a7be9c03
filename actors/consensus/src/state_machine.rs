//! What an application gives to a group.

use bytes::Bytes;

/// A deterministic state machine: the same commands in the same order give the same state and answers everywhere.
///
/// It lives in memory. After a restart it is restored from the last snapshot and the commands behind it are applied
/// again, so `apply` must have no effect outside of `self`.
pub trait StateMachine: Send + 'static {
    /// Called once for each committed command, in log order. Must not block: the group waits.
    fn apply(&mut self, index: u64, command: &[u8]) -> Bytes;

    /// The whole state. Called between two commands, so it should be quick; writing it out happens elsewhere.
    fn snapshot(&self) -> Bytes;

    /// Replaces the state by one that `snapshot` made, here or on another replica.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String>;
}
