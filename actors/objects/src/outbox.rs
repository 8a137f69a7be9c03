//! What one peer is to get over one connection, and what to say to it next: the decision part of pushing, without clock
//! or wire.
//!
//! A chunk is asked for before it is sent, and sent only to a peer that said that it lacks it. When the connection ends
//! all that was not acknowledged is asked for again, and so is after a while what the peer said comes from somewhere else.
//! Urgent chunks come first, but every eighth is the oldest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::BlobId;
use crate::store::Level;
use crate::wire::{Has, MAX_IDS, Refusal};

/// Bytes sent and not acknowledged: three chunks keep disk and network of the peer busy at the same time.
const WINDOW: u64 = 12 << 20;
/// Questions under way at once: with one on its way back the next is already asked.
const MAX_BATCHES: usize = 4;
/// Chunks flushed at once: the answer has to come before the silence of a slow disk is taken for the peer's end.
const MAX_FLUSH: usize = 16;
/// Chunks known to be lacking are collected no further ahead than this, so that what becomes urgent later is asked
/// before what is not.
const LACKING_AHEAD: usize = 32;
/// Every so many chunks the oldest is sent, so that a stream of urgent ones starves nobody.
const OLDEST_EVERY: u64 = 8;
/// Chunks a peer that is away is kept waiting for; it fetches the others when it needs them. 64 GiB of full ones.
const MAX_CHUNKS: usize = 16_384;
/// How long a chunk is kept for a peer that is away, unless somebody asks again.
const PATIENCE: Duration = Duration::from_secs(120);

/// What goes first: lower ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(u64);

impl Rank {
    /// A peer whose acknowledgement will be needed.
    pub(crate) const FIRST: Self = Self(1 << 40);
    /// A peer that follows in the background.
    pub(crate) const FOLLOW: Self = Self(1 << 41);

    /// Somebody waits for this many bytes in all: small ones first.
    pub(crate) fn awaited(bytes: u64) -> Self {
        Self(bytes.min(Self::FIRST.0 - 1))
    }
}

/// May chunks that nobody waits for be sent now?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followers {
    Go,
    Wait,
}

/// What to say next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Ask { batch: u64, ids: Vec<BlobId> },
    Put(BlobId),
    Flush { batch: u64, ids: Vec<BlobId> },
}

/// What is known about a chunk now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Held(Level),
    Refused(Refusal),
    /// The peer was away for too long, or too much waits for it.
    Late,
}

/// The peer answered what nobody asked, or half of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nonsense;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    items: BTreeMap<BlobId, Item>,
    /// Those of the items that wait to be said something about, by rank and age.
    unasked: BTreeSet<(Rank, u64, BlobId)>,
    lacking: BTreeSet<(Rank, u64, BlobId)>,
    unflushed: BTreeSet<(Rank, u64, BlobId)>,
    /// Questions under way.
    asked: BTreeMap<u64, Vec<BlobId>>,
    flushing: BTreeMap<u64, Vec<BlobId>>,
    sent: BTreeMap<BlobId, u64>,
    sent_bytes: u64,
    urgent: usize,
    next_number: u64,
    puts: u64,
}

#[derive(Debug)]
struct Item {
    bytes: u64,
    rank: Rank,
    number: u64,
    level: Level,
    phase: Phase,
    since: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Unasked,
    Asked,
    /// It comes to the peer from somewhere else; asked for again after a while.
    Elsewhere,
    Lacking,
    Sent,
    Unflushed,
    Flushing,
}

impl Outbox {
    /// The peer is to have a chunk. Wanted again, it becomes more urgent and safer, never less; the time it may take
    /// begins anew.
    pub(crate) fn want(
        &mut self,
        id: BlobId,
        bytes: u64,
        rank: Rank,
        level: Level,
        now: Instant,
    ) -> Result<(), Outcome> {
        if let Some(item) = self.items.get_mut(&id) {
            item.level = item.level.max(level);
            item.since = now;
            let rank = item.rank.min(rank);
            let is_elsewhere = item.phase == Phase::Elsewhere;
            self.rerank(id, rank);
            if is_elsewhere {
                self.set_phase(id, Phase::Unasked);
            }
            return Ok(());
        }
        if self.items.len() == MAX_CHUNKS {
            return Err(Outcome::Late);
        }
        let number = self.number();
        let item = Item {
            bytes,
            rank,
            number,
            level,
            phase: Phase::Unasked,
            since: now,
        };
        self.urgent += usize::from(rank < Rank::FOLLOW);
        self.unasked.insert((rank, number, id));
        self.items.insert(id, item);
        Ok(())
    }

