//! What the log says about one replica, in memory: its vote, its marks, and where each entry lies.
//!
//! The newest entries are kept whole, so that replication and apply seldom read the disk.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::segment::{Location, Reading};
use crate::types::{Entry, LogId, Vote};

/// Tells a record on its way to disk apart from a later one about the same thing.
pub(crate) type Ticket = u64;

/// What a record on its way to disk is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Entry(u64),
    Vote,
    Purged,
    Committed,
}

#[derive(Debug)]
struct Slot {
    log_id: LogId,
    size: usize,
    ticket: Ticket,
    place: Option<Location>,
    entry: Option<Entry>,
}

#[derive(Debug)]
struct Value<T> {
    value: T,
    ticket: Ticket,
    place: Option<Location>,
}

/// An entry, or where to read it.
#[derive(Debug)]
pub(crate) enum Found {
    Entry(Entry),
    OnDisk(Reading),
}

/// A record to be moved out of an old segment.
#[derive(Debug)]
pub(crate) struct Movable {
    pub(crate) what: What,
    pub(crate) ticket: Ticket,
    pub(crate) reading: Reading,
}

/// The state of one replica's log.
///
/// Changing it returns the places that no longer count. They must be dropped only when the change itself is on disk:
/// until then a crash needs what lies there.
#[derive(Debug, Default)]
pub(crate) struct GroupLog {
    vote: Option<Value<Vote>>,
    purged: Option<Value<LogId>>,
    committed: Option<Value<Option<LogId>>>,
    slots: BTreeMap<u64, Slot>,
    /// Every slot from this index on is held in memory.
    cached_from: u64,
    cached_bytes: usize,
}

impl GroupLog {
    pub(crate) fn vote(&self) -> Option<Vote> {
        self.vote.as_ref().map(|vote| vote.value)
    }

    pub(crate) fn purged(&self) -> Option<LogId> {
        self.purged.as_ref().map(|purged| purged.value)
    }

    pub(crate) fn committed(&self) -> Option<LogId> {
        self.committed.as_ref().and_then(|committed| committed.value)
    }

