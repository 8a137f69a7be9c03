//! The ordered list of requests that are not settled yet. Pure and bounded.

use std::collections::VecDeque;

use nbos_kernel::protocol::Channel;
use nbos_kernel::{HeaderFields, JupyterMessage};
use nbos_mesh::NodeName;

use super::event::{ClientId, Millis};
use crate::framing::Inbound;

/// After a restart a request may still be answered for this long; it is not sent again.
const ABANDONED_FOR: Millis = 10_000;

/// How a request may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A cell: kept until its reply, sent again if the executor is lost (the log runs a `msg_id` once).
    Execute,
    /// A question without side effects: kept until its reply like a cell.
    Query,
    /// Sent until some executor takes it; a repetition does no harm.
    UntilTaken,
    /// Everything else, `comm_*` above all: never sent twice.
    Once,
}

impl Kind {
    pub(crate) fn of(channel: Channel, msg_type: &str) -> Self {
        match (channel, msg_type) {
            (_, "execute_request") => Self::Execute,
            (
                _,
                "kernel_info_request"
                | "complete_request"
                | "inspect_request"
                | "is_complete_request"
                | "history_request"
                | "comm_info_request",
            ) => Self::Query,
            (Channel::Stdin, _) | (Channel::Control, "interrupt_request" | "shutdown_request") => Self::UntilTaken,
            (Channel::Shell | Channel::Control | Channel::Iopub, _) => Self::Once,
        }
    }

