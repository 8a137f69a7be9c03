//! What gateways ask of a replica.

use super::cell::{MAX_QUEUED_BYTES, MAX_QUEUED_CELLS, Phase, Queued};
use super::takeover::{Acting, Handover, Wanted};
use super::{Action, ChildCommand, Core, Micros, Ticket};
use crate::message::JupyterMessage;
use crate::protocol::{Channel, ExecutionState, LentCell, Origin, ReplicaInfo, ReplicaReply, ReplicaRequest, Role};

/// Messages for a child that is not up yet.
const MAX_BACKLOG: usize = 256;

/// A hand-over waits this long for a child and for the log.
const HANDOVER_DEADLINE_US: Micros = 30_000_000;

impl Core {
    pub(super) fn request(&mut self, ticket: Ticket, request: ReplicaRequest) {
        match request {
            ReplicaRequest::Info => {
                let reply = ReplicaReply::Info(Box::new(self.info()));
                self.actions.push(Action::Answer { ticket, reply });
            }
            ReplicaRequest::Unsubscribe { gateway } => {
                self.actions.push(Action::Unsubscribe { gateway });
                self.answer(ticket, ReplicaReply::Done);
            }
            ReplicaRequest::Handover => self.handover(ticket, Wanted::Role),
            ReplicaRequest::Take { msg_id, lent } => self.take(ticket, msg_id, lent),
            ReplicaRequest::Room(room) => self.offer(ticket, room),
            // The shell asks the ledger; nothing to decide.
            ReplicaRequest::Place => self.answer(ticket, ReplicaReply::Place(None)),
            ReplicaRequest::LeaveRoom { election } => {
                self.leave_offer(election);
                self.answer(ticket, ReplicaReply::Done);
            }
            ReplicaRequest::Scrub => self.barrier(ticket),
            // The shell's, which asks the group.
            ReplicaRequest::Reshape { .. } => {}
            ReplicaRequest::Submit {
                origin,
                channel,
                message,
            } => match self.acting() {
                Acting::There(executor) => self.answer(ticket, ReplicaReply::Redirect { executor }),
                Acting::Here | Acting::Vacant => {
                    self.forgive_child();
                    let reply = self.submit(origin, channel, message);
                    self.answer(ticket, reply);
                }
            },
            ReplicaRequest::Subscribe {
                gateway,
                connections,
                seen,
            } => match self.acting() {
                Acting::There(executor) => self.answer(ticket, ReplicaReply::Redirect { executor }),
                Acting::Here => self.actions.push(Action::Subscribe {
                    ticket,
                    gateway,
                    connections,
                    seen,
                }),
                // Its events will carry the epoch of its take-over; a subscription to the old one would be void.
                Acting::Vacant => self.answer(
                    ticket,
                    ReplicaReply::Refused {
                        code: "NB0408".to_owned(),
                        message: "the executor is lost; a request makes this replica take over".to_owned(),
                    },
                ),
            },
            ReplicaRequest::Interrupt => match self.acting() {
                Acting::There(executor) => self.answer(ticket, ReplicaReply::Redirect { executor }),
                Acting::Here | Acting::Vacant => {
                    self.interrupt();
                    self.answer(ticket, ReplicaReply::Done);
                }
            },
            ReplicaRequest::Restart => match self.acting() {
                Acting::There(executor) => self.answer(ticket, ReplicaReply::Redirect { executor }),
                Acting::Here | Acting::Vacant => {
                    self.forgive_child();
                    self.restarts.push(ticket);
                    self.restart_requested = true;
                }
            },
        }
    }

    /// Jupyter's `execution_state` of this replica's kernel.
    pub(crate) fn execution_state(&self) -> ExecutionState {
        if self.state.running().is_some() || self.cell.is_some() {
            ExecutionState::Busy
        } else if self.child_failure().is_some() {
            ExecutionState::Dead
        } else if self.child_is_current() {
            ExecutionState::Idle
        } else {
            ExecutionState::Starting
        }
    }

    fn answer(&mut self, ticket: Ticket, reply: ReplicaReply) {
        self.actions.push(Action::Answer { ticket, reply });
    }

    fn submit(&mut self, origin: Origin, channel: Channel, message: JupyterMessage) -> ReplicaReply {
        let Some(fields) = message.header_fields().filter(|fields| !fields.msg_id.is_empty()) else {
            return ReplicaReply::Refused {
                code: "NB0404".to_owned(),
                message: "the message has no header with a msg_id".to_owned(),
            };
        };
        self.last_activity = self.now;
        self.asked_at = self.now;
        if channel == Channel::Shell && fields.msg_type == "execute_request" {
            return self.enqueue(fields.msg_id, origin, message);
        }
        self.origins.insert(&fields.msg_id, origin);
        if self.backlog.len() >= MAX_BACKLOG {
            return ReplicaReply::Busy;
        }
        self.backlog.push_back((channel, message));
        ReplicaReply::Accepted
    }

