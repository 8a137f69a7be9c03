//! Events on their way to the subscribed gateways: numbered per gateway, kept for replay, bounded.

use std::collections::{BTreeMap, VecDeque};

use nbos_mesh::NodeName;

use crate::core::Micros;
use crate::id::Epoch;
use crate::protocol::{Cursor, EventBody, SUBSCRIPTION_LEASE};

/// Sent events kept for one gateway. At a megabyte a second of output this bridges the longest pause before a client gives up.
const KEPT_BYTES: usize = 8 << 20;

/// Events not sent yet: the largest message that the mesh carries fits. Beyond it the oldest are dropped, and it is said.
const UNSENT_BYTES: usize = 64 << 20;

/// Pure: the caller sends what [`Outbox::pending`] shows and reports it with [`Outbox::sent`].
#[derive(Default)]
pub(crate) struct Outbox {
    epoch: Epoch,
    subscribers: BTreeMap<NodeName, Subscriber>,
}

struct Subscriber {
    connections: u32,
    renewed: Micros,
    /// Number of the newest event.
    last: u64,
    /// Number of the newest event handed to the mesh.
    sent: u64,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
}

struct Kept {
    number: u64,
    size: usize,
    body: EventBody,
}

impl Outbox {
    /// Numbers start anew with every epoch; what the old epoch still held was sent, or is committed and asked for again.
    pub(crate) fn new_epoch(&mut self, epoch: Epoch) {
        if epoch == self.epoch {
            return;
        }
        self.epoch = epoch;
        for subscriber in self.subscribers.values_mut() {
            let unsent: Vec<Kept> = subscriber
                .kept
                .drain(..)
                .filter(|kept| kept.number > subscriber.sent)
                .collect();
            subscriber.last = 0;
            subscriber.sent = 0;
            subscriber.kept_bytes = 0;
            for kept in unsent {
                subscriber.push(kept.body);
            }
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn connections(&self) -> u32 {
        self.subscribers.values().map(|subscriber| subscriber.connections).sum()
    }

    pub(crate) fn subscribe(
        &mut self,
        now: Micros,
        gateway: &NodeName,
        connections: Option<u32>,
        seen: Option<Cursor>,
    ) {
        let epoch = self.epoch;
        let subscriber = self
            .subscribers
            .entry(gateway.clone())
            .or_insert_with(|| Subscriber::new(now));
        subscriber.renewed = now;
        if let Some(connections) = connections {
            subscriber.connections = connections;
        }
        if let Some(seen) = seen.filter(|seen| seen.epoch == epoch && seen.number < subscriber.sent) {
            // It missed some, or they are still on their way: numbers let it drop what comes twice.
            subscriber.sent = seen.number;
        }
    }

    pub(crate) fn unsubscribe(&mut self, gateway: &NodeName) {
        self.subscribers.remove(gateway);
    }

    /// Forgets gateways that have not renewed.
    pub(crate) fn expire(&mut self, now: Micros) {
        let lease = u64::try_from(SUBSCRIPTION_LEASE.as_micros()).unwrap_or(u64::MAX);
        self.subscribers
            .retain(|_, subscriber| now.saturating_sub(subscriber.renewed) <= lease);
    }

    pub(crate) fn publish(&mut self, body: &EventBody) {
        for subscriber in self.subscribers.values_mut() {
            subscriber.push(body.clone());
        }
    }

    pub(crate) fn publish_to(&mut self, now: Micros, gateway: &NodeName, body: EventBody) {
        self.subscribers
            .entry(gateway.clone())
            .or_insert_with(|| Subscriber::new(now))
            .push(body);
    }

    pub(crate) fn has_subscribers(&self) -> bool {
        !self.subscribers.is_empty()
    }

    pub(crate) fn gateways(&self) -> Vec<NodeName> {
        self.subscribers.keys().cloned().collect()
    }

    /// The next event to hand to the mesh for a gateway.
    pub(crate) fn pending(&self, gateway: &NodeName) -> Option<(Cursor, EventBody)> {
        let subscriber = self.subscribers.get(gateway)?;
        let next = subscriber.sent + 1;
        if subscriber.last < next {
            return None;
        }
        let first = subscriber.kept.front().map_or(subscriber.last + 1, |kept| kept.number);
        if first > next {
            let upto = first - 1;
            return Some((
                Cursor {
                    epoch: self.epoch,
                    number: upto,
                },
                EventBody::Gap { upto },
            ));
        }
        let index = usize::try_from(next - first).ok()?;
        let body = subscriber.kept.get(index)?.body.clone();
        Some((
            Cursor {
                epoch: self.epoch,
                number: next,
            },
            body,
        ))
    }

    pub(crate) fn sent(&mut self, gateway: &NodeName, cursor: Cursor) {
        if let Some(subscriber) = self.subscribers.get_mut(gateway).filter(|_| cursor.epoch == self.epoch) {
            subscriber.sent = subscriber.sent.max(cursor.number);
        }
    }
}

impl Subscriber {
    fn new(now: Micros) -> Self {
        Self {
            connections: 0,
            renewed: now,
            last: 0,
            sent: 0,
            kept: VecDeque::new(),
            kept_bytes: 0,
        }
    }

    fn push(&mut self, body: EventBody) {
        self.last += 1;
        let size = size_of_body(&body);
        self.kept.push_back(Kept {
            number: self.last,
            size,
            body,
        });
        self.kept_bytes += size;
        while self.kept.len() > 1 && self.kept_bytes > self.limit() {
            if let Some(dropped) = self.kept.pop_front() {
                self.kept_bytes -= dropped.size;
            }
        }
    }

    /// What was sent makes room early, what was not only when it must.
    fn limit(&self) -> usize {
        let sent = self.kept.front().is_some_and(|oldest| oldest.number <= self.sent);
        if sent { KEPT_BYTES } else { UNSENT_BYTES }
    }
}

fn size_of_body(body: &EventBody) -> usize {
    match body {
        EventBody::Iopub { message, .. } | EventBody::Reply { message, .. } => message.size() + 64,
        EventBody::Gap { .. } => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::JupyterMessage;

    fn output(text: &str) -> EventBody {
        EventBody::Iopub {
            cell: None,
            message: JupyterMessage {
                content: text.to_owned().into(),
                ..JupyterMessage::default()
            },
        }
    }

    fn drain(outbox: &mut Outbox, gateway: &NodeName) -> Vec<(u64, EventBody)> {
        let mut all = Vec::new();
        while let Some((cursor, body)) = outbox.pending(gateway) {
            outbox.sent(gateway, cursor);
            all.push((cursor.number, body));
        }
        all
    }

    #[test]
    fn resends_what_a_gateway_has_not_seen() {
        let gateway = NodeName::from("g");
        let mut outbox = Outbox::default();
        outbox.subscribe(0, &gateway, Some(1), None);
        for text in ["a", "b", "c"] {
            outbox.publish(&output(text));
        }
        assert_eq!(drain(&mut outbox, &gateway).len(), 3);
        outbox.subscribe(
            1,
            &gateway,
            Some(1),
            Some(Cursor {
                epoch: Epoch(0),
                number: 1,
            }),
        );
        let numbers: Vec<u64> = drain(&mut outbox, &gateway)
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbers, [2, 3]);
    }

    #[test]
    fn announces_what_it_dropped() {
        let gateway = NodeName::from("g");
        let mut outbox = Outbox::default();
        outbox.subscribe(0, &gateway, Some(1), None);
        let megabyte = "x".repeat(1 << 20);
        for _ in 0..80 {
            outbox.publish(&output(&megabyte));
        }
        let all = drain(&mut outbox, &gateway);
        assert!(
            matches!(all[0].1, EventBody::Gap { upto } if upto == all[0].0),
            "a gap comes first: {:?}",
            all[0].0
        );
        assert_eq!(all.last().map(|(number, _)| *number), Some(80));
        assert_eq!(all.len() as u64, 1 + 80 - all[0].0, "nothing is missing after the gap");
    }

    #[test]
    fn a_large_message_passes() {
        let gateway = NodeName::from("g");
        let mut outbox = Outbox::default();
        outbox.subscribe(0, &gateway, Some(1), None);
        outbox.publish(&output(&"x".repeat(20 << 20)));
        outbox.publish(&output("y"));
        assert_eq!(drain(&mut outbox, &gateway).len(), 2);
    }

    #[test]
    fn forgets_silent_gateways() {
        let gateway = NodeName::from("g");
        let mut outbox = Outbox::default();
        outbox.subscribe(0, &gateway, Some(2), None);
        assert_eq!(outbox.connections(), 2);
        outbox.expire(6_000_000);
        assert_eq!(outbox.connections(), 0);
    }
}
