//! The ledger for model checks: the same `step`, on states that can be copied and compared, with a clock that stands still until it
//! is moved. Its devices come clear at once.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::ledger::{Action, Bounds, Event, GpuLedger, Installed, Ticket};
use crate::{Device, LeaseId, LeaseRequest};

/// When every model begins.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The ledger of one host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ledger {
    ledger: GpuLedger,
    /// Since the beginning.
    now: Duration,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer {
    /// Whose.
    pub ticket: u64,
    /// `None` when it was refused.
    pub lease: Option<LeaseId>,
}

/// A lease that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub id: LeaseId,
    pub holder: String,
    pub devices: Vec<u32>,
}

impl Ledger {
    pub fn new(devices: u32) -> Self {
        let installed = |index| Installed {
            device: Device {
                index,
                uuid: format!("GPU-{index}"),
                path: None,
            },
            memory: 0,
        };
        let bounds = Bounds {
            total: usize::MAX,
            per_user: usize::MAX,
        };
        Self {
            ledger: GpuLedger::new((0..devices).map(installed).collect(), bounds),
            now: Duration::ZERO,
        }
    }

    pub fn request(&mut self, ticket: u64, request: LeaseRequest) -> Vec<Answer> {
        let ticket = Ticket(ticket);
        self.step(Event::Request { ticket, request })
    }

    /// Its caller no longer waits.
    pub fn withdraw(&mut self, ticket: u64) -> Vec<Answer> {
        self.step(Event::Withdraw { ticket: Ticket(ticket) })
    }

    pub fn release(&mut self, lease: LeaseId) -> Vec<Answer> {
        self.step(Event::Release { ticket: NOBODY, lease })
    }

    /// False when the lease is over.
    pub fn renew(&mut self, lease: LeaseId) -> bool {
        let known = self.ledger.leases().any(|held| held.id == lease);
        self.step(Event::Renew { ticket: NOBODY, lease });
        known
    }

    /// Lets time pass until something is due.
    pub fn pass(&mut self) -> Vec<Answer> {
        let Some(due) = self.ledger.next_tick() else {
            return Vec::new();
        };
        self.now = self.now.max(due.saturating_duration_since(*BEGAN));
        self.step(Event::Tick)
    }

    pub fn leases(&self) -> impl Iterator<Item = Held> {
        self.ledger.leases()
    }

    fn step(&mut self, event: Event) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.ledger.step(*BEGAN + self.now, event) {
                match action {
                    Action::Granted(Ticket(ticket), lease) => answers.push(Answer {
                        ticket,
                        lease: Some(lease.id),
                    }),
                    Action::Refused(ticket, _) if ticket == NOBODY => {}
                    Action::Refused(Ticket(ticket), _) => answers.push(Answer { ticket, lease: None }),
                    Action::Clear { device, lease } => events.push(Event::Cleared { device, lease }),
                    _ => {}
                }
            }
        }
        answers
    }
}

/// Of a caller that does not look at the answer.
const NOBODY: Ticket = Ticket(u64::MAX);
