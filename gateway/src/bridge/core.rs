//! What the bridge decides. Pure: the clock and the seed are parameters, ties go by arrival or by order of preference.
//!
//! Requests of all clients of a kernel stand in one list. One `Submit` is in flight at a time, so cells reach the log in the
//! order they came (invariant 7). A request stays in the list until its reply; when the executor changes, everything
//! unanswered is sent again, in order, under the same `msg_id`, which the log runs once.

use std::collections::BTreeSet;

use bytes::Bytes;
use nbos_kernel::protocol::{
    Channel, EventBody, ExecutionState, KernelEvent, Origin, ReplicaReply, SUBSCRIPTION_RENEWAL,
};
use nbos_mesh::NodeName;

use super::clients::Clients;
use super::event::{Action, Answer, ClientId, Event, Failure, Millis, Notice, SocketId, Ticket};
use super::pending::{Kind, Pending, Request};
use super::route::Route;
use super::stream::{Stream, Verdict};
use crate::framing::Inbound;

/// Shortest and longest pause before the same hosts are asked again: short beside a fail-over, long beside a round trip.
const PAUSE: (Millis, Millis) = (20, 100);

/// The pause when nothing waits and only the subscription is to be found again.
const IDLE_PAUSE: Millis = 500;

/// Renewal while a hole in the stream is open.
const HOLE_RENEWAL: Millis = 200;

/// An executor that says it is idle while a request it took this long ago has no reply has lost the request or its reply.
const LOST_AFTER: Millis = 1_500;

/// Bounds, from the gateway's options.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max_pending: usize,
    pub(crate) max_pending_bytes: usize,
    pub(crate) patience: Millis,
    pub(crate) kept: Millis,
}

#[derive(Debug)]
pub(crate) struct Core {
    gateway: NodeName,
    limits: Limits,
    clients: Clients,
    pending: Pending,
    route: Route,
    stream: Stream,
    submitting: Option<Submitting>,
    submit_at: Millis,
    subscription: Subscription,
    /// Parent header of the newest output: where a notice is shown.
    last_parent: Bytes,
    tickets: u64,
    seed: u64,
    phase: Life,
}

#[derive(Debug)]
struct Submitting {
    ticket: Ticket,
    seq: u64,
    host: NodeName,
}

#[derive(Debug, Default)]
struct Subscription {
    at: Option<NodeName>,
    in_flight: Option<(Ticket, NodeName)>,
    next: Millis,
    /// Hosts that answered without subscribing us: a cell may be sent there, which makes a standby take over.
    refused_by: BTreeSet<NodeName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// No client has come yet.
    New,
    Open,
    Closed,
}

impl Core {
    pub(crate) fn new(gateway: NodeName, limits: Limits, seed: u64) -> Self {
        Self {
            clients: Clients::default(),
            pending: Pending::new(limits.max_pending, limits.max_pending_bytes),
            route: Route::new(gateway.clone()),
            stream: Stream::default(),
            submitting: None,
            submit_at: 0,
            subscription: Subscription::default(),
            last_parent: Bytes::from_static(b"{}"),
            tickets: 0,
            // xorshift never leaves zero.
            seed: seed | 1,
            phase: Life::New,
            gateway,
            limits,
        }
    }

    /// A socket opened. Returns the client it speaks for: the one of the same session, else `fresh`.
    pub(crate) fn attach(
        &mut self,
        now: Millis,
        session: &str,
        fresh: ClientId,
        socket: SocketId,
    ) -> (ClientId, Vec<Action>) {
        if self.phase == Life::New {
            self.phase = Life::Open;
        }
        let client = self.clients.attach(session, fresh, socket);
        // The executor counts connections.
        self.subscription.next = now;
        let mut actions = Vec::new();
        self.pump(now, &mut actions);
        (client, actions)
    }

