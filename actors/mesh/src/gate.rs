//! A connection that can be cut from outside.
//!
//! Ending an `ractor_cluster` session through its actors leaves its writer task, and with it the socket, to linger
//! while a peer does not read. Cutting the stream below it ends both halves at once and lets the session go the
//! way it goes when a peer disappears.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};

/// Read buffer of a link: one system call for many small frames. `ractor_cluster` reads 8 KiB at a time.
const READ_BUFFER: usize = 64 << 10;

/// Cuts a connection.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    shut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
enum Half {
    Reader,
    Writer,
}

impl Gate {
    /// Cuts the connection: reads end, writes fail, from now on.
    pub(crate) fn shut(&self) {
        let mut state = self.0.lock();
        state.shut = true;
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.0.lock().shut
    }

    /// True when shut; else the task is woken when that happens.
    fn poll_shut(&self, half: Half, context: &Context<'_>) -> bool {
        let mut state = self.0.lock();
        let slot = match half {
            Half::Reader => &mut state.reader,
            Half::Writer => &mut state.writer,
        };
        match slot {
            Some(waker) if waker.will_wake(context.waker()) => {}
            Some(_) | None => *slot = Some(context.waker().clone()),
        }
        state.shut
    }
}

struct GatedRead {
    inner: BoxRead,
    gate: Arc<Gate>,
}

impl AsyncRead for GatedRead {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.gate.poll_shut(Half::Reader, context) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.inner).poll_read(context, buffer)
    }
}

struct GatedWrite {
    inner: BoxWrite,
    gate: Arc<Gate>,
}

impl AsyncWrite for GatedWrite {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.gate.poll_shut(Half::Writer, context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut this.inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.gate.poll_shut(Half::Writer, context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut this.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

/// An authenticated connection on its way to `ractor_cluster`.
pub(crate) struct GatedStream {
    pub reader: BoxRead,
    pub writer: BoxWrite,
    pub gate: Arc<Gate>,
    /// Comes back in session events and tells which connection they are about.
    pub label: String,
}

impl ClusterBidiStream for GatedStream {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let reader = GatedRead {
            inner: self.reader,
            gate: self.gate.clone(),
        };
        let writer = GatedWrite {
            inner: self.writer,
            gate: self.gate,
        };
        (
            Box::new(BufReader::with_capacity(READ_BUFFER, reader)),
            Box::new(writer),
        )
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.label.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn shutting_wakes_both_halves() {
        let (near, _far) = tokio::io::duplex(16);
        let (reader, writer) = tokio::io::split(near);
        let gate = Arc::new(Gate::default());
        let stream = GatedStream {
            reader: Box::new(reader),
            writer: Box::new(writer),
            gate: gate.clone(),
            label: "x".into(),
        };
        let (mut reader, mut writer) = Box::new(stream).split();
        let read = tokio::spawn(async move { reader.read_u8().await });
        let write = tokio::spawn(async move { writer.write_all(&[0; 1000]).await });
        tokio::task::yield_now().await;
        gate.shut();
        let both = async { (read.await.unwrap(), write.await.unwrap()) };
        let (read, write) = tokio::time::timeout(Duration::from_secs(5), both).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(write.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
