//! The supervisor actor: performs what `step` decides.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};

use crate::handle::join;
use crate::step::{Action, Event, Exit, Phase, State as Decision};
use crate::{ChildSpec, Error, Options, Status, SupervisorHandle, Tree};

/// Longest start of one child. Nothing may block a supervisor for ever; no actor here needs more than a few seconds.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// Longest orderly stop of one child; afterwards it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Starts, restarts and stops a list of children. Use it through [`SupervisorHandle`].
#[derive(Debug)]
pub struct Supervisor;

impl Supervisor {
    /// Starts a supervisor at `path` of the tree, linked to `parent` when there is one.
    ///
    /// Under another supervisor, call this in the child's start function with the cell given there and the
    /// child's own path; children are then added in the same function, so a restart brings them back.
    ///
    /// # Errors
    /// [`Error::Start`] when the parent is already stopping.
    pub async fn start(
        tree: &Tree,
        parent: Option<ActorCell>,
        path: &str,
        options: Options,
    ) -> Result<SupervisorHandle, Error> {
        let arguments = (tree.clone(), path.to_owned(), options);
        let spawned = match parent {
            Some(parent) => Actor::spawn_linked(None, Self, arguments, parent).await,
            None => Actor::spawn(None, Self, arguments).await,
        };
        let (supervisor, _) = spawned.map_err(|error| Error::Start {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(SupervisorHandle::new(tree.clone(), path.to_owned(), supervisor))
    }
}

/// What a supervisor can be asked.
#[derive(Debug)]
pub enum Message {
    /// See [`SupervisorHandle::add`].
    Add {
        spec: ChildSpec,
        reply: RpcReplyPort<Result<ActorCell, Error>>,
    },
    /// See [`SupervisorHandle::remove`].
    Remove {
        name: String,
        reply: RpcReplyPort<Result<(), Error>>,
    },
    /// See [`SupervisorHandle::restart`].
    Restart {
        name: String,
        reply: RpcReplyPort<Result<(), Error>>,
    },
    /// A back-off is over.
    Due { name: String, ticket: u64 },
}

/// Local only: never sent to another node.
impl ractor::Message for Message {}

/// The decision state and what is needed to carry decisions out.
#[derive(Debug)]
pub struct Running {
    tree: Tree,
    path: String,
    options: Options,
    decision: Decision,
    specs: BTreeMap<String, ChildSpec>,
    cells: BTreeMap<String, ActorCell>,
    names: HashMap<ActorId, String>,
    epoch: Instant,
    last_error: String,
}

impl Actor for Supervisor {
    type Msg = Message;
    type State = Running;
    type Arguments = (Tree, String, Options);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (tree, path, options): Self::Arguments,
    ) -> Result<Running, ActorProcessingErr> {
        tree.supervisor_up(&path, myself);
        Ok(Running {
            tree,
            path,
            options,
            decision: Decision::new(options),
            specs: BTreeMap::new(),
            cells: BTreeMap::new(),
            names: HashMap::new(),
            epoch: Instant::now(),
            last_error: String::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Add { spec, reply } => {
                let result = state.add(&myself, spec).await?;
                answer(reply, result);
            }
            Message::Remove { name, reply } => {
                state.perform(&myself, Event::Removed { name }).await?;
                answer(reply, Ok(()));
            }
            Message::Restart { name, reply } => {
                let result = state.restart(&myself, name).await?;
                answer(reply, result);
            }
            Message::Due { name, ticket } => state.perform(&myself, Event::Due { name, ticket }).await?,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                // ractor reports a kill as a termination with this reason.
                let killed = reason.as_deref() == Some("killed");
                let (exit, error) = if killed {
                    (Exit::Failed, reason)
                } else {
                    (Exit::Normal, None)
                };
                state.child_ended(&myself, cell.get_id(), exit, error).await
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                state
                    .child_ended(&myself, cell.get_id(), Exit::Failed, Some(error.to_string()))
                    .await
            }
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => Ok(()),
        }
    }

    async fn post_stop(&self, myself: ActorRef<Message>, state: &mut Running) -> Result<(), ActorProcessingErr> {
        state.perform(&myself, Event::Shutdown).await?;
        state.tree.down(&state.path, Status::Stopped, None);
        Ok(())
    }
}

impl Running {
    /// The outer error is escalation; the inner one goes to whoever asked.
    async fn add(
        &mut self,
        myself: &ActorRef<Message>,
        spec: ChildSpec,
    ) -> Result<Result<ActorCell, Error>, ActorProcessingErr> {
        let name = spec.name.clone();
        if name.is_empty() || name.contains('/') {
            return Ok(Err(Error::BadName(name)));
        }
        let path = join(&self.path, &name);
        if self.decision.phase(&name).is_some_and(|phase| phase != Phase::Resting) {
            return Ok(Err(Error::AlreadyThere(path)));
        }
        let restart = spec.restart;
        self.tree.child_added(&path, spec.kind);
        self.specs.insert(name.clone(), spec);
        self.perform(
            myself,
            Event::Added {
                name: name.clone(),
                restart,
            },
        )
        .await?;
        let cell = self.cells.get(&name).cloned();
        Ok(cell.ok_or_else(|| Error::Start {
            path,
            reason: self.last_error.clone(),
        }))
    }