    fn enqueue(&mut self, msg_id: String, origin: Origin, message: JupyterMessage) -> ReplicaReply {
        self.origins.insert(&msg_id, origin.clone());
        let known = self
            .cell
            .as_mut()
            .filter(|cell| cell.msg_id == msg_id)
            .map(|cell| &mut cell.origins);
        let waiting = self
            .queue
            .iter_mut()
            .find(|queued| queued.msg_id == msg_id)
            .map(|queued| &mut queued.origins);
        if let Some(origins) = known.or(waiting) {
            // One connection may ask twice; it gets one reply.
            if !origins.contains(&origin) {
                origins.push(origin);
            }
            return ReplicaReply::Accepted;
        }
        if self.queue.len() >= MAX_QUEUED_CELLS || self.queue_bytes + message.size() > MAX_QUEUED_BYTES {
            return ReplicaReply::Busy;
        }
        self.queue_bytes += message.size();
        self.queue.push_back(Queued {
            msg_id,
            message,
            origins: vec![origin],
        });
        ReplicaReply::Accepted
    }

    fn interrupt(&mut self) {
        let Some(cell) = self.cell.as_mut() else {
            return;
        };
        match cell.phase {
            Phase::Running { .. } => self.actions.push(Action::Child(ChildCommand::Interrupt)),
            Phase::Leasing | Phase::Electing => {
                self.leave_lines(None);
                self.refuse_cell("KeyboardInterrupt", "interrupted while waiting for GPUs");
            }
            Phase::Asking { .. } | Phase::Moving { lent: false, .. } => {
                self.refuse_cell("KeyboardInterrupt", "interrupted before the code ran");
            }
            // It may have started there already.
            Phase::Moving { lent: true, .. } | Phase::Starting | Phase::Ready { .. } => cell.interrupt_at_start = true,
            // The code has ended.
            Phase::Storing { .. } | Phase::Committing { .. } => {}
        }
    }

    fn handover(&mut self, ticket: Ticket, wanted: Wanted) {
        if let Some(refusal) = self.refuse_leaving() {
            return self.drop_handover(
                Handover {
                    ticket,
                    deadline: self.now,
                    wanted,
                },
                refusal,
            );
        }
        self.forgive_child();
        self.handovers.push(Handover {
            ticket,
            deadline: self.now + HANDOVER_DEADLINE_US,
            wanted,
        });
        self.start_child();
    }

    /// The executor says that a cell's GPUs wait here; or that it touches what is pinned here, which lives in the Python process: a
    /// new one does not have it.
    fn take(&mut self, ticket: Ticket, msg_id: String, lent: Option<Box<LentCell>>) {
        if let Some(lent) = lent {
            if self.accept_lent(&msg_id) {
                return self.handover(
                    ticket,
                    Wanted::LentCell {
                        msg_id,
                        lent: Some(lent),
                    },
                );
            }
            let reply = ReplicaReply::Refused {
                code: "NB0413".to_owned(),
                message: "the GPUs are no longer held for the cell".to_owned(),
            };
            return self.answer(ticket, reply);
        }
        if self.child.pid().is_some() {
            return self.handover(ticket, Wanted::PinnedCell { msg_id });
        }
        let reply = ReplicaReply::Refused {
            code: "NB0411".to_owned(),
            message: "the Python process that held the pinned variables has ended".to_owned(),
        };
        self.answer(ticket, reply);
    }

    pub(crate) fn info(&self) -> ReplicaInfo {
        let role = match (self.is_joining(), self.is_executor()) {
            (true, _) => Role::Joining,
            (false, true) => Role::Executor,
            (false, false) => Role::Standby,
        };
        ReplicaInfo {
            kernel: self.kernel,
            host: self.host.clone(),
            replica: self.me.replica,
            role,
            pid: self.child.pid(),
            applied: self.child_applied(),
            cells: self.state.cells(),
            epoch: self.state.epoch(),
            executor: self
                .state
                .executor()
                .and_then(|executor| self.host_of(executor.replica))
                .cloned(),
            state: self.execution_state(),
            last_activity_us: self.last_activity,
            // The shell counts connections.
            connections: 0,
            execution_count: self.state.execution_count(),
            pinned: self.state.pinned().to_vec(),
            gpus: match &self.cell {
                Some(cell) if cell.released => 0,
                _ => self.state.running().map_or(0, |running| running.gpus),
            },
            awaited: self.awaited(),
            // The shell counts bytes.
            replicating: None,
            retired: self.is_retired(),
            // The shell knows the log and the chunks.
            log: 0,
            lacks: 0,
        }
    }
}
