//! How others talk to a supervisor.

use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorRef, RpcReplyPort};

use crate::supervisor::Message;
use crate::{ChildSpec, Error, Tree};

/// Longest wait for a supervisor's answer: one child start (30 s) queued behind another one.
const ASK_DEADLINE: Duration = Duration::from_secs(60);

/// A cheap clone that addresses whatever supervisor runs at its path, so it stays good across restarts of the
/// supervisor itself. Children added by hand are not remembered across such a restart: whoever starts the
/// supervisor adds them again.
#[derive(Debug, Clone)]
pub struct SupervisorHandle {
    tree: Tree,
    path: String,
    /// The supervisor this handle was made for; used once it has left the tree.
    first: ActorRef<Message>,
}

impl SupervisorHandle {
    pub(crate) fn new(tree: Tree, path: String, first: ActorRef<Message>) -> Self {
        Self { tree, path, first }
    }

    /// Starts a child and keeps it running.
    ///
    /// # Errors
    /// [`Error::Start`] when its first start failed: it is not kept then. [`Error::AlreadyThere`],
    /// [`Error::BadName`], [`Error::Gone`].
    pub async fn add(&self, spec: ChildSpec) -> Result<ActorCell, Error> {
        let path = self.child_path(&spec.name);
        ask(&self.current(), &path, |reply| Message::Add { spec, reply }).await
    }

    /// Stops a child for good and takes it out of the tree. Nothing happens when it is not there.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.child_path(name);
        ask(&self.current(), &path, |reply| Message::Remove {
            name: name.to_owned(),
            reply,
        })
        .await
    }

    /// Stops a child and starts it again now; see [`Tree::restart`].
    pub async fn restart(&self, name: &str) -> Result<(), Error> {
        let path = self.child_path(name);
        ask(&self.current(), &path, |reply| Message::Restart {
            name: name.to_owned(),
            reply,
        })
        .await
    }

    /// Stops the children, newest first, then the supervisor; returns when it has ended.
    ///
    /// # Errors
    /// [`Error::Gone`] when that took longer than a minute.
    pub async fn stop(&self) -> Result<(), Error> {
        let cell = self.cell();
        cell.stop(None);
        cell.wait(Some(ASK_DEADLINE))
            .await
            .map_err(|_| Error::Gone(self.path.clone()))
    }

    /// Waits until the supervisor has ended, by a stop or by escalation. For the root's owner, who has no other way
    /// to learn that the node gave up.
    pub async fn ended(&self) {
        // Without a deadline there is no error to handle.
        let _ = self.cell().wait(None).await;
    }

    /// The supervisor's actor, to be the parent of another supervisor.
    pub fn cell(&self) -> ActorCell {
        self.current().get_cell()
    }

    /// The running child of this name.
    pub fn child(&self, name: &str) -> Option<ActorCell> {
        self.tree.cell(&self.child_path(name))
    }

    /// Where the supervisor stands in the tree.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn current(&self) -> ActorRef<Message> {
        self.tree.supervisor(&self.path).unwrap_or_else(|| self.first.clone())
    }

    fn child_path(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

/// The path of a child below a path.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

/// One request to a supervisor, with its deadline.
pub(crate) async fn ask<T: Send + 'static>(
    supervisor: &ActorRef<Message>,
    path: &str,
    message: impl FnOnce(RpcReplyPort<Result<T, Error>>) -> Message,
) -> Result<T, Error> {
    match supervisor.call(message, Some(ASK_DEADLINE)).await {
        Ok(CallResult::Success(result)) => result,
        Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => Err(Error::Gone(path.to_owned())),
    }
}
