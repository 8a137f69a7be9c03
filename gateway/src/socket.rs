//! One client's WebSocket.

mod connection;
mod guard;
mod outbox;
mod queue;

pub(crate) use connection::channels;
pub(crate) use outbox::{Pushed, Worth};
pub(crate) use queue::{ClientQueue, End};