    pub(crate) fn step(&mut self, now: Millis, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Placed(hosts) => {
                if self.route.placed(hosts) {
                    self.world_changed(now);
                }
            }
            Event::Deleted => {
                self.phase = Life::Closed;
                return vec![Action::CloseAll, Action::Stop];
            }
            Event::Restarted => self.pending.abandon(now),
            Event::Peers(peers) => {
                if let Some(lost) = self.route.peers(peers) {
                    lost.iter().for_each(|host| self.host_lost(now, host));
                    self.world_changed(now);
                }
            }
            Event::FromClient { client, inbound } => self.client_sent(now, client, inbound, &mut actions),
            Event::Detach { client, socket } => {
                self.subscription.next = now;
                if self.clients.detach(now, client, socket) {
                    self.forget(client, &mut actions);
                }
            }
            Event::Submitted { ticket, answer } => self.submitted(now, ticket, answer, &mut actions),
            Event::Subscribed { ticket, answer } => self.subscribed(now, ticket, answer),
            Event::FromKernel(event) => self.kernel_sent(now, event, &mut actions),
            Event::Wake => {}
        }
        self.pump(now, &mut actions);
        actions
    }

    /// When to be woken at the latest, right after a step at `now`: what is due already waits for an answer, not for time.
    pub(crate) fn next_wake(&self, now: Millis) -> Option<Millis> {
        if self.phase != Life::Open {
            return None;
        }
        let submit = (self.submitting.is_none() && self.pending.has_waiting()).then_some(self.submit_at);
        let subscribe = self.subscription.in_flight.is_none().then_some(self.subscription.next);
        let expiry = self.pending.next_expiry(self.limits.patience);
        let departure = self.clients.next_expiry(self.limits.kept);
        [submit, subscribe, expiry, departure]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    fn client_sent(&mut self, now: Millis, client: ClientId, inbound: Inbound, actions: &mut Vec<Action>) {
        if let Err(full) = self.pending.push(now, client, inbound) {
            let Inbound {
                channel,
                fields,
                message,
            } = full.0;
            if Kind::of(channel, &fields.msg_type) == Kind::Execute {
                actions.push(Action::Fail {
                    client,
                    request: message,
                    failure: Failure::TooManyPending,
                });
            }
        }
    }

    fn submitted(&mut self, now: Millis, ticket: Ticket, answer: Answer, actions: &mut Vec<Action>) {
        let Some(Submitting { seq, host, .. }) = self.submitting.take_if(|call| call.ticket == ticket) else {
            return;
        };
        match answer {
            Answer::Reply(ReplicaReply::Accepted) => {
                self.executor_is(now, &host);
                self.pending.accepted(seq, host, now);
            }
            Answer::Reply(ReplicaReply::Redirect { executor }) => {
                let follow = self.route.redirected(&host, &executor);
                self.submit_at = if follow { now } else { self.after_failure(now) };
            }
            Answer::Reply(ReplicaReply::Busy) | Answer::Busy => self.submit_at = now + self.pause(),
            Answer::Reply(ReplicaReply::Refused { code, message }) => {
                if let Some(request) = self.pending.remove(seq) {
                    self.fail(request, Failure::Refused { code, message }, actions);
                }
            }
            Answer::Absent => {
                self.route.failed(&host);
                self.submit_at = self.after_failure(now);
            }
            Answer::Lost | Answer::Reply(_) => {
                self.route.failed(&host);
                self.submit_at = self.after_failure(now);
                self.pending.remove_once(seq);
            }
        }
    }

    fn subscribed(&mut self, now: Millis, ticket: Ticket, answer: Answer) {
        let in_flight = self.subscription.in_flight.take_if(|(current, _)| *current == ticket);
        let Some((_, host)) = in_flight else { return };
        match answer {
            Answer::Reply(ReplicaReply::Subscribed { epoch, status }) if self.stream.subscribed(&host, epoch) => {
                self.executor_is(now, &host);
                self.subscription.at = Some(host.clone());
                let renewal = if self.stream.has_hole() {
                    HOLE_RENEWAL
                } else {
                    SUBSCRIPTION_RENEWAL.as_millis() as u64
                };
                self.subscription.next = now + renewal;
                if status == ExecutionState::Idle {
                    self.pending
                        .requeue(now, |by, at| *by != host || now >= at + LOST_AFTER);
                }
            }
            Answer::Reply(ReplicaReply::Redirect { executor }) if self.route.is_up(&executor) => {
                self.taken_in_vain(now, &host);
                let follow = self.route.redirected(&host, &executor);
                let next = if follow { now } else { self.after_failure(now) };
                self.subscribe_again(next);
            }
            Answer::Reply(ReplicaReply::Redirect { .. } | ReplicaReply::Refused { .. }) => {
                self.taken_in_vain(now, &host);
                self.subscription.refused_by.insert(host);
                self.subscription.next = now + SUBSCRIPTION_RENEWAL.as_millis() as u64;
            }
            Answer::Busy | Answer::Reply(ReplicaReply::Busy) => {
                let next = now + self.pause();
                self.subscribe_again(next);
            }
            Answer::Absent | Answer::Lost | Answer::Reply(_) => {
                self.route.failed(&host);
                let next = self.after_failure(now);
                self.subscribe_again(next);
            }
        }
    }

    /// `host` says that it is not the executor: what it took it may have dropped. Sent again, it runs once all the same.
    fn taken_in_vain(&mut self, now: Millis, host: &NodeName) {
        self.pending.requeue(now, |by, _| by == host);
    }

    /// What waits for the subscription pauses with it.
    fn subscribe_again(&mut self, at: Millis) {
        self.subscription.next = at;
        if self.pending.has_waiting() {
            self.submit_at = self.submit_at.max(at);
        }
    }

    fn kernel_sent(&mut self, now: Millis, event: KernelEvent, actions: &mut Vec<Action>) {
        let KernelEvent { host, cursor, body, .. } = event;
        if let EventBody::Gap { upto } = body {
            if self.stream.gap(&host, cursor.epoch, upto) {
                self.output_lost(now, actions);
            }
            return;
        }
        match self.stream.accept(now, &host, cursor) {
            Verdict::Drop | Verdict::Hole { first: false } => return,
            Verdict::Hole { first: true } => {
                self.subscription.next = now;
                return;
            }
            Verdict::Next => {}
            Verdict::NextAfterLoss => self.output_lost(now, actions),
        }
        self.executor_is(now, &host);
        match body {
            EventBody::Iopub { cell, message } => {
                for client in self.clients.wanting(cell.as_ref()) {
                    actions.push(Action::Deliver {
                        client,
                        channel: Channel::Iopub,
                        message: message.clone(),
                    });
                }
                self.last_parent = message.parent_header;
            }
            EventBody::Reply {
                origin,
                channel,
                message,
            } if origin.gateway == self.gateway => {
                self.reply(ClientId(origin.connection), channel, message, actions);
            }
            EventBody::Reply { .. } | EventBody::Gap { .. } => {}
        }
    }

    fn reply(
        &mut self,
        client: ClientId,
        channel: Channel,
        message: nbos_kernel::JupyterMessage,
        actions: &mut Vec<Action>,
    ) {
        // An `input_request` does not settle the cell that asks.
        if channel != Channel::Stdin {
            let msg_type = message.header_fields().unwrap_or_default().msg_type;
            let settled = self.pending.answered(client, &message.parent_fields().msg_id).is_some();
            if !settled && Kind::is_tracked_reply(&msg_type) {
                return;
            }
        }
        if self.clients.contains(client) {
            actions.push(Action::Deliver {
                client,
                channel,
                message,
            });
        }
    }

    /// Output did not reach this gateway, and perhaps a reply with it: say so, and ask again for what is unanswered.
    fn output_lost(&mut self, now: Millis, actions: &mut Vec<Action>) {
        self.pending.requeue(now, |_, _| true);
        for client in self.clients.ids() {
            let parent = self.last_parent.clone();
            actions.push(Action::Notice {
                client,
                parent,
                notice: Notice::OutputLost,
            });
        }
    }

    /// `host` acted as the executor; what another one took and did not answer is lost with it.
    fn executor_is(&mut self, now: Millis, host: &NodeName) {
        self.subscription.refused_by.clear();
        if self.route.is_executor(host) {
            self.pending.requeue(now, |by, _| by != host);
            self.submit_at = now;
            if self.subscription.at.as_ref() != Some(host) {
                self.subscription.next = now;
            }
        }
    }

    /// A host's process is silent, gone or another one.
    fn host_lost(&mut self, now: Millis, host: &NodeName) {
        self.pending.requeue(now, |by, _| by == host);
        self.subscription.at.take_if(|at| at == host);
        self.subscription.in_flight.take_if(|(_, at)| at == host);
        if let Some(call) = self.submitting.take_if(|call| call.host == *host) {
            self.pending.remove_once(call.seq);
        }
    }

    /// Hosts came, went or recovered: ask at once.
    fn world_changed(&mut self, now: Millis) {
        self.subscription.refused_by.clear();
        self.submit_at = now;
        if self.subscription.at.is_none() {
            self.subscription.next = now;
        }
    }

    fn fail(&self, request: Request, failure: Failure, actions: &mut Vec<Action>) {
        if request.kind == Kind::Execute && self.clients.contains(request.client) {
            actions.push(Action::Fail {
                client: request.client,
                request: request.message,
                failure,
            });
        }
    }

    fn forget(&mut self, client: ClientId, actions: &mut Vec<Action>) {
        self.pending.forget_client(client);
        actions.push(Action::Forget { client });
    }

    /// Everything that time or a new situation makes possible.
    fn pump(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.phase != Life::Open {
            return;
        }
        for request in self.pending.expired(now, self.limits.patience) {
            if !matches!(request.phase, super::pending::Phase::Abandoned { .. }) {
                self.fail(request, Failure::Unreachable, actions);
            }
        }
        for client in self.clients.expired(now, self.limits.kept) {
            self.forget(client, actions);
        }
        if self.clients.is_empty() && self.pending.is_empty() {
            self.phase = Life::Closed;
            actions.extend(self.subscription.at.take().map(|host| Action::Unsubscribe { host }));
            actions.push(Action::Stop);
            return;
        }
        self.submit(now, actions);
        self.subscribe(now, actions);
    }

    fn submit(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.submitting.is_some() || now < self.submit_at {
            return;
        }
        let (Some(request), Some(host)) = (self.pending.next_waiting(), self.route.target().cloned()) else {
            return;
        };
        // Subscribed first, so that no output of the cell can be missed.
        let subscribed = self.subscription.at.as_ref() == Some(&host);
        if !subscribed && !self.subscription.refused_by.contains(&host) {
            self.subscription.next = self.subscription.next.min(now);
            return;
        }
        let origin = Origin {
            gateway: self.gateway.clone(),
            connection: request.client.0,
        };
        let (seq, channel, message) = (request.seq, request.channel, request.message.clone());
        let ticket = self.ticket();
        self.submitting = Some(Submitting {
            ticket,
            seq,
            host: host.clone(),
        });
        actions.push(Action::Submit {
            ticket,
            host,
            origin,
            channel,
            message,
        });
    }

    fn subscribe(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.subscription.in_flight.is_some() || now < self.subscription.next {
            return;
        }
        let Some(host) = self.route.target().cloned() else {
            self.subscription.next = now + IDLE_PAUSE;
            return;
        };
        let ticket = self.ticket();
        self.subscription.in_flight = Some((ticket, host.clone()));
        let (connections, seen) = (self.clients.connected(), self.stream.cursor());
        actions.push(Action::Subscribe {
            ticket,
            host,
            connections,
            seen,
        });
    }

    /// When to go on after a host failed: at once while another one has not been asked yet.
    fn after_failure(&mut self, now: Millis) -> Millis {
        if self.route.round_is_over() {
            now + self.pause()
        } else {
            now
        }
    }

    fn pause(&mut self) -> Millis {
        if !self.pending.has_waiting() {
            return IDLE_PAUSE;
        }
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        PAUSE.0 + self.seed % (PAUSE.1 - PAUSE.0 + 1)
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}

#[cfg(test)]
mod tests;