    /// The last entry, or the last purged one when there is none.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.slots
            .last_key_value()
            .map(|(_, slot)| slot.log_id)
            .or_else(|| self.purged())
    }

    /// Entries of `start..end` in order, stopping after the one with which they reach `max_bytes`.
    pub(crate) fn range(&self, start: Bound<u64>, end: Bound<u64>, max_bytes: usize) -> Vec<Found> {
        let empty = match (start, end) {
            (Bound::Included(a), Bound::Excluded(b)) => a >= b,
            (Bound::Included(a), Bound::Included(b)) => a > b,
            (Bound::Excluded(a), Bound::Excluded(b)) | (Bound::Excluded(a), Bound::Included(b)) => a >= b,
            _ => false,
        };
        if empty {
            return Vec::new();
        }
        let mut bytes = 0;
        let mut found = Vec::new();
        for slot in self.slots.range((start, end)).map(|(_, slot)| slot) {
            match (&slot.entry, &slot.place) {
                (Some(entry), _) => found.push(Found::Entry(entry.clone())),
                (None, Some(place)) => found.push(Found::OnDisk(place.reading())),
                (None, None) => unreachable!("an entry leaves memory only once it has a place"),
            }
            bytes += slot.size;
            if bytes >= max_bytes {
                break;
            }
        }
        found
    }

    pub(crate) fn set_vote(&mut self, value: Vote, ticket: Ticket, place: Option<Location>) -> Option<Location> {
        self.vote.replace(Value { value, ticket, place })?.place
    }

    pub(crate) fn set_committed(
        &mut self,
        value: Option<LogId>,
        ticket: Ticket,
        place: Option<Location>,
    ) -> Option<Location> {
        self.committed.replace(Value { value, ticket, place })?.place
    }

    /// Entries up to and with `upto` are gone. Going backwards changes nothing but the ticket.
    pub(crate) fn purge(&mut self, upto: LogId, ticket: Ticket, place: Option<Location>) -> Vec<Location> {
        let upto = self.purged().map_or(upto, |purged| purged.max(upto));
        let mut released = Vec::new();
        while let Some(first) = self.slots.first_entry()
            && *first.key() <= upto.index
        {
            let slot = first.remove();
            self.forget(slot, &mut released);
        }
        self.cached_from = self.cached_from.max(upto.index + 1);
        let old = self.purged.replace(Value {
            value: upto,
            ticket,
            place,
        });
        released.extend(old.and_then(|old| old.place));
        released
    }

    /// Entries after `last` are gone; `None` takes all.
    pub(crate) fn truncate_after(&mut self, last: Option<u64>) -> Vec<Location> {
        let mut released = Vec::new();
        while let Some(tail) = self.slots.last_entry()
            && last.is_none_or(|last| *tail.key() > last)
        {
            let slot = tail.remove();
            self.forget(slot, &mut released);
        }
        let next = last.map_or(0, |last| last + 1);
        self.cached_from = self.cached_from.min(next);
        released
    }

    /// Adds an entry whose record of `size` bytes is on its way to disk. What it overwrites is released.
    pub(crate) fn append(&mut self, entry: Entry, size: usize, ticket: Ticket) -> Result<Vec<Location>, &'static str> {
        let index = entry.log_id.index;
        if let Some((last, _)) = self.slots.last_key_value()
            && index > last + 1
        {
            return Err("an entry would leave a hole in the log");
        }
        let released = self.make_room(index);
        if self
            .slots
            .last_key_value()
            .is_none_or(|(last, _)| *last < self.cached_from)
        {
            self.cached_from = self.cached_from.max(index);
        }
        self.cached_bytes += size;
        let slot = Slot {
            log_id: entry.log_id,
            size,
            ticket,
            place: None,
            entry: Some(entry),
        };
        self.slots.insert(index, slot);
        Ok(released)
    }

    /// Adds an entry found on disk while the log is opened.
    pub(crate) fn replay(&mut self, log_id: LogId, place: Location) {
        self.make_room(log_id.index);
        self.replay_kept(log_id, place);
    }

    /// Adds an entry that had been moved to a newer segment: later entries stay.
    pub(crate) fn replay_kept(&mut self, log_id: LogId, place: Location) {
        let slot = Slot {
            log_id,
            size: place.length(),
            ticket: 0,
            place: Some(place),
            entry: None,
        };
        self.slots.insert(log_id.index, slot);
        self.cached_from = self.cached_from.max(log_id.index + 1);
    }

    /// After replay: is the log without holes?
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut expected = None;
        for index in self.slots.keys() {
            if expected.is_some_and(|expected| expected != *index) {
                return Err(format!("entries before index {index} are missing"));
            }
            expected = Some(index + 1);
        }
        Ok(())
    }

    /// A record reached the disk at `place`. Nothing happens when the log has moved on meanwhile.
    pub(crate) fn placed(&mut self, what: What, ticket: Ticket, place: Location) {
        let target = match what {
            What::Entry(index) => self.slots.get_mut(&index).map(|slot| (slot.ticket, &mut slot.place)),
            What::Vote => self.vote.as_mut().map(|value| (value.ticket, &mut value.place)),
            What::Purged => self.purged.as_mut().map(|value| (value.ticket, &mut value.place)),
            What::Committed => self.committed.as_mut().map(|value| (value.ticket, &mut value.place)),
        };
        if let Some((current, slot)) = target
            && current == ticket
        {
            *slot = Some(place);
        }
    }

    /// Lets go of the oldest entries in memory that are on disk, down to `budget` bytes.
    pub(crate) fn shrink_to(&mut self, budget: usize) {
        if self.cached_bytes <= budget {
            return;
        }
        for (index, slot) in self.slots.range_mut(self.cached_from..) {
            if self.cached_bytes <= budget || slot.place.is_none() {
                break;
            }
            if slot.entry.take().is_some() {
                self.cached_bytes -= slot.size;
            }
            self.cached_from = index + 1;
        }
    }

    /// Adds to `out` the records that still count in segment `number`, up to `budget` bytes; returns what is left of it.
    pub(crate) fn movable(&self, number: u64, mut budget: usize, out: &mut Vec<Movable>) -> usize {
        let vote = self.vote.as_ref().map(|v| (What::Vote, v.ticket, v.place.as_ref()));
        let purged = self.purged.as_ref().map(|v| (What::Purged, v.ticket, v.place.as_ref()));
        let committed = self
            .committed
            .as_ref()
            .map(|v| (What::Committed, v.ticket, v.place.as_ref()));
        let entries = self
            .slots
            .iter()
            .map(|(index, s)| (What::Entry(*index), s.ticket, s.place.as_ref()));
        for (what, ticket, place) in vote.into_iter().chain(purged).chain(committed).chain(entries) {
            let Some(place) = place.filter(|place| place.segment() == number) else {
                continue;
            };
            if budget == 0 {
                break;
            }
            out.push(Movable {
                what,
                ticket,
                reading: place.reading(),
            });
            budget = budget.saturating_sub(place.length());
        }
        budget
    }

    /// Every place the log still holds, when it is dropped as a whole.
    pub(crate) fn release(&mut self) -> Vec<Location> {
        let mut released = self.truncate_after(None);
        released.extend(self.vote.take().and_then(|value| value.place));
        released.extend(self.purged.take().and_then(|value| value.place));
        released.extend(self.committed.take().and_then(|value| value.place));
        released
    }

    fn make_room(&mut self, index: u64) -> Vec<Location> {
        if self.slots.last_key_value().is_none_or(|(last, _)| *last < index) {
            return Vec::new();
        }
        match index.checked_sub(1) {
            Some(last) => self.truncate_after(Some(last)),
            None => self.truncate_after(None),
        }
    }

    fn forget(&mut self, slot: Slot, released: &mut Vec<Location>) {
        if slot.entry.is_some() {
            self.cached_bytes -= slot.size;
        }
        released.extend(slot.place);
    }
}
