//! Groups that the child knows of and does not hold: fetched in the background, applied between requests or when a cell needs them.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Apply;
use super::event::FetchFailure;
use super::{Action, ChildCommand, Core, Micros};
use crate::core::child::Child;
use crate::id::Version;
use crate::state::Group;

/// A fetch that failed is tried again after this pause, sooner than a user gives up on a cell that waits for it.
const FETCH_PAUSE_US: Micros = 1_000_000;

/// Groups fetched at once in the background: enough to hide a round trip, few enough to leave the links to others.
const FETCHES: usize = 8;

/// Bytes applied in one go between requests; a request waits for it.
const FILL_BYTES: u64 = 64 << 20;

/// Nobody has asked for anything for this long: whoever runs cells one after another waits for none of this.
const QUIET_US: Micros = 300_000;

/// Variables come at this rank and later; what comes before is needed to rebuild them.
pub(crate) const FIRST_DEFERRABLE_RANK: u8 = 3;

const GONE: &str = "it is no longer part of the session";

/// What a child has yet to get.
#[derive(Default)]
pub(super) struct Deferred {
    groups: BTreeMap<String, Waiting>,
    /// The child's requests: id → keys that it waits for.
    needs: BTreeMap<u64, BTreeSet<String>>,
}

struct Waiting {
    /// Which change brought the group: a later one replaces it.
    changed: Version,
    rank: u8,
    stored_bytes: u64,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    /// Its bytes may not be on this host; not asked for again before `retry_at`.
    Away {
        retry_at: Micros,
    },
    Fetching,
    Here,
    Nowhere(String),
    /// On its way to the child in this apply.
    Sent(u64),
}

impl Deferred {
    pub(super) fn insert(&mut self, group: &Group, changed: Version) {
        let waiting = Waiting {
            changed,
            rank: group.rank,
            stored_bytes: group.stored_bytes(),
            stage: Stage::Away { retry_at: 0 },
        };
        self.groups.insert(group.key.clone(), waiting);
    }

    fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.needs.is_empty()
    }

    /// An apply was carried out: what it brought is no longer waited for.
    pub(super) fn applied(&mut self, id: u64) {
        let arrived: Vec<String> = self
            .groups
            .extract_if(.., |_, waiting| waiting.stage == Stage::Sent(id))
            .map(|(key, _)| key)
            .collect();
        for keys in self.needs.values_mut() {
            keys.retain(|key| !arrived.contains(key));
        }
        self.needs.retain(|_, keys| !keys.is_empty());
    }

    /// Bytes of a group in this apply turned out not to be here: they are fetched anew.
    pub(super) fn left(&mut self, id: u64, key: &str, now: Micros) {
        if let Some(waiting) = self
            .groups
            .get_mut(key)
            .filter(|waiting| waiting.stage == Stage::Sent(id))
        {
            waiting.stage = Stage::Away {
                retry_at: now + FETCH_PAUSE_US,
            };
        }
    }

    pub(super) fn fetched(&mut self, key: &str, result: Result<(), FetchFailure>, now: Micros) {
        let Some(waiting) = self
            .groups
            .get_mut(key)
            .filter(|waiting| waiting.stage == Stage::Fetching)
        else {
            return;
        };
        waiting.stage = match result {
            Ok(()) => Stage::Here,
            Err(FetchFailure::Nowhere(why)) => Stage::Nowhere(why),
            Err(FetchFailure::Later) => Stage::Away {
                retry_at: now + FETCH_PAUSE_US,
            },
        };
    }

    fn is_needed(&self, key: &str) -> bool {
        self.needs.values().any(|keys| keys.contains(key))
    }
}

impl Core {
    /// The cell about to run can touch these groups: they come before anything else.
    pub(super) fn needed(&mut self, id: u64, keys: Vec<String>) {
        let Child::Live(live) = &mut self.child else {
            return;
        };
        let mut unknown = Vec::new();
        for key in &keys {
            match self.state.manifest().get(key) {
                Some(entry) if !live.deferred.groups.contains_key(key) => {
                    live.deferred.insert(&entry.group, entry.changed);
                }
                Some(_) => {}
                None => unknown.push(key.clone()),
            }
        }
        for key in &keys {
            if let Some(waiting) = live.deferred.groups.get_mut(key)
                && matches!(waiting.stage, Stage::Away { .. })
            {
                waiting.stage = Stage::Away { retry_at: self.now };
            }
        }
        let known = keys.into_iter().filter(|key| !unknown.contains(key)).collect();
        live.deferred.needs.insert(id, known);
        if !unknown.is_empty() {
            // It was deleted: say so, or the cell waits in vain.
            let failed = unknown
                .into_iter()
                .map(|key| (nameless(key), GONE.to_owned()))
                .collect();
            self.send_fill(Apply {
                need: Some(id),
                failed,
                ..Apply::default()
            });
        }
    }

    /// Something is left for later that time, not an answer, brings nearer.
    pub(super) fn deferred_is_due(&self) -> bool {
        let Child::Live(live) = &self.child else {
            return false;
        };
        live.deferred.groups.values().any(|waiting| match &waiting.stage {
            Stage::Away { .. } => true,
            Stage::Here | Stage::Nowhere(_) => self.wants(waiting),
            Stage::Fetching | Stage::Sent(_) => false,
        })
    }

    /// Moves on what was left for later.
    pub(super) fn advance_deferred(&mut self) {
        let Child::Live(live) = &mut self.child else {
            return;
        };
        if live.deferred.is_empty() {
            return;
        }
        let manifest = self.state.manifest();
        live.deferred.groups.retain(|key, waiting| {
            manifest.get(key).is_some_and(|entry| entry.changed == waiting.changed)
                || matches!(waiting.stage, Stage::Sent(_))
        });
        self.fetch_deferred();
        self.answer_needs();
        self.fill_between_requests();
    }

