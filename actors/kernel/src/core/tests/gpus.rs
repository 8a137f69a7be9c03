//! The GPUs of a host as the model sees them: a few devices, one line, other kernels that come and go.

use std::collections::VecDeque;

use crate::protocol::Place;

/// Devices of each host.
const INSTALLED: u32 = 2;

/// As long as a conditional lease lives at the real ledger.
const CONDITIONAL_US: u64 = 2_000_000;

#[derive(Default)]
pub(super) struct Gpus {
    /// Lent to other kernels.
    pub(super) others: u32,
    held: Option<Held>,
    line: VecDeque<Waiting>,
}

struct Held {
    count: u32,
    /// When it ends, unless it was confirmed.
    until: Option<u64>,
}

struct Waiting {
    msg_id: String,
    count: u32,
    until: u64,
    on_condition: bool,
}

impl Gpus {
    pub(super) fn ask(&mut self, now: u64, msg_id: String, count: u32, within: u64, on_condition: bool) {
        // The shell has one request under way.
        self.line.clear();
        self.line.push_back(Waiting {
            msg_id,
            count,
            until: now + within,
            on_condition,
        });
    }

    pub(super) fn leave_line(&mut self) {
        self.line.clear();
    }

    /// The answer to who is first in the line, if it can be given now.
    pub(super) fn serve(&mut self, now: u64) -> Option<(String, Result<(), &'static str>)> {
        let first = self.line.front()?;
        if self.free() >= first.count {
            let until = first.on_condition.then_some(now + CONDITIONAL_US);
            let count = first.count;
            self.held = Some(Held { count, until });
            return Some((self.line.pop_front()?.msg_id, Ok(())));
        }
        if first.until > now {
            return None;
        }
        Some((self.line.pop_front()?.msg_id, Err("NB0702")))
    }

    pub(super) fn expire(&mut self, now: u64) {
        self.held.take_if(|held| held.until.is_some_and(|until| until <= now));
    }

    /// False when the lease has ended.
    pub(super) fn confirm(&mut self) -> bool {
        self.held.as_mut().map(|held| held.until = None).is_some()
    }

    pub(super) fn release(&mut self) {
        self.held = None;
    }

    pub(super) fn held(&self) -> u32 {
        self.held.as_ref().map_or(0, |held| held.count)
    }

    pub(super) fn free(&self) -> u32 {
        INSTALLED - self.others - self.held()
    }

    pub(super) fn place(&self) -> Option<Place> {
        let waiting = self.line.len() as u32;
        (waiting > 0).then(|| Place {
            position: 1,
            waiting,
            reason: "all GPUs lent".to_owned(),
        })
    }

    pub(super) fn is_idle(&self) -> bool {
        self.held.is_none() && self.line.is_empty()
    }
}
