//! What is known about a child before it runs.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ractor::{ActorCell, SpawnErr};

use crate::Restart;

/// What a start function returns.
pub type StartFuture = BoxFuture<'static, Result<ActorCell, SpawnErr>>;

/// Starts a child under the supervisor given; called again at each restart, so it owns what it needs.
pub type StartFn = Arc<dyn Fn(ActorCell) -> StartFuture + Send + Sync>;

/// A child a supervisor can start and restart.
#[derive(Clone)]
pub struct ChildSpec {
    /// One path segment, unique under its supervisor.
    pub name: String,
    /// What it is, for people reading the tree: `"router"`, `"replica"`, `"gpu-device"`.
    pub kind: &'static str,
    /// When it is started again.
    pub restart: Restart,
    /// How it is started; should use `Actor::spawn_linked` with the supervisor it is given.
    pub start: StartFn,
}

impl ChildSpec {
    /// A child from an async closure.
    ///
    /// The closure runs inside the supervisor, which does nothing else meanwhile and gives up after 30 s: it must
    /// not call the same supervisor, and slow preparation belongs in the child's `post_start`.
    pub fn new<S, F>(name: impl Into<String>, kind: &'static str, restart: Restart, start: S) -> Self
    where
        S: Fn(ActorCell) -> F + Send + Sync + 'static,
        F: Future<Output = Result<ActorCell, SpawnErr>> + Send + 'static,
    {
        Self {
            name: name.into(),
            kind,
            restart,
            start: Arc::new(move |supervisor| Box::pin(start(supervisor))),
        }
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            kind,
            restart,
            start: _,
        } = self;
        f.debug_struct("ChildSpec")
            .field("name", name)
            .field("kind", kind)
            .field("restart", restart)
            .finish()
    }
}