    /// All that a cell waits for at once; otherwise a few groups at a time.
    fn fetch_deferred(&mut self) {
        let Child::Live(live) = &mut self.child else {
            return;
        };
        let fetching = |waiting: &&Waiting| waiting.stage == Stage::Fetching;
        let mut under_way = live.deferred.groups.values().filter(fetching).count();
        let due: Vec<String> = live
            .deferred
            .groups
            .iter()
            .filter(|(_, waiting)| matches!(waiting.stage, Stage::Away { retry_at } if retry_at <= self.now))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            if under_way >= FETCHES && !live.deferred.is_needed(&key) {
                continue;
            }
            under_way += 1;
            if let (Some(waiting), Some(entry)) = (live.deferred.groups.get_mut(&key), self.state.manifest().get(&key))
            {
                waiting.stage = Stage::Fetching;
                let chunks = entry.group.chunks().copied().collect();
                self.actions.push(Action::Fetch { key, chunks });
            }
        }
    }

    fn answer_needs(&mut self) {
        let Child::Live(live) = &self.child else {
            return;
        };
        let mut answers = Vec::new();
        for (id, keys) in &live.deferred.needs {
            let mut answer = Apply {
                need: Some(*id),
                ..Apply::default()
            };
            for key in keys {
                let waiting = live.deferred.groups.get(key);
                match (waiting.map(|waiting| &waiting.stage), self.state.manifest().get(key)) {
                    (Some(Stage::Here), Some(entry)) => answer.groups.push(entry.group.clone()),
                    (Some(Stage::Nowhere(why)), Some(entry)) => answer.failed.push((entry.group.clone(), why.clone())),
                    (Some(Stage::Away { .. } | Stage::Fetching | Stage::Sent(_)), _) => {}
                    (Some(Stage::Here | Stage::Nowhere(_)) | None, _) => {
                        answer.failed.push((nameless(key.clone()), GONE.to_owned()));
                    }
                }
            }
            if !answer.groups.is_empty() || !answer.failed.is_empty() {
                answers.push(answer);
            }
        }
        for answer in answers {
            self.send_fill(answer);
        }
    }

    /// Nobody waits for the child: a good moment to bring it more.
    fn fill_between_requests(&mut self) {
        let idle = self.child_is_current()
            && self.cell.is_none()
            && self.queue.is_empty()
            && self.scrubs.is_empty()
            && self.handovers.is_empty()
            && self.now >= self.asked_at + QUIET_US;
        let Child::Live(live) = &self.child else {
            return;
        };
        if !idle {
            return;
        }
        let mut ready: Vec<(&String, &Waiting)> = live
            .deferred
            .groups
            .iter()
            .filter(|(_, waiting)| matches!(waiting.stage, Stage::Here | Stage::Nowhere(_)) && self.wants(waiting))
            .collect();
        // In the order of application, the smallest first; ties by key.
        ready.sort_by_key(|(key, waiting)| (waiting.rank, waiting.stored_bytes, *key));
        let mut fill = Apply::default();
        let mut bytes = 0;
        for (key, waiting) in ready {
            bytes += waiting.stored_bytes;
            let first = fill.groups.is_empty() && fill.failed.is_empty();
            if !first && bytes > FILL_BYTES {
                break;
            }
            match (&waiting.stage, self.state.manifest().get(key)) {
                (Stage::Nowhere(why), Some(entry)) => fill.failed.push((entry.group.clone(), why.clone())),
                (_, Some(entry)) => fill.groups.push(entry.group.clone()),
                (_, None) => {}
            }
        }
        if !fill.groups.is_empty() || !fill.failed.is_empty() {
            let id = self.send_fill(fill);
            self.apply_is_under_way(id);
        }
    }

    /// An executor's process gets everything, a standby's what is small.
    fn wants(&self, waiting: &Waiting) -> bool {
        self.is_executor() || waiting.stored_bytes <= self.settings.defer_above
    }

    /// Sends groups that were left for later.
    fn send_fill(&mut self, mut fill: Apply) -> u64 {
        // Every apply states what is pinned after it and the count.
        fill.pinned = self.state.pinned().to_vec();
        fill.execution_count = self.state.execution_count();
        let keys: Vec<String> = fill
            .groups
            .iter()
            .chain(fill.failed.iter().map(|(group, _)| group))
            .map(|group| group.key.clone())
            .collect();
        let need = fill.need;
        let id = self.send_apply(fill);
        if let Child::Live(live) = &mut self.child {
            for key in keys {
                match live.deferred.groups.get_mut(&key) {
                    Some(waiting) => waiting.stage = Stage::Sent(id),
                    // Said to be gone: nothing more will come for it.
                    None => {
                        if let Some(keys) = need.and_then(|need| live.deferred.needs.get_mut(&need)) {
                            keys.remove(&key);
                        }
                    }
                }
            }
        }
        id
    }

    pub(super) fn send_apply(&mut self, mut apply: Apply) -> u64 {
        self.next_apply += 1;
        apply.id = self.next_apply;
        self.actions.push(Action::Child(ChildCommand::Apply(Box::new(apply))));
        self.next_apply
    }
}

/// Stands for a group that is gone.
fn nameless(key: String) -> Group {
    Group {
        key,
        names: Vec::new(),
        rank: 3,
        inline: bytes::Bytes::new(),
        buffers: Vec::new(),
    }
}