    async fn restart(
        &mut self,
        myself: &ActorRef<Message>,
        name: String,
    ) -> Result<Result<(), Error>, ActorProcessingErr> {
        let path = join(&self.path, &name);
        if self.decision.phase(&name).is_none() {
            return Ok(Err(Error::NoSuchChild(path)));
        }
        self.perform(myself, Event::RestartAsked { name: name.clone() }).await?;
        if self.cells.contains_key(&name) {
            return Ok(Ok(()));
        }
        let reason = self
            .tree
            .last_error(&path)
            .unwrap_or_else(|| "it waits for an earlier child".to_owned());
        Ok(Err(Error::Start { path, reason }))
    }

    async fn child_ended(
        &mut self,
        myself: &ActorRef<Message>,
        id: ActorId,
        exit: Exit,
        error: Option<String>,
    ) -> Result<(), ActorProcessingErr> {
        // Children that were stopped on purpose have been taken off the list.
        let Some(name) = self.names.remove(&id) else {
            return Ok(());
        };
        self.cells.remove(&name);
        let path = join(&self.path, &name);
        match (exit, &error) {
            (Exit::Failed, Some(error)) => tracing::warn!(path, error, "child failed"),
            (Exit::Failed, None) | (Exit::Normal, _) => tracing::debug!(path, "child ended"),
        }
        self.last_error = error.clone().unwrap_or_else(|| "ended".to_owned());
        self.tree.down(&path, Status::Restarting, error);
        self.perform(myself, Event::Exited { name, exit }).await
    }

    /// Feeds the decision and carries out what follows, until nothing follows. Every start leads to at most one
    /// more round per child, so this ends.
    async fn perform(&mut self, myself: &ActorRef<Message>, event: Event) -> Result<(), ActorProcessingErr> {
        let mut actions = VecDeque::from(self.decision.step(self.epoch.elapsed(), event));
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Start { name } => {
                    let outcome = self.start(myself, name).await;
                    actions.extend(self.decision.step(self.epoch.elapsed(), outcome));
                }
                Action::Stop { name } => self.stop(&name).await,
                Action::Schedule { name, ticket, after } => {
                    myself.send_after(after, move || Message::Due { name, ticket });
                }
                Action::Rest { name, exit } => {
                    let status = if exit == Exit::Failed {
                        Status::Failed
                    } else {
                        Status::Stopped
                    };
                    self.tree.down(&join(&self.path, &name), status, None);
                }
                Action::Forget { name } => {
                    self.specs.remove(&name);
                    self.tree.forget(&join(&self.path, &name));
                }
                Action::Escalate => return Err(Box::new(self.give_up())),
            }
        }
        Ok(())
    }

    async fn start(&mut self, myself: &ActorRef<Message>, name: String) -> Event {
        let Some(spec) = self.specs.get(&name) else {
            return Event::StartFailed { name };
        };
        let path = join(&self.path, &name);
        let (kind, start) = (spec.kind, (spec.start)(myself.get_cell()));
        let error = match tokio::time::timeout(START_DEADLINE, start).await {
            Ok(Ok(cell)) => {
                let supervisor = cell.try_get_supervisor().map(|cell| cell.get_id());
                if supervisor != Some(myself.get_id()) {
                    cell.link(myself.get_cell());
                }
                self.names.insert(cell.get_id(), name.clone());
                self.cells.insert(name.clone(), cell.clone());
                self.tree.child_up(&path, cell);
                tracing::debug!(path, kind, "child started");
                return Event::Started { name };
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it was not up after {} s", START_DEADLINE.as_secs()),
        };
        tracing::warn!(path, kind, error, "child did not start");
        self.last_error.clone_from(&error);
        self.tree.down(&path, Status::Restarting, Some(error));
        Event::StartFailed { name }
    }

    async fn stop(&mut self, name: &str) {
        let Some(cell) = self.cells.remove(name) else { return };
        self.names.remove(&cell.get_id());
        let path = join(&self.path, name);
        let status = if self.decision.phase(name) == Some(Phase::Resting) {
            Status::Stopped
        } else {
            Status::Restarting
        };
        if cell.stop_and_wait(None, Some(STOP_DEADLINE)).await.is_err() {
            tracing::warn!(path, "child did not stop in time and is killed");
            cell.kill();
        }
        self.tree.down(&path, status, None);
    }

    fn give_up(&self) -> Error {
        let error = Error::TooManyRestarts {
            path: self.path.clone(),
            max_restarts: self.options.intensity.max_restarts,
            window: self.options.intensity.window,
            last_error: self.last_error.clone(),
        };
        tracing::error!(path = self.path, code = error.code(), %error, "supervisor gives up");
        self.tree.down(&self.path, Status::Failed, Some(error.to_string()));
        error
    }
}

/// Whoever asked may have stopped waiting.
fn answer<T: Send + 'static>(reply: RpcReplyPort<Result<T, Error>>, result: Result<T, Error>) {
    let _ = reply.send(result);
}
