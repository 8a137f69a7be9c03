//! The wish that a process should end, however it is expressed.

use std::io::Read;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Fires once, for every clone: SIGTERM, SIGINT, or the end of the parent.
#[derive(Clone, Debug)]
pub struct Stop {
    fired: watch::Receiver<bool>,
}

/// Fires a [`Stop`] from inside the program; dropping it fires nothing.
#[derive(Clone, Debug)]
pub struct StopHandle {
    fired: watch::Sender<bool>,
}

impl Stop {
    /// One that only its handle fires.
    pub fn manual() -> (StopHandle, Self) {
        let (sender, receiver) = watch::channel(false);
        (StopHandle { fired: sender }, Self { fired: receiver })
    }

    /// Fires at SIGTERM and SIGINT. Must be called inside a tokio runtime.
    pub fn on_signals() -> std::io::Result<(StopHandle, Self)> {
        let (handle, stop) = Self::manual();
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            let mut signals = signal(kind)?;
            let handle = handle.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    handle.fire();
                }
            });
        }
        Ok((handle, stop))
    }

    pub fn has_fired(&self) -> bool {
        *self.fired.borrow()
    }

    /// Returns when it has fired; never, when its handles are gone without firing.
    pub async fn wait(&self) {
        let mut fired = self.fired.clone();
        if fired.wait_for(|fired| *fired).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl StopHandle {
    pub fn fire(&self) {
        self.fired.send_replace(true);
    }

    /// Fires at the end of standard input. The parent holds the other end of the pipe, so this is the one sign of its death that
    /// `kill -9` cannot suppress. A thread of its own: a blocked read cannot be cancelled, and must not hold up a runtime.
    pub fn fire_at_stdin_eof(&self) {
        let handle = self.clone();
        std::thread::spawn(move || {
            let mut scratch = [0; 64];
            let mut stdin = std::io::stdin();
            loop {
                match stdin.read(&mut scratch) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            handle.fire();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_it() {
        let (handle, stop) = Stop::manual();
        let other = stop.clone();
        let waiting = tokio::spawn(async move { other.wait().await });
        assert!(!stop.has_fired());
        handle.fire();
        waiting.await.unwrap();
        stop.wait().await;
        assert!(stop.has_fired());
    }
}
