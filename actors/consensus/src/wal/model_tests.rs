//! The log against a model of it, over random histories with reopening at random points.

use std::collections::BTreeMap;

use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;
use proptest::prelude::*;

use super::tests::{all, append, entry, log_id, owner, vote};
use super::{Log, LogOptions};
use crate::types::{Entry, LogId, Vote};

#[derive(Clone, Debug)]
enum Step {
    Vote(u8),
    Append { count: u8, size: u16 },
    Truncate(u8),
    Purge(u8),
    Commit(u8),
    Forget,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => any::<u8>().prop_map(Step::Vote),
        6 => (1..5u8, 0..3000u16).prop_map(|(count, size)| Step::Append { count, size }),
        2 => (0..4u8).prop_map(Step::Truncate),
        2 => (0..12u8).prop_map(Step::Purge),
        1 => (0..4u8).prop_map(Step::Commit),
        1 => Just(Step::Forget),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Debug, Default, PartialEq)]
struct Model {
    vote: Option<Vote>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
    term: u64,
}

impl Model {
    fn last(&self) -> Option<LogId> {
        self.entries
            .last_key_value()
            .map(|(_, entry)| entry.log_id)
            .or(self.purged)
    }
}

async fn run(steps: Vec<(u8, Step)>) {
    let dir = tempfile::tempdir().unwrap();
    // Segments so small that every history crosses many of them and frees some.
    let options = LogOptions {
        segment_bytes: 8 << 10,
        cache_bytes: 2 << 10,
    };
    let mut log = Log::open(dir.path(), &options).unwrap();
    // Forgotten replicas come back under a new id, as the contract demands.
    let mut generation = [0_u64; 3];
    let mut models: BTreeMap<u64, Model> = BTreeMap::new();
    for (who, step) in steps {
        let who = usize::from(who % 3);
        let id = generation[who] * 3 + who as u64;
        let model = models.entry(id).or_default();
        let mut store = log.store(&owner(id));
        match step {
            Step::Vote(term) => {
                store.save_vote(&vote(term.into())).await.unwrap();
                model.vote = Some(vote(term.into()));
            }
            Step::Append { count, size } => {
                let next = model.last().map_or(0, |last| last.index + 1);
                let entries: Vec<_> = (next..next + u64::from(count))
                    .map(|index| entry(model.term, index, size.into()))
                    .collect();
                append(&mut store, entries.clone()).await.unwrap();
                model
                    .entries
                    .extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
            }
            Step::Truncate(back) => {
                let Some(last) = model.last() else { continue };
                let floor = model.purged.map_or(0, |purged| purged.index);
                let keep = last.index.saturating_sub(back.into()).max(floor);
                let keep = model.entries.get(&keep).map(|entry| entry.log_id).or(model.purged);
                store.truncate_after(keep).await.unwrap();
                model
                    .entries
                    .retain(|index, _| keep.is_some_and(|keep| *index <= keep.index));
                model.term += 1;
            }
            Step::Purge(count) => {
                let Some(upto) = model.entries.values().nth(count.into()).map(|entry| entry.log_id) else {
                    continue;
                };
                store.purge(upto).await.unwrap();
                model.entries.retain(|index, _| *index > upto.index);
                model.purged = Some(upto);
            }
            Step::Commit(back) => {
                let committed = model
                    .last()
                    .map(|last| log_id(model.term, last.index.saturating_sub(back.into())));
                store.save_committed(committed).await.unwrap();
                model.committed = committed;
            }
            Step::Forget => {
                drop(store);
                log.forget(&owner(id)).await.unwrap();
                models.remove(&id);
                generation[who] += 1;
            }
            Step::Reopen => {
                drop((store, log));
                log = Log::open(dir.path(), &options).unwrap();
                let known: Vec<_> = log.known().into_iter().map(|(_, replica)| replica.0).collect();
                let touched = |id: &u64| {
                    models[id]
                        != Model {
                            term: models[id].term,
                            ..Model::default()
                        }
                };
                assert!(
                    models.keys().filter(|id| touched(id)).all(|id| known.contains(id)),
                    "a replica is lost"
                );
                assert!(
                    known.iter().all(|id| models.contains_key(id)),
                    "a forgotten replica is back"
                );
            }
        }
        for (id, model) in &models {
            let mut store = log.store(&owner(*id));
            assert_eq!(store.read_vote().await.unwrap(), model.vote);
            assert_eq!(store.read_committed().await.unwrap(), model.committed);
            let state = store.get_log_state().await.unwrap();
            assert_eq!(
                (state.last_purged_log_id, state.last_log_id),
                (model.purged, model.last())
            );
            assert!(all(&mut store).await.iter().eq(model.entries.values()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_log_does_what_the_model_does(steps in proptest::collection::vec((any::<u8>(), step()), 1..80)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(steps));
    }
}
