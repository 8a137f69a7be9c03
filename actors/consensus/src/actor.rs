//! The actor of one replica: it runs openraft, tells what it sees, and ends when openraft does, so that its supervisor
//! starts it anew from the log.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::replica::{Raft, Replica};

/// A group that did not agree to rest is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(5);

pub(crate) struct RaftGroup;

#[derive(Debug)]
pub(crate) enum Message {
    /// Nobody has wanted anything for a while.
    Idle,
    /// openraft ended by itself.
    Ended(String),
}

/// Local only: never sent to another node.
impl ractor::Message for Message {}

pub(crate) struct Running {
    replica: Arc<Replica>,
    raft: Raft,
    watcher: JoinHandle<()>,
}

impl Actor for RaftGroup {
    type Msg = Message;
    type State = Running;
    type Arguments = Arc<Replica>;

    async fn pre_start(&self, myself: ActorRef<Message>, replica: Arc<Replica>) -> Result<Running, ActorProcessingErr> {
        let raft = replica.start().await?;
        let watcher = tokio::spawn(watch(myself, replica.clone(), raft.clone()));
        Ok(Running { replica, raft, watcher })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        running: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Idle => {
                running.replica.park(&running.raft).await;
                Ok(())
            }
            Message::Ended(why) => {
                running.end().await;
                if running.replica.machine.is_broken() {
                    // Starting again would meet the same command again. This group stops; the others go on.
                    tracing::error!(group = %running.replica.group(), "state machine panicked, replica stays stopped");
                    myself.stop(Some(why));
                    return Ok(());
                }
                Err(why.into())
            }
        }
    }

    async fn post_stop(&self, _myself: ActorRef<Message>, running: &mut Running) -> Result<(), ActorProcessingErr> {
        running.end().await;
        Ok(())
    }
}

impl Running {
    async fn end(&mut self) {
        self.watcher.abort();
        self.replica.raft.send_replace(None);
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(group = %self.replica.group(), %error, "openraft did not end in order");
        }
    }
}

/// Follows openraft's metrics until it ends.
async fn watch(actor: ActorRef<Message>, replica: Arc<Replica>, raft: Raft) {
    let mut metrics = raft.metrics();
    let mut not_before = Instant::now();
    let why = loop {
        let rest_at = {
            let now = metrics.borrow_and_update();
            replica.publish(&now);
            if let Err(fatal) = &now.running_state {
                break fatal.to_string();
            }
            replica.rest_at(&now).map(|at| at.max(not_before))
        };
        if replica.wants_snapshot()
            && let Err(fatal) = raft.trigger().snapshot().await
        {
            break fatal.to_string();
        }
        let rest = async {
            match rest_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = metrics.changed() => {
                if changed.is_err() {
                    break "openraft is gone".into();
                }
            }
            () = rest => {
                not_before = Instant::now() + ASK_AGAIN;
                // An actor that is gone needs no message.
                let _ = actor.cast(Message::Idle);
            }
        }
    };
    tracing::warn!(group = %replica.group(), replica = %replica.me(), %why, "replica ended");
    // An actor that is gone needs no message.
    let _ = actor.cast(Message::Ended(why));
}
