//! The restart decision: a pure state machine over the children of one supervisor.
//!
//! Time is a parameter (a monotonic offset chosen by the caller). Children are kept in the order they were added,
//! which is the order rest-for-one goes by.

use std::collections::VecDeque;
use std::time::Duration;

use crate::{Options, Restart, Strategy};

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It stopped as asked or finished its work.
    Normal,
    /// Error, panic or kill.
    Failed,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A new child is to be started. The caller has checked that no live child has the name.
    Added { name: String, restart: Restart },
    /// The start asked for succeeded.
    Started { name: String },
    /// The start asked for failed.
    StartFailed { name: String },
    /// A running child ended by itself.
    Exited { name: String, exit: Exit },
    /// A scheduled restart is due.
    Due { name: String, ticket: u64 },
    /// An operator wants the child restarted now; does not count towards the intensity.
    RestartAsked { name: String },
    /// The child is no longer wanted.
    Removed { name: String },
    /// The supervisor is stopping.
    Shutdown,
}

/// What the supervisor must do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start the child and report `Started` or `StartFailed`.
    Start { name: String },
    /// Stop the running child and wait for its end, which is not reported as `Exited`.
    Stop { name: String },
    /// Report `Due` with this ticket after the pause.
    Schedule { name: String, ticket: u64, after: Duration },
    /// The child will not be started again by itself but stays known.
    Rest { name: String, exit: Exit },
    /// The child is gone for good.
    Forget { name: String },
    /// Too many restarts: fail, so that the parent decides.
    Escalate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// First start under way: a failure goes back to whoever added it.
    Joining,
    /// Start after a failure or a request under way.
    Starting,
    Running {
        since: Duration,
    },
    /// Waits for its `Due`.
    Waiting {
        ticket: u64,
    },
    /// Stopped by rest-for-one until an earlier child runs again.
    Held,
    /// Ended for good, restartable by hand.
    Resting,
}

#[derive(Debug, Clone)]
struct Child {
    name: String,
    restart: Restart,
    phase: Phase,
    /// Failures in a row, for the back-off.
    failures: u32,
}

/// The children of one supervisor and its restart history.
#[derive(Debug, Clone)]
pub(crate) struct State {
    options: Options,
    children: Vec<Child>,
    /// Times of the automatic restarts inside the window, oldest first. Bounded by `max_restarts + 1`.
    restarts: VecDeque<Duration>,
    next_ticket: u64,
    /// After escalation or shutdown nothing happens any more.
    over: bool,
}

