//! The ledger's actor: gives the pure ledger its time, performs its actions, owes answers.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use nbos_supervision::SupervisorHandle;
use ractor::{Actor, ActorProcessingErr, ActorRef, MessagingErr, RpcReplyPort};
use tokio::task::JoinHandle;

use crate::ledger::{Action, Bounds, Event, GpuLedger, Installed, Ticket, Why};
use crate::message::LedgerView;
use crate::{Health, Lease, Refusal, message};

/// The ledger's name under its supervisor.
pub(crate) const LEDGER: &str = "gpu-ledger";

pub(crate) struct LedgerActor;

pub(crate) struct Arguments {
    pub(crate) devices: Vec<Installed>,
    pub(crate) bounds: Bounds,
    /// 0 at the node's start, one more at each restart of the actor.
    pub(crate) generation: u32,
    /// Finds the device actors, which may restart on their own.
    pub(crate) supervisor: SupervisorHandle,
}

pub(crate) struct State {
    ledger: GpuLedger,
    supervisor: SupervisorHandle,
    last_ticket: Ticket,
    owed: BTreeMap<Ticket, Port>,
    timer: Option<Timer>,
}

struct Timer {
    due: Instant,
    task: JoinHandle<Result<(), MessagingErr<message::Ledger>>>,
}

enum Port {
    Lease(RpcReplyPort<Result<Lease, Refusal>>),
    Renew(RpcReplyPort<Result<Instant, Refusal>>),
    Release(RpcReplyPort<Result<(), Refusal>>),
}

/// The name of a device's actor under its supervisor.
pub(crate) fn device_name(index: u32) -> String {
    format!("gpu-{index}")
}

impl Actor for LedgerActor {
    type Msg = message::Ledger;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, args: Arguments) -> Result<State, ActorProcessingErr> {
        let Arguments {
            devices,
            bounds,
            generation,
            supervisor,
        } = args;
        let ledger = match generation {
            0 => GpuLedger::new(devices, bounds),
            _ => {
                tracing::warn!(generation, "gpu ledger restarted, old leases run out first");
                GpuLedger::after_crash(devices, bounds, generation, now())
            }
        };
        let mut state = State {
            ledger,
            supervisor,
            last_ticket: Ticket(0),
            owed: BTreeMap::new(),
            timer: None,
        };
        state.arm(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: message::Ledger,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.withdraw_gone(&myself);
        match message {
            message::Ledger::Lease { request, reply } => {
                let ticket = state.owe(Port::Lease(reply));
                state.step(&myself, Event::Request { ticket, request });
            }
            message::Ledger::Renew { lease, reply } => {
                let ticket = state.owe(Port::Renew(reply));
                state.step(&myself, Event::Renew { ticket, lease });
            }
            message::Ledger::Release { lease, reply } => {
                let ticket = state.owe(Port::Release(reply));
                state.step(&myself, Event::Release { ticket, lease });
            }
            message::Ledger::View { reply } => {
                // The caller may have stopped waiting.
                let _ = reply.send(state.view());
            }
            message::Ledger::Line { reply } => {
                // The caller may have stopped waiting.
                let _ = reply.send(state.ledger.line());
            }
            message::Ledger::Place { holder, reply } => {
                let _ = reply.send(state.ledger.place(&holder));
            }
            message::Ledger::Health { device, health } => state.step(&myself, Event::Health { device, health }),
            message::Ledger::Cleared { device, lease } => state.step(&myself, Event::Cleared { device, lease }),
            message::Ledger::Tick => {
                state.timer = None;
                state.step(&myself, Event::Tick);
            }
        }
        state.arm(&myself);
        Ok(())
    }
}

impl State {
    /// Takes callers who stopped waiting out of the line, so that nothing is lent to them.
    fn withdraw_gone(&mut self, myself: &ActorRef<message::Ledger>) {
        let gone = self
            .owed
            .iter()
            .filter(|(_, port)| matches!(port, Port::Lease(reply) if reply.is_closed()));
        for ticket in gone.map(|(&ticket, _)| ticket).collect::<Vec<_>>() {
            self.owed.remove(&ticket);
            self.step(myself, Event::Withdraw { ticket });
        }
    }

    fn owe(&mut self, port: Port) -> Ticket {
        self.last_ticket = Ticket(self.last_ticket.0 + 1);
        self.owed.insert(self.last_ticket, port);
        self.last_ticket
    }

    fn step(&mut self, myself: &ActorRef<message::Ledger>, event: Event) {
        for action in self.ledger.step(now(), event) {
            self.perform(myself, action);
        }
    }

