//! One peer as this node sees it: when to dial, which connection counts, whether the peer is alive. Pure.
//!
//! Time is a parameter (an offset on a monotonic clock), randomness too. Silence is only ever *suspicion*; a peer is
//! down when its process is known to be gone (its port refuses), when a new incarnation shows up, or when the
//! suspicion has lasted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Incarnation, Options};

/// Whether a peer can be counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerState {
    /// Linked and answering heartbeats.
    Up {
        /// Its start.
        incarnation: Incarnation,
    },
    /// Silent for longer than `suspect_after_ms`; it may come back with everything it knew.
    Suspected,
    /// Never seen, gone, or silent for longer than `down_after_ms`.
    Down,
}

/// Number of one connection; unique in this process.
pub(crate) type LinkId = u64;

/// An own pause this long (SIGSTOP, a suspended machine) says nothing about the peer: its silence is not counted.
/// Ticks come every 100 ms; a loaded machine delays them by tens of milliseconds.
const OWN_PAUSE: Duration = Duration::from_millis(600);
/// A closed connection that is not reported gone by then is taken as gone.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// A session that is not ready by then is closed. It takes milliseconds when it works.
const OPEN_DEADLINE: Duration = Duration::from_secs(5);
/// Pause between probes of a peer that must dial us and has not been found dead.
const PROBE_EVERY: Duration = Duration::from_millis(300);
/// Shortest life of a connection whose loss is answered with an immediate redial.
const LASTING: Duration = Duration::from_secs(1);

/// Which of two nodes opens the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// This node: its name is the larger one.
    Dials,
    /// The peer; this node only probes its port after a loss, to learn whether the process is gone.
    Accepts,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Time has passed.
    Tick,
    /// The dial asked for came to nothing. `jitter` is random, 0 to 1000.
    DialFailed { failure: Failure, jitter: u32 },
    /// The probe asked for has ended.
    Probed { failure: Failure },
    /// A connection to or from the peer has proved itself.
    Authenticated { link: LinkId, incarnation: Incarnation },
    /// The session on the connection can carry messages.
    Ready { link: LinkId },
    /// The connection is gone.
    Gone { link: LinkId, jitter: u32 },
    /// The peer answered a heartbeat, or showed otherwise that it gets what we send, at this time.
    Heard { at: Duration },
}

/// How an attempt to connect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody listens on the peer's port: its process is gone.
    Refused,
    /// Anything else says nothing about the process.
    Other,
}

/// What is to be done, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Connect, and report `Authenticated` or `DialFailed`.
    Dial,
    /// See whether the port refuses, and report `Probed`.
    Probe,
    /// Start a session on this connection.
    Admit { link: LinkId },
    /// Drop this connection, which has no session.
    Discard { link: LinkId },
    /// End the session on this connection; `Gone` follows.
    Close { link: LinkId },
    /// Send a heartbeat.
    Ping { link: LinkId },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Ready,
    Closing,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    link: LinkId,
    incarnation: Incarnation,
    stage: Stage,
    /// When the stage began.
    since: Duration,
}

/// The state of one peer.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    side: Side,
    options: Options,
    state: PeerState,
    /// Of the last incarnation seen, also while suspected or down.
    incarnation: Option<Incarnation>,
    current: Option<Current>,
    /// Authenticated, and waits for the current connection to end.
    waiting: Option<(LinkId, Incarnation)>,
    dialing: bool,
    attempts: u32,
    next_dial: Duration,
    next_ping: Duration,
    next_probe: Duration,
    last_heard: Duration,
    last_tick: Duration,
}

impl Machine {
    pub(crate) fn new(side: Side, options: Options, now: Duration) -> Self {
        Self {
            side,
            options,
            state: PeerState::Down,
            incarnation: None,
            current: None,
            waiting: None,
            dialing: false,
            attempts: 0,
            next_dial: now,
            next_ping: now,
            next_probe: now,
            last_heard: now,
            last_tick: now,
        }
    }

    pub(crate) fn state(&self) -> PeerState {
        self.state
    }