impl State {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            children: Vec::new(),
            restarts: VecDeque::new(),
            next_ticket: 0,
            over: false,
        }
    }

    /// The child's phase, if it is known.
    pub(crate) fn phase(&self, name: &str) -> Option<Phase> {
        self.children
            .iter()
            .find(|child| child.name == name)
            .map(|child| child.phase)
    }

    /// Decides. `now` never goes backwards.
    pub(crate) fn step(&mut self, now: Duration, event: Event) -> Vec<Action> {
        if self.over {
            return Vec::new();
        }
        match event {
            Event::Added { name, restart } => self.added(name, restart),
            Event::Started { name } => self.started(now, &name),
            Event::StartFailed { name } => self.start_failed(now, &name),
            Event::Exited { name, exit } => self.exited(now, &name, exit),
            Event::Due { name, ticket } => self.due(&name, ticket),
            Event::RestartAsked { name } => self.restart_asked(&name),
            Event::Removed { name } => self.removed(&name),
            Event::Shutdown => self.shut_down(),
        }
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.children.iter().position(|child| child.name == name)
    }

    fn added(&mut self, name: String, restart: Restart) -> Vec<Action> {
        self.children.retain(|child| child.name != name);
        self.children.push(Child {
            name: name.clone(),
            restart,
            phase: Phase::Joining,
            failures: 0,
        });
        vec![Action::Start { name }]
    }

    fn started(&mut self, now: Duration, name: &str) -> Vec<Action> {
        let Some(index) = self.index(name) else {
            return Vec::new();
        };
        self.children[index].phase = Phase::Running { since: now };
        self.release_held()
    }

    /// Starts the first held child, unless an earlier one is still down. The next follows when this one runs.
    fn release_held(&mut self) -> Vec<Action> {
        let blocking =
            |child: &&mut Child| matches!(child.phase, Phase::Starting | Phase::Waiting { .. } | Phase::Held);
        match self.children.iter_mut().find(blocking) {
            Some(child) if child.phase == Phase::Held => {
                child.phase = Phase::Starting;
                vec![Action::Start {
                    name: child.name.clone(),
                }]
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn start_failed(&mut self, now: Duration, name: &str) -> Vec<Action> {
        let Some(index) = self.index(name) else {
            return Vec::new();
        };
        if self.children[index].phase == Phase::Joining {
            self.children.remove(index);
            return vec![Action::Forget { name: name.to_owned() }];
        }
        self.failed(now, index)
    }

    fn exited(&mut self, now: Duration, name: &str, exit: Exit) -> Vec<Action> {
        let Some(index) = self.index(name) else {
            return Vec::new();
        };
        let child = &mut self.children[index];
        let Phase::Running { since } = child.phase else {
            return Vec::new();
        };
        if now.saturating_sub(since) >= self.options.intensity.window {
            child.failures = 0;
        }
        match (child.restart, exit) {
            (Restart::Temporary, _) => {
                self.children.remove(index);
                vec![Action::Forget { name: name.to_owned() }]
            }
            (Restart::Transient, Exit::Normal) => {
                child.phase = Phase::Resting;
                vec![Action::Rest {
                    name: name.to_owned(),
                    exit,
                }]
            }
            (Restart::Transient, Exit::Failed) | (Restart::Permanent, _) => self.failed(now, index),
        }
    }

    /// A child that must come back went down at `now`.
    fn failed(&mut self, now: Duration, index: usize) -> Vec<Action> {
        let intensity = self.options.intensity;
        while self
            .restarts
            .front()
            .is_some_and(|&at| now.saturating_sub(at) >= intensity.window)
        {
            self.restarts.pop_front();
        }
        self.restarts.push_back(now);
        self.children[index].phase = Phase::Held;
        if self.restarts.len() > intensity.max_restarts as usize {
            let mut actions = self.shut_down();
            actions.push(Action::Escalate);
            return actions;
        }
        let mut actions = self.hold_rest(index);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let child = &mut self.children[index];
        let after = self.options.backoff.pause(child.failures);
        child.failures = child.failures.saturating_add(1);
        child.phase = Phase::Waiting { ticket };
        actions.push(Action::Schedule {
            name: child.name.clone(),
            ticket,
            after,
        });
        actions
    }

    /// Rest-for-one: takes down what was added after `index`, newest first.
    fn hold_rest(&mut self, index: usize) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.options.strategy == Strategy::OneForOne {
            return actions;
        }
        for later in (index + 1..self.children.len()).rev() {
            let child = &mut self.children[later];
            match child.phase {
                Phase::Resting => continue,
                Phase::Running { .. } => actions.push(Action::Stop {
                    name: child.name.clone(),
                }),
                Phase::Joining | Phase::Starting | Phase::Waiting { .. } | Phase::Held => {}
            }
            if child.restart == Restart::Temporary {
                actions.push(Action::Forget {
                    name: child.name.clone(),
                });
                self.children.remove(later);
            } else {
                child.phase = Phase::Held;
            }
        }
        actions
    }

    fn due(&mut self, name: &str, ticket: u64) -> Vec<Action> {
        let Some(index) = self.index(name) else {
            return Vec::new();
        };
        if self.children[index].phase != (Phase::Waiting { ticket }) {
            return Vec::new();
        }
        self.children[index].phase = Phase::Starting;
        vec![Action::Start { name: name.to_owned() }]
    }

    fn restart_asked(&mut self, name: &str) -> Vec<Action> {
        let Some(index) = self.index(name) else {
            return Vec::new();
        };
        let mut actions = match self.children[index].phase {
            // Already on its way up; a held child must not overtake the one it waits for.
            Phase::Joining | Phase::Starting | Phase::Held => return Vec::new(),
            Phase::Waiting { .. } | Phase::Resting => Vec::new(),
            Phase::Running { .. } => {
                let mut actions = self.hold_rest(index);
                actions.push(Action::Stop { name: name.to_owned() });
                actions
            }
        };
        self.children[index].phase = Phase::Starting;
        self.children[index].failures = 0;
        actions.push(Action::Start { name: name.to_owned() });
        actions
    }

    fn removed(&mut self, name: &str) -> Vec<Action> {
        let Some(index) = self.index(name) else {
            return Vec::new();
        };
        let child = self.children.remove(index);
        let mut actions = Vec::new();
        if matches!(child.phase, Phase::Running { .. }) {
            actions.push(Action::Stop {
                name: child.name.clone(),
            });
        }
        actions.push(Action::Forget { name: child.name });
        // The removed child may have been the one that later ones waited for.
        actions.extend(self.release_held());
        actions
    }

    fn shut_down(&mut self) -> Vec<Action> {
        self.over = true;
        let running = |child: &&mut Child| matches!(child.phase, Phase::Running { .. });
        let stop = |child: &mut Child| {
            child.phase = Phase::Resting;
            Action::Stop {
                name: child.name.clone(),
            }
        };
        self.children.iter_mut().rev().filter(running).map(stop).collect()
    }
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