    /// Nobody waits for it any more.
    pub(crate) fn demote(&mut self, id: &BlobId) {
        self.rerank(*id, Rank::FOLLOW);
    }

    /// Somebody waits for it at the peer.
    pub(crate) fn hurry(&mut self, id: &BlobId) {
        if let Some(item) = self.items.get(id) {
            let rank = item.rank.min(Rank::FIRST);
            self.rerank(*id, rank);
        }
    }

    /// What came to the peer from somewhere else should be there by now.
    pub(crate) fn ask_again(&mut self) {
        let elsewhere = self.items.iter().filter(|(_, item)| item.phase == Phase::Elsewhere);
        for id in elsewhere.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.set_phase(id, Phase::Unasked);
        }
    }

    /// How many chunks somebody waits for, or will.
    pub(crate) fn urgent(&self) -> usize {
        self.urgent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the peer owes an answer.
    pub(crate) fn awaits(&self) -> bool {
        !(self.asked.is_empty() && self.flushing.is_empty() && self.sent.is_empty())
    }

    /// What to say next, if anything can be said before an answer comes.
    pub(crate) fn next(&mut self, followers: Followers) -> Option<Step> {
        if self.flushing.len() < MAX_BATCHES
            && let Some(ids) = self.take_batch(Phase::Unflushed, Phase::Flushing, MAX_FLUSH)
        {
            let batch = self.number();
            self.flushing.insert(batch, ids.clone());
            return Some(Step::Flush { batch, ids });
        }
        let ahead = self.lacking.len() >= LACKING_AHEAD && self.best(Phase::Unasked) >= self.best(Phase::Lacking);
        if !ahead
            && self.asked.len() < MAX_BATCHES
            && let Some(ids) = self.take_batch(Phase::Unasked, Phase::Asked, MAX_IDS)
        {
            let batch = self.number();
            self.asked.insert(batch, ids.clone());
            return Some(Step::Ask { batch, ids });
        }
        self.next_put(followers).map(Step::Put)
    }

    fn next_put(&mut self, followers: Followers) -> Option<BlobId> {
        let allowed = |entry: &&(Rank, u64, BlobId)| followers == Followers::Go || entry.0 < Rank::FOLLOW;
        let first = self.lacking.iter().take_while(allowed);
        let (.., id) = if self.puts % OLDEST_EVERY == OLDEST_EVERY - 1 {
            *first.min_by_key(|(_, number, _)| *number)?
        } else {
            *{ first }.next()?
        };
        let bytes = self.items[&id].bytes;
        if self.sent_bytes > 0 && self.sent_bytes + bytes > WINDOW {
            return None;
        }
        self.puts += 1;
        self.set_phase(id, Phase::Sent);
        self.sent.insert(id, bytes);
        self.sent_bytes += bytes;
        Some(id)
    }

    /// The answer to `Ask`. Gives what is news.
    pub(crate) fn known(&mut self, batch: u64, held: &[Has]) -> Result<Vec<(BlobId, Outcome)>, Nonsense> {
        let ids = self.asked.remove(&batch).ok_or(Nonsense)?;
        if ids.len() != held.len() {
            return Err(Nonsense);
        }
        let mut news = Vec::new();
        for (id, held) in ids.into_iter().zip(held) {
            match held {
                // Given up while the question was under way.
                _ if !self.items.contains_key(&id) => {}
                Has::Held(level) => self.holds(id, *level, &mut news),
                Has::Coming => self.set_phase(id, Phase::Elsewhere),
                Has::Nothing => self.set_phase(id, Phase::Lacking),
            }
        }
        Ok(news)
    }

    /// The answer to `Put`. One to something that was not sent says nothing.
    pub(crate) fn taken(&mut self, id: BlobId, outcome: Result<Level, Refusal>) -> Vec<(BlobId, Outcome)> {
        let mut news = Vec::new();
        let Some(bytes) = self.sent.remove(&id) else {
            return news;
        };
        self.sent_bytes -= bytes;
        match outcome {
            _ if !self.items.contains_key(&id) => {}
            Ok(level) => self.holds(id, level, &mut news),
            Err(refusal) => {
                self.remove(&id);
                news.push((id, Outcome::Refused(refusal)));
            }
        }
        news
    }

    /// The answer to `Flush`. A peer that has lost one of them is asked again for each.
    pub(crate) fn flushed(
        &mut self,
        batch: u64,
        outcome: &Result<(), Refusal>,
    ) -> Result<Vec<(BlobId, Outcome)>, Nonsense> {
        let mut news = Vec::new();
        for id in self.flushing.remove(&batch).ok_or(Nonsense)? {
            match outcome {
                _ if !self.items.contains_key(&id) => {}
                Ok(()) => self.holds(id, Level::Durable, &mut news),
                Err(Refusal::Missing | Refusal::Corrupt) => self.set_phase(id, Phase::Unasked),
                Err(refusal) => {
                    self.remove(&id);
                    news.push((id, Outcome::Refused(refusal.clone())));
                }
            }
        }
        Ok(news)
    }

    /// The own copy cannot be read: there is nothing to send.
    pub(crate) fn give_up(&mut self, id: &BlobId) {
        if let Some(bytes) = self.sent.remove(id) {
            self.sent_bytes -= bytes;
        }
        self.remove(id);
    }

    /// The connection ended: all that was not acknowledged is asked for again on the next.
    pub(crate) fn lost(&mut self) {
        self.asked.clear();
        self.flushing.clear();
        self.sent.clear();
        self.sent_bytes = 0;
        let ids: Vec<BlobId> = self.items.keys().copied().collect();
        for id in ids {
            self.set_phase(id, Phase::Unasked);
        }
    }

    /// Gives up what a peer that is away has kept waiting for too long.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(BlobId, Outcome)> {
        let late = |item: &Item| now.saturating_duration_since(item.since) >= PATIENCE;
        let late = self.items.iter().filter(|(_, item)| late(item));
        let ids: Vec<BlobId> = late.map(|(id, _)| *id).collect();
        ids.into_iter()
            .map(|id| {
                self.give_up(&id);
                (id, Outcome::Late)
            })
            .collect()
    }

    fn holds(&mut self, id: BlobId, level: Level, news: &mut Vec<(BlobId, Outcome)>) {
        news.push((id, Outcome::Held(level)));
        if level >= self.items[&id].level {
            self.remove(&id);
        } else {
            self.set_phase(id, Phase::Unflushed);
        }
    }

    fn take_batch(&mut self, from: Phase, to: Phase, most: usize) -> Option<Vec<BlobId>> {
        let ids: Vec<BlobId> = self.queue(from)?.iter().take(most).map(|(.., id)| *id).collect();
        for id in &ids {
            self.set_phase(*id, to);
        }
        (!ids.is_empty()).then_some(ids)
    }

    /// The best rank of a queue, behind all others when it is empty.
    fn best(&mut self, phase: Phase) -> (bool, Option<Rank>) {
        let first = self
            .queue(phase)
            .and_then(|queue| queue.first().map(|(rank, ..)| *rank));
        (first.is_none(), first)
    }

    fn queue(&mut self, phase: Phase) -> Option<&mut BTreeSet<(Rank, u64, BlobId)>> {
        match phase {
            Phase::Unasked => Some(&mut self.unasked),
            Phase::Lacking => Some(&mut self.lacking),
            Phase::Unflushed => Some(&mut self.unflushed),
            Phase::Asked | Phase::Elsewhere | Phase::Sent | Phase::Flushing => None,
        }
    }

    fn set_phase(&mut self, id: BlobId, phase: Phase) {
        let Some(item) = self.items.get_mut(&id) else { return };
        let key = (item.rank, item.number, id);
        let before = std::mem::replace(&mut item.phase, phase);
        if let Some(queue) = self.queue(before) {
            queue.remove(&key);
        }
        if let Some(queue) = self.queue(phase) {
            queue.insert(key);
        }
    }

    fn rerank(&mut self, id: BlobId, rank: Rank) {
        let Some(item) = self.items.get_mut(&id) else { return };
        let (number, phase) = (item.number, item.phase);
        let before = std::mem::replace(&mut item.rank, rank);
        self.urgent -= usize::from(before < Rank::FOLLOW);
        self.urgent += usize::from(rank < Rank::FOLLOW);
        if let Some(queue) = self.queue(phase) {
            queue.remove(&(before, number, id));
            queue.insert((rank, number, id));
        }
    }

    fn remove(&mut self, id: &BlobId) {
        let Some(item) = self.items.remove(id) else { return };
        self.urgent -= usize::from(item.rank < Rank::FOLLOW);
        if let Some(queue) = self.queue(item.phase) {
            queue.remove(&(item.rank, item.number, *id));
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

#[cfg(test)]
mod tests;
