//! The bounded queue between a bridge and a client's socket. It belongs to the client, not to the socket: what was not
//! written when a connection broke is written to the next one.

use std::pin::pin;

use nbos_kernel::JupyterMessage;
use nbos_kernel::protocol::Channel;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::outbox::{Outbox, Pushed, Worth};
use crate::bridge::SocketId;

pub(crate) struct ClientQueue {
    inner: Mutex<Inner>,
    changed: Notify,
    /// Bound while a socket is open.
    live_bytes: usize,
    /// Bound while none is.
    kept_bytes: usize,
}

#[derive(Default)]
struct Inner {
    outbox: Outbox,
    socket: Option<SocketId>,
    end: Option<End>,
}

/// Why a socket is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The kernel was deleted.
    Deleted,
    /// The client does not read.
    Overflow,
    /// The gateway or the kernel's bridge stops; the client should connect again.
    Restarting,
}

/// What a socket's writer does next.
#[derive(Debug)]
pub(crate) enum Next {
    Message(Channel, Box<JupyterMessage>),
    /// Another socket of the same session has taken over.
    Replaced,
    End(End),
}

impl ClientQueue {
    pub(crate) fn new(live_bytes: usize, kept_bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            changed: Notify::new(),
            live_bytes,
            kept_bytes,
        }
    }

    pub(crate) fn push(&self, channel: Channel, message: JupyterMessage, worth: Worth) -> Pushed {
        let mut inner = self.inner.lock();
        let limit = if inner.socket.is_some() {
            self.live_bytes
        } else {
            self.kept_bytes
        };
        let pushed = inner.outbox.push(channel, message, worth, limit);
        if pushed == Pushed::Overflow {
            inner.outbox.clear();
            inner.end = Some(End::Overflow);
        }
        drop(inner);
        self.changed.notify_waiters();
        pushed
    }

    /// From now on `socket` is written to, and an earlier one is told to go.
    pub(crate) fn attach(&self, socket: SocketId) {
        let mut inner = self.inner.lock();
        inner.socket = Some(socket);
        inner.end = None;
        drop(inner);
        self.changed.notify_waiters();
    }

    pub(crate) fn detach(&self, socket: SocketId) {
        self.inner.lock().socket.take_if(|current| *current == socket);
    }

    pub(crate) fn end(&self, end: End) {
        self.inner.lock().end.get_or_insert(end);
        self.changed.notify_waiters();
    }

    /// Waits for something to do for `socket`.
    pub(crate) async fn next(&self, socket: SocketId) -> Next {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Registered before the check, so that a change between check and wait is not missed.
            changed.as_mut().enable();
            if let Some(next) = self.poll(socket) {
                return next;
            }
            changed.await;
        }
    }

    fn poll(&self, socket: SocketId) -> Option<Next> {
        let mut inner = self.inner.lock();
        if inner.socket != Some(socket) {
            return Some(Next::Replaced);
        }
        let message = inner
            .outbox
            .pop()
            .map(|(channel, message)| Next::Message(channel, Box::new(message)));
        message.or_else(|| inner.end.map(Next::End))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_one_socket_did_not_write_the_next_one_does() {
        let queue = Arc::new(ClientQueue::new(1_000, 1_000));
        let (first, second) = (SocketId(1), SocketId(2));
        queue.attach(first);
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.next(first).await }
        });
        tokio::task::yield_now().await;
        queue.attach(second);
        assert!(matches!(waiting.await, Ok(Next::Replaced)));
        queue.push(Channel::Shell, JupyterMessage::default(), Worth::Needed);
        queue.detach(first);
        assert!(matches!(queue.next(second).await, Next::Message(Channel::Shell, _)));
        queue.end(End::Deleted);
        assert!(matches!(queue.next(second).await, Next::End(End::Deleted)));
    }
}
