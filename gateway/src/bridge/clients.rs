//! The clients of one kernel on this gateway, and which output each has been given. Pure.

use std::collections::{BTreeMap, VecDeque};

use nbos_kernel::protocol::CellOutput;

use super::event::{ClientId, Millis, SocketId};

/// Cells whose progress is remembered per client; a replay after fail-over concerns the running one and the few queued.
const REMEMBERED_CELLS: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Clients {
    map: BTreeMap<ClientId, Client>,
}

#[derive(Debug)]
struct Client {
    /// What the front end calls its session; empty when it did not say.
    session: String,
    socket: SocketId,
    detached_at: Option<Millis>,
    seen: Seen,
}

impl Clients {
    /// A socket opened: it takes over the client of the same session, else a new one called `fresh` begins.
    pub(crate) fn attach(&mut self, session: &str, fresh: ClientId, socket: SocketId) -> ClientId {
        let known = self
            .map
            .iter_mut()
            .find(|(_, client)| !session.is_empty() && client.session == session);
        if let Some((id, client)) = known {
            client.socket = socket;
            client.detached_at = None;
            return *id;
        }
        let client = Client {
            session: session.to_owned(),
            socket,
            detached_at: None,
            seen: Seen::default(),
        };
        self.map.insert(fresh, client);
        fresh
    }

    /// A socket closed. Returns whether the client is gone for good; a replaced socket changes nothing.
    pub(crate) fn detach(&mut self, now: Millis, id: ClientId, socket: SocketId) -> bool {
        let Some(client) = self.map.get_mut(&id).filter(|client| client.socket == socket) else {
            return false;
        };
        client.detached_at = Some(now);
        let gone = client.session.is_empty();
        if gone {
            self.map.remove(&id);
        }
        gone
    }

    /// Takes out the clients that did not come back.
    pub(crate) fn expired(&mut self, now: Millis, kept: Millis) -> Vec<ClientId> {
        let gone = |client: &Client| client.detached_at.is_some_and(|at| at + kept <= now);
        let expired: Vec<ClientId> = self
            .map
            .iter()
            .filter(|(_, client)| gone(client))
            .map(|(id, _)| *id)
            .collect();
        expired.iter().for_each(|id| drop(self.map.remove(id)));
        expired
    }

    pub(crate) fn next_expiry(&self, kept: Millis) -> Option<Millis> {
        self.map
            .values()
            .filter_map(|client| client.detached_at)
            .map(|at| at + kept)
            .min()
    }

    /// The clients that have not been given this output yet.
    pub(crate) fn wanting(&mut self, cell: Option<&CellOutput>) -> Vec<ClientId> {
        let wants = |client: &mut Client| cell.is_none_or(|output| client.seen.pass(output));
        self.map
            .iter_mut()
            .filter_map(|(id, client)| wants(client).then_some(*id))
            .collect()
    }

    pub(crate) fn contains(&self, id: ClientId) -> bool {
        self.map.contains_key(&id)
    }

    pub(crate) fn ids(&self) -> Vec<ClientId> {
        self.map.keys().copied().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Open sockets.
    pub(crate) fn connected(&self) -> u32 {
        let open = self.map.values().filter(|client| client.detached_at.is_none()).count();
        u32::try_from(open).unwrap_or(u32::MAX)
    }
}

/// The highest output number passed on, per cell.
#[derive(Debug, Default)]
struct Seen {
    numbers: BTreeMap<String, u64>,
    order: VecDeque<String>,
}

impl Seen {
    fn pass(&mut self, output: &CellOutput) -> bool {
        if let Some(highest) = self.numbers.get_mut(&output.msg_id) {
            let new = output.number > *highest;
            *highest = output.number.max(*highest);
            return new;
        }
        self.numbers.insert(output.msg_id.clone(), output.number);
        self.order.push_back(output.msg_id.clone());
        if self.order.len() > REMEMBERED_CELLS
            && let Some(oldest) = self.order.pop_front()
        {
            self.numbers.remove(&oldest);
        }
        true
    }
}
