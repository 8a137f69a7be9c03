//! The front door: accepts connections, lets them prove themselves, turns the rest away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::handshake;
use crate::manager::Message;
use crate::shared::Core;

/// Pause after a failed accept: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// One refused connection a second is logged; the others are counted.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Accepts for ever. Dropping the future ends the handshakes under way.
pub(crate) async fn run(core: Arc<Core>, manager: ActorRef<Message>) {
    let strangers = Arc::new(Semaphore::new(core.options.max_unauthenticated));
    let log = Arc::new(parking_lot::Mutex::new(LogGate::default()));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let (stream, address) = match core.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "mesh port cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = strangers.clone().try_acquire_owned() else {
            turn_away(&stream);
            report(&core, &log, address, &handshake::Error::TooMany);
            continue;
        };
        let (core, manager, log) = (core.clone(), manager.clone(), log.clone());
        tasks.spawn(async move {
            let result = handshake::accept(&core, stream, handshake::LINK).await;
            drop(permit);
            match result {
                Ok(proved) => drop(manager.send_message(Message::Authenticated(Box::new(proved)))),
                Err(error) => report(&core, &log, address, &error),
            }
        });
    }
}

/// One try to say why, without waiting.
fn turn_away(stream: &TcpStream) {
    let line = handshake::Error::TooMany.line().unwrap_or_default();
    let _ = stream.try_write(line.as_bytes());
}

fn report(core: &Core, log: &parking_lot::Mutex<LogGate>, address: SocketAddr, error: &handshake::Error) {
    if matches!(error, handshake::Error::Closed) {
        tracing::debug!(%address, "mesh port was probed");
        return;
    }
    if let Some(unlogged) = log.lock().pass(core.now()) {
        tracing::warn!(%address, code = error.code(), %error, unlogged, "mesh connection refused");
    }
}

/// Lets one event an interval through and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct LogGate {
    next: Duration,
    unlogged: u64,
}

impl LogGate {
    /// How many were held back since the last one that passed, if this one may pass.
    pub(crate) fn pass(&mut self, now: Duration) -> Option<u64> {
        if now < self.next {
            self.unlogged += 1;
            return None;
        }
        self.next = now + LOG_EVERY;
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_an_interval() {
        let mut gate = LogGate::default();
        let second = Duration::from_secs(1);
        assert_eq!(gate.pass(second), Some(0));
        assert_eq!(gate.pass(second), None);
        assert_eq!(gate.pass(second), None);
        assert_eq!(gate.pass(2 * second), Some(2));
    }
}
