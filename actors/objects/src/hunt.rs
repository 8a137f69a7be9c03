//! Which chunk to ask which source for: the decision part of fetching, without clock or wire.
//!
//! Every chunk is asked of one source at a time, and of none while it comes here in another way. A source that does not have it, or gave bytes that are not it, is not
//! asked for it again; one whose connection broke is. The reserve is asked only for what no peer has, or while no peer
//! can be reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::BlobId;

/// One of the places to fetch from: a peer by its number, or the reserve behind them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Peer(usize),
    Reserve,
}

#[derive(Debug)]
pub(crate) struct Hunt {
    sources: BTreeSet<Source>,
    /// Sources whose last attempt at a connection failed.
    away: BTreeSet<Source>,
    /// What is not here yet, by its place in the order asked for.
    open: BTreeMap<usize, Search>,
    places: BTreeMap<BlobId, usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Of(Source),
    /// It comes in another way.
    Elsewhere,
}

#[derive(Debug)]
struct Search {
    id: BlobId,
    asked: Option<Asked>,
    without: BTreeSet<Source>,
}

impl Hunt {
    /// In the order given; a name given twice counts once.
    pub(crate) fn new(ids: impl IntoIterator<Item = BlobId>, sources: impl IntoIterator<Item = Source>) -> Self {
        let mut hunt = Self {
            sources: sources.into_iter().collect(),
            away: BTreeSet::new(),
            open: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        for (place, id) in ids.into_iter().enumerate() {
            if hunt.places.contains_key(&id) {
                continue;
            }
            hunt.places.insert(id, place);
            let search = Search {
                id,
                asked: None,
                without: BTreeSet::new(),
            };
            hunt.open.insert(place, search);
        }
        hunt
    }

    /// What to ask this source for next.
    pub(crate) fn next(&mut self, source: Source) -> Option<BlobId> {
        let (sources, away) = (&self.sources, &self.away);
        let hopeless = |search: &Search| {
            let is_tried =
                |peer: &Source| *peer == Source::Reserve || search.without.contains(peer) || away.contains(peer);
            sources.iter().all(is_tried)
        };
        let suits = |search: &&mut Search| {
            search.asked.is_none()
                && !search.without.contains(&source)
                && (source != Source::Reserve || hopeless(search))
        };
        let search = self.open.values_mut().find(suits)?;
        search.asked = Some(Asked::Of(source));
        Some(search.id)
    }

    /// The chunk is here.
    pub(crate) fn arrived(&mut self, id: &BlobId) {
        if let Some(place) = self.places.remove(id) {
            self.open.remove(&place);
        }
    }

    /// The source does not have it, or not the right bytes.
    pub(crate) fn without(&mut self, source: Source, id: &BlobId) {
        if let Some(search) = self.places.get(id).and_then(|place| self.open.get_mut(place)) {
            search.without.insert(source);
            if search.asked == Some(Asked::Of(source)) {
                search.asked = None;
            }
        }
    }

    /// The chunk comes in another way: no source is to be asked for it.
    pub(crate) fn leave(&mut self, id: &BlobId) {
        if let Some(search) = self.places.get(id).and_then(|place| self.open.get_mut(place)) {
            search.asked = Some(Asked::Elsewhere);
        }
    }

    /// What comes in another way.
    pub(crate) fn left(&self) -> Vec<BlobId> {
        let left = |search: &&Search| search.asked == Some(Asked::Elsewhere);
        self.open.values().filter(left).map(|search| search.id).collect()
    }

    /// It may not come in another way after all.
    pub(crate) fn retry(&mut self, id: &BlobId) {
        if let Some(search) = self.places.get(id).and_then(|place| self.open.get_mut(place)) {
            search.asked = None;
        }
    }

    /// A connection to the source is there.
    pub(crate) fn reached(&mut self, source: Source) {
        self.away.remove(&source);
    }

    /// Its connection broke, or did not come about: what it was asked for is to be asked for again.
    pub(crate) fn lost(&mut self, source: Source) {
        self.away.insert(source);
        for search in self
            .open
            .values_mut()
            .filter(|search| search.asked == Some(Asked::Of(source)))
        {
            search.asked = None;
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// A chunk that no source has.
    pub(crate) fn nowhere(&self) -> Option<BlobId> {
        let nowhere =
            |search: &&Search| search.asked != Some(Asked::Elsewhere) && search.without.is_superset(&self.sources);
        self.open.values().find(nowhere).map(|search| search.id)
    }

    /// The first that is not here.
    pub(crate) fn first_open(&self) -> Option<BlobId> {
        self.open.values().next().map(|search| search.id)
    }
}

#[cfg(test)]
mod tests;