    /// Whether a reply of this type answers a request that is kept here: without one it is a duplicate.
    pub(crate) fn is_tracked_reply(msg_type: &str) -> bool {
        msg_type.strip_suffix("_reply").is_some_and(|stem| {
            matches!(
                stem,
                "execute" | "kernel_info" | "complete" | "inspect" | "is_complete" | "history" | "comm_info"
            )
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To be sent, since then.
    Waiting { since: Millis },
    /// In the memory of that host's replica.
    Accepted { by: NodeName, at: Millis },
    /// Overtaken by a restart.
    Abandoned { at: Millis },
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Order of arrival.
    pub(crate) seq: u64,
    pub(crate) client: ClientId,
    pub(crate) channel: Channel,
    pub(crate) kind: Kind,
    pub(crate) fields: HeaderFields,
    pub(crate) message: JupyterMessage,
    pub(crate) phase: Phase,
}

#[derive(Debug)]
pub(crate) struct Pending {
    list: VecDeque<Request>,
    bytes: usize,
    next_seq: u64,
    max_requests: usize,
    max_bytes: usize,
}

/// The list is full; the request comes back.
#[derive(Debug)]
pub(crate) struct Full(pub(crate) Inbound);

impl Pending {
    pub(crate) fn new(max_requests: usize, max_bytes: usize) -> Self {
        Self {
            list: VecDeque::new(),
            bytes: 0,
            next_seq: 0,
            max_requests,
            max_bytes,
        }
    }

    /// Adds a request at the end. The same one of the same client, still unanswered, is kept once.
    pub(crate) fn push(&mut self, now: Millis, client: ClientId, inbound: Inbound) -> Result<(), Box<Full>> {
        let kind = Kind::of(inbound.channel, &inbound.fields.msg_type);
        let tracked = matches!(kind, Kind::Execute | Kind::Query);
        if tracked && self.position(client, &inbound.fields.msg_id).is_some() {
            return Ok(());
        }
        let size = inbound.message.size();
        let full = self.list.len() >= self.max_requests || self.bytes + size > self.max_bytes;
        if full && !self.list.is_empty() {
            return Err(Box::new(Full(inbound)));
        }
        let Inbound {
            channel,
            fields,
            message,
        } = inbound;
        self.next_seq += 1;
        self.bytes += size;
        let phase = Phase::Waiting { since: now };
        self.list.push_back(Request {
            seq: self.next_seq,
            client,
            channel,
            kind,
            fields,
            message,
            phase,
        });
        Ok(())
    }

    /// The request to send next: control before stdin before shell, each in its order.
    pub(crate) fn next_waiting(&self) -> Option<&Request> {
        let of = |channel| {
            self.list
                .iter()
                .find(|request| request.channel == channel && request.is_waiting())
        };
        of(Channel::Control)
            .or_else(|| of(Channel::Stdin))
            .or_else(|| of(Channel::Shell))
    }

    /// A replica has taken the request.
    pub(crate) fn accepted(&mut self, seq: u64, by: NodeName, now: Millis) {
        let Some(index) = self.list.iter().position(|request| request.seq == seq) else {
            return;
        };
        match self.list[index].kind {
            Kind::Execute | Kind::Query => {
                let request = &mut self.list[index];
                if request.is_waiting() {
                    request.phase = Phase::Accepted { by, at: now };
                }
            }
            Kind::UntilTaken | Kind::Once => drop(self.take(index)),
        }
    }

    /// A reply came: the request is settled.
    pub(crate) fn answered(&mut self, client: ClientId, msg_id: &str) -> Option<Request> {
        let index = self.position(client, msg_id)?;
        self.take(index)
    }

    pub(crate) fn remove(&mut self, seq: u64) -> Option<Request> {
        let index = self.list.iter().position(|request| request.seq == seq)?;
        self.take(index)
    }

    /// The request may have been carried out: one that must not be repeated is given up.
    pub(crate) fn remove_once(&mut self, seq: u64) {
        self.retain(|request| request.seq != seq || request.kind != Kind::Once);
    }

    /// Makes accepted requests that `lost` names wait again, in their old places.
    pub(crate) fn requeue(&mut self, now: Millis, mut lost: impl FnMut(&NodeName, Millis) -> bool) {
        for request in &mut self.list {
            if let Phase::Accepted { by, at } = &request.phase
                && lost(by, *at)
            {
                request.phase = Phase::Waiting { since: now };
            }
        }
    }

    /// Nothing sent so far is sent again.
    pub(crate) fn abandon(&mut self, now: Millis) {
        for request in &mut self.list {
            request.phase = Phase::Abandoned { at: now };
        }
    }

    /// Drops what only a client that has left could use; its cells stay.
    pub(crate) fn forget_client(&mut self, client: ClientId) {
        self.retain(|request| request.client != client || request.kind == Kind::Execute);
    }

    /// Takes out what has waited longer than `patience`.
    pub(crate) fn expired(&mut self, now: Millis, patience: Millis) -> Vec<Request> {
        let mut expired = Vec::new();
        let mut index = 0;
        while index < self.list.len() {
            if self.list[index].expires_at(patience).is_some_and(|at| at <= now) {
                expired.extend(self.take(index));
            } else {
                index += 1;
            }
        }
        expired
    }

    /// When the next one expires.
    pub(crate) fn next_expiry(&self, patience: Millis) -> Option<Millis> {
        self.list
            .iter()
            .filter_map(|request| request.expires_at(patience))
            .min()
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.list.iter().any(Request::is_waiting)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn position(&self, client: ClientId, msg_id: &str) -> Option<usize> {
        self.list
            .iter()
            .position(|request| request.client == client && request.fields.msg_id == msg_id)
    }

    fn take(&mut self, index: usize) -> Option<Request> {
        let request = self.list.remove(index)?;
        self.bytes -= request.message.size();
        Some(request)
    }

    fn retain(&mut self, keep: impl Fn(&Request) -> bool) {
        self.list.retain(keep);
        self.bytes = self.list.iter().map(|request| request.message.size()).sum();
    }
}

impl Request {
    fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    fn expires_at(&self, patience: Millis) -> Option<Millis> {
        match (&self.phase, self.kind) {
            (Phase::Waiting { since }, _) => Some(since + patience),
            // A cell may run for days; a question that nobody answers is given up.
            (Phase::Accepted { .. }, Kind::Execute) => None,
            (Phase::Accepted { at, .. }, _) => Some(at + patience),
            (Phase::Abandoned { at }, _) => Some(at + ABANDONED_FOR),
        }
    }
}