    fn perform(&mut self, myself: &ActorRef<message::Ledger>, action: Action) {
        match action {
            Action::Granted(ticket, lease) => {
                let id = lease.id;
                if !self.answer(ticket, Answer::Lease(lease)) {
                    self.step(myself, Event::Undelivered { lease: id });
                }
            }
            Action::Renewed(ticket, deadline) => {
                self.answer(ticket, Answer::Renewed(deadline));
            }
            Action::Released(ticket) => {
                self.answer(ticket, Answer::Released);
            }
            Action::Refused(ticket, refusal) => {
                self.answer(ticket, Answer::Refused(refusal));
            }
            Action::Clear { device, lease } => self.tell(device, message::Device::Clear { lease }),
            Action::Ended {
                lease,
                holder,
                why: Why::Expired,
            } => {
                tracing::warn!(%lease, %holder, "gpu lease expired, its holder did not renew it");
            }
            Action::Ended {
                lease,
                holder,
                why: Why::NewerEpoch,
            } => {
                tracing::info!(%lease, %holder, "gpu lease ended by a newer epoch of its holder");
            }
            Action::Ended {
                lease,
                holder,
                why: Why::DeviceFailed,
            } => {
                tracing::warn!(%lease, %holder, "gpu lease ended, a device of it failed");
            }
            Action::Quarantined { device } => {
                tracing::warn!(device, "gpu quarantined, memory of its last holder is still on it");
            }
            Action::Recovered { device } => tracing::info!(device, "gpu is clear, quarantine over"),
            Action::Changed {
                device,
                health: Health::Failed { why },
            } => tracing::error!(device, why, "gpu failed"),
            Action::Changed {
                device,
                health: Health::Healthy,
            } => tracing::info!(device, "gpu works again"),
        }
    }

    /// True when the answer reached somebody.
    fn answer(&mut self, ticket: Ticket, answer: Answer) -> bool {
        let Some(port) = self.owed.remove(&ticket) else {
            return false;
        };
        match (port, answer) {
            (Port::Lease(reply), Answer::Lease(lease)) => reply.send(Ok(lease)).is_ok(),
            (Port::Renew(reply), Answer::Renewed(deadline)) => reply.send(Ok(deadline)).is_ok(),
            (Port::Release(reply), Answer::Released) => reply.send(Ok(())).is_ok(),
            (Port::Lease(reply), Answer::Refused(refusal)) => reply.send(Err(refusal)).is_ok(),
            (Port::Renew(reply), Answer::Refused(refusal)) => reply.send(Err(refusal)).is_ok(),
            (Port::Release(reply), Answer::Refused(refusal)) => reply.send(Err(refusal)).is_ok(),
            (Port::Lease(_) | Port::Renew(_) | Port::Release(_), _) => {
                unreachable!("invariant: the ledger answers a ticket by what was asked")
            }
        }
    }

    /// A device actor that is restarting misses this; the ledger asks again until it hears `Cleared`.
    fn tell(&self, device: u32, message: message::Device) {
        if let Some(cell) = self.supervisor.child(&device_name(device)) {
            let _ = ActorRef::<message::Device>::from(cell).cast(message);
        }
    }

    fn view(&self) -> Vec<LedgerView> {
        let wall_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |it| it.as_millis());
        let now = now();
        let since_ms = |since: Instant| {
            let ms = wall_ms.saturating_sub(now.saturating_duration_since(since).as_millis());
            u64::try_from(ms).unwrap_or(u64::MAX)
        };
        let views = self.ledger.view().into_iter();
        views
            .map(|view| LedgerView {
                since_ms: view.lease.as_ref().map_or(0, |it| since_ms(it.since)),
                view,
            })
            .collect()
    }

    /// One timer, for the nearest deadline; an idle ledger has none.
    fn arm(&mut self, myself: &ActorRef<message::Ledger>) {
        let due = self.ledger.next_tick();
        if self.timer.as_ref().map(|it| it.due) == due {
            return;
        }
        if let Some(timer) = self.timer.take() {
            timer.task.abort();
        }
        self.timer = due.map(|due| {
            let pause = due.saturating_duration_since(now());
            Timer {
                due,
                task: myself.send_after(pause, || message::Ledger::Tick),
            }
        });
    }
}

enum Answer {
    Lease(Lease),
    Renewed(Instant),
    Released,
    Refused(Refusal),
}

/// tokio's clock, which tests can hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