    /// The last incarnation seen.
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        self.incarnation
    }

    /// Decides. `now` never goes backwards.
    pub(crate) fn step(&mut self, now: Duration, event: Event) -> Vec<Action> {
        match event {
            Event::Tick => self.tick(now),
            Event::DialFailed { failure, jitter } => {
                self.dialing = false;
                self.learn(failure);
                self.back_off(now, jitter);
                Vec::new()
            }
            Event::Probed { failure } => {
                self.learn(failure);
                Vec::new()
            }
            Event::Authenticated { link, incarnation } => self.authenticated(now, link, incarnation),
            Event::Ready { link } => self.ready(now, link),
            Event::Gone { link, jitter } => self.gone(now, link, jitter),
            Event::Heard { at } => {
                self.last_heard = self.last_heard.max(at.min(now));
                self.recover(now);
                Vec::new()
            }
        }
    }

    fn learn(&mut self, failure: Failure) {
        if failure == Failure::Refused && self.current.is_none() && self.waiting.is_none() {
            self.state = PeerState::Down;
        }
    }

    /// Half the pause is certain, half is chance, so that nodes do not dial in step.
    fn back_off(&mut self, now: Duration, jitter: u32) {
        let first = Duration::from_millis(self.options.redial_first_ms);
        let most = Duration::from_millis(self.options.redial_max_ms);
        let pause = first.saturating_mul(1 << self.attempts.min(20)).min(most);
        self.attempts = self.attempts.saturating_add(1);
        self.next_dial = now + pause / 2 + pause / 2 * jitter.min(1000) / 1000;
    }

    fn authenticated(&mut self, now: Duration, link: LinkId, incarnation: Incarnation) -> Vec<Action> {
        self.dialing = false;
        if self.incarnation != Some(incarnation) {
            self.incarnation = Some(incarnation);
            self.state = PeerState::Down;
        }
        let mut actions = Vec::new();
        if let Some((older, _)) = self.waiting.take() {
            actions.push(Action::Discard { link: older });
        }
        // The newest connection counts: the peer opened it because it gave the older one up.
        match &mut self.current {
            Some(current) => {
                self.waiting = Some((link, incarnation));
                if current.stage != Stage::Closing {
                    actions.push(close(current, now));
                }
            }
            None => actions.push(self.admit(now, link, incarnation)),
        }
        actions
    }

    fn admit(&mut self, now: Duration, link: LinkId, incarnation: Incarnation) -> Action {
        self.current = Some(Current {
            link,
            incarnation,
            stage: Stage::Opening,
            since: now,
        });
        Action::Admit { link }
    }

    fn ready(&mut self, now: Duration, link: LinkId) -> Vec<Action> {
        match &mut self.current {
            Some(current) if current.link == link && current.stage == Stage::Opening => {
                current.stage = Stage::Ready;
                current.since = now;
                self.last_heard = now;
                self.next_ping = now + Duration::from_millis(self.options.heartbeat_ms);
                self.state = PeerState::Up {
                    incarnation: current.incarnation,
                };
                vec![Action::Ping { link }]
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn gone(&mut self, now: Duration, link: LinkId, jitter: u32) -> Vec<Action> {
        let Some(current) = self.current.filter(|current| current.link == link) else {
            return Vec::new();
        };
        self.current = None;
        if let Some((link, incarnation)) = self.waiting.take() {
            return vec![self.admit(now, link, incarnation)];
        }
        let lived = current.stage != Stage::Opening && now.saturating_sub(current.since) >= LASTING;
        match self.side {
            Side::Accepts => {
                self.next_probe = now + PROBE_EVERY;
                vec![Action::Probe]
            }
            Side::Dials if lived || self.attempts == 0 => {
                self.attempts = if lived { 0 } else { 1 };
                self.dialing = true;
                vec![Action::Dial]
            }
            Side::Dials => {
                self.back_off(now, jitter);
                Vec::new()
            }
        }
    }

    fn recover(&mut self, now: Duration) {
        let silent = now.saturating_sub(self.last_heard) >= Duration::from_millis(self.options.suspect_after_ms);
        match self.current {
            Some(current) if current.stage == Stage::Ready && self.state == PeerState::Suspected && !silent => {
                self.state = PeerState::Up {
                    incarnation: current.incarnation,
                };
            }
            Some(_) | None => {}
        }
    }

    fn tick(&mut self, now: Duration) -> Vec<Action> {
        let gap = now.saturating_sub(self.last_tick);
        self.last_tick = now;
        if gap >= OWN_PAUSE {
            self.last_heard = (self.last_heard + gap).min(now);
        }
        let mut actions = self.tick_connection(now);
        actions.extend(self.tick_liveness(now));
        actions
    }

    fn tick_connection(&mut self, now: Duration) -> Vec<Action> {
        match &mut self.current {
            Some(current) => {
                let lasted = now.saturating_sub(current.since);
                let link = current.link;
                match current.stage {
                    Stage::Opening if lasted >= OPEN_DEADLINE => vec![close(current, now)],
                    Stage::Closing if lasted >= CLOSE_DEADLINE => self.gone(now, link, 1000),
                    Stage::Ready if now >= self.next_ping => {
                        self.next_ping = now + Duration::from_millis(self.options.heartbeat_ms);
                        vec![Action::Ping { link }]
                    }
                    Stage::Opening | Stage::Closing | Stage::Ready => Vec::new(),
                }
            }
            None if self.side == Side::Dials && !self.dialing && now >= self.next_dial => {
                self.dialing = true;
                vec![Action::Dial]
            }
            None => Vec::new(),
        }
    }

    fn tick_liveness(&mut self, now: Duration) -> Vec<Action> {
        let silence = now.saturating_sub(self.last_heard);
        let is_up = matches!(self.state, PeerState::Up { .. });
        if is_up && silence >= Duration::from_millis(self.options.suspect_after_ms) {
            self.state = PeerState::Suspected;
        }
        if self.state == PeerState::Suspected && silence >= Duration::from_millis(self.options.down_after_ms) {
            self.state = PeerState::Down;
            if let Some(current) = self.current.as_mut().filter(|current| current.stage == Stage::Ready) {
                return vec![close(current, now)];
            }
        }
        let unsure = self.current.is_none() && self.state != PeerState::Down;
        if unsure && self.side == Side::Accepts && now >= self.next_probe {
            self.next_probe = now + PROBE_EVERY;
            return vec![Action::Probe];
        }
        Vec::new()
    }
}

fn close(current: &mut Current, now: Duration) -> Action {
    current.stage = Stage::Closing;
    current.since = now;
    Action::Close { link: current.link }
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;
