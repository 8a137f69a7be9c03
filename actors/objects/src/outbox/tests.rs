use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const FULL: u64 = 4 << 20;

fn id(number: u16) -> BlobId {
    BlobId::of(&number.to_le_bytes())
}

fn want(outbox: &mut Outbox, number: u16, bytes: u64, rank: Rank) {
    let wanted = outbox.want(id(number), bytes, rank, Level::Stored, Instant::now());
    assert_eq!(wanted, Ok(()));
}

/// Answers every question with "not here", and gives what is sent then, without acknowledging it.
fn sends(outbox: &mut Outbox, followers: Followers) -> Vec<BlobId> {
    let mut sent = Vec::new();
    while let Some(step) = outbox.next(followers) {
        match step {
            Step::Ask { batch, ids } => {
                assert_eq!(outbox.known(batch, &vec![Has::Nothing; ids.len()]), Ok(Vec::new()));
            }
            Step::Put(id) => sent.push(id),
            Step::Flush { .. } => panic!("nothing is to be flushed"),
        }
    }
    sent
}

#[test]
fn what_the_peer_has_is_not_sent() {
    let mut outbox = Outbox::default();
    want(&mut outbox, 1, FULL, Rank::FIRST);
    want(&mut outbox, 2, FULL, Rank::FIRST);
    let Some(Step::Ask { batch, ids }) = outbox.next(Followers::Go) else {
        panic!("it asks first")
    };
    let has = |it: &BlobId| {
        if *it == id(1) {
            Has::Held(Level::Stored)
        } else {
            Has::Nothing
        }
    };
    let held: Vec<Has> = ids.iter().map(has).collect();
    let news = outbox.known(batch, &held).expect("fits the question");
    assert_eq!(news, [(id(1), Outcome::Held(Level::Stored))]);
    assert_eq!(sends(&mut outbox, Followers::Go), [id(2)]);
    assert_eq!(
        outbox.taken(id(2), Ok(Level::Stored)),
        [(id(2), Outcome::Held(Level::Stored))]
    );
    assert!(outbox.is_empty() && !outbox.awaits() && outbox.urgent() == 0);
}

#[test]
fn no_more_than_the_window_is_under_way() {
    let mut outbox = Outbox::default();
    (0..10).for_each(|number| want(&mut outbox, number, FULL, Rank::FIRST));
    let sent = sends(&mut outbox, Followers::Go);
    assert_eq!(sent.len() as u64, WINDOW / FULL);
    outbox.taken(sent[1], Ok(Level::Stored));
    assert_eq!(sends(&mut outbox, Followers::Go).len(), 1);
    // Larger than the window is possible, alone.
    let mut outbox = Outbox::default();
    want(&mut outbox, 1, WINDOW + 1, Rank::FIRST);
    assert_eq!(sends(&mut outbox, Followers::Go).len(), 1);
}

#[test]
fn small_settlements_come_first_and_the_oldest_is_not_starved() {
    let mut outbox = Outbox::default();
    (0..100).for_each(|number| want(&mut outbox, number, FULL, Rank::FIRST));
    let mut sent = sends(&mut outbox, Followers::Go);
    let last_of_large = sent.len() as u16;
    want(&mut outbox, 200, 600 << 10, Rank::awaited(600 << 10));
    outbox.taken(sent.remove(0), Ok(Level::Stored));
    assert_eq!(sends(&mut outbox, Followers::Go), [id(200)], "the small one overtakes");
    outbox.taken(id(200), Ok(Level::Stored));
    // However many small ones come, now and then a large one goes.
    let mut large = 0;
    for number in 300..340 {
        want(&mut outbox, number, FULL, Rank::awaited(FULL));
        let now = sends(&mut outbox, Followers::Go);
        large += now
            .iter()
            .filter(|it| (last_of_large..100).any(|old| **it == id(old)))
            .count();
        now.into_iter().for_each(|id| drop(outbox.taken(id, Ok(Level::Stored))));
    }
    assert!((2..=10).contains(&large), "{large} large ones");
}

#[test]
fn followers_wait_until_they_may_or_somebody_waits_for_them() {
    let mut outbox = Outbox::default();
    want(&mut outbox, 1, FULL, Rank::FOLLOW);
    assert_eq!(outbox.urgent(), 0);
    assert!(sends(&mut outbox, Followers::Wait).is_empty());
    want(&mut outbox, 1, FULL, Rank::awaited(FULL));
    assert_eq!(outbox.urgent(), 1);
    assert_eq!(sends(&mut outbox, Followers::Wait), [id(1)]);
    outbox.demote(&id(1));
    assert_eq!(outbox.urgent(), 0);
}

#[test]
fn what_has_to_be_durable_is_flushed_after_it_is_stored() {
    let mut outbox = Outbox::default();
    let durable = outbox.want(id(1), 10, Rank::awaited(10), Level::Durable, Instant::now());
    assert_eq!(durable, Ok(()));
    assert_eq!(sends(&mut outbox, Followers::Go), [id(1)]);
    assert_eq!(
        outbox.taken(id(1), Ok(Level::Stored)),
        [(id(1), Outcome::Held(Level::Stored))]
    );
    let Some(Step::Flush { batch, ids }) = outbox.next(Followers::Go) else {
        panic!("it is to be flushed")
    };
    assert_eq!(ids, [id(1)]);
    let lost = outbox.flushed(batch, &Err(Refusal::Missing)).expect("was asked");
    assert!(lost.is_empty(), "it is asked for again");
    assert_eq!(sends(&mut outbox, Followers::Go), [id(1)]);
    outbox.taken(id(1), Ok(Level::Stored));
    let Some(Step::Flush { batch, .. }) = outbox.next(Followers::Go) else {
        panic!("it is to be flushed")
    };
    let news = outbox.flushed(batch, &Ok(())).expect("was asked");
    assert_eq!(news, [(id(1), Outcome::Held(Level::Durable))]);
    assert!(outbox.is_empty());
}

#[test]
fn answers_to_no_question_are_nonsense() {
    let mut outbox = Outbox::default();
    want(&mut outbox, 1, 1, Rank::FIRST);
    let Some(Step::Ask { batch, .. }) = outbox.next(Followers::Go) else {
        panic!("it asks first")
    };
    assert_eq!(outbox.known(batch + 1, &[Has::Nothing]), Err(Nonsense));
    assert_eq!(outbox.known(batch, &[Has::Nothing; 2]), Err(Nonsense));
    assert_eq!(outbox.flushed(batch, &Ok(())), Err(Nonsense));
    assert!(outbox.taken(id(1), Ok(Level::Durable)).is_empty(), "it was not sent");
}

#[test]
fn a_peer_that_is_away_is_not_waited_for_without_end() {
    let mut outbox = Outbox::default();
    let start = Instant::now();
    for number in 0..u16::try_from(MAX_CHUNKS).expect("fits") {
        assert_eq!(outbox.want(id(number), 1, Rank::FOLLOW, Level::Stored, start), Ok(()));
    }
    let one_more = outbox.want(id(u16::MAX), 1, Rank::FOLLOW, Level::Stored, start);
    assert_eq!(one_more, Err(Outcome::Late));
    let later = start + PATIENCE;
    assert_eq!(outbox.want(id(7), 1, Rank::FOLLOW, Level::Stored, later), Ok(()));
    assert_eq!(outbox.expire(later).len(), MAX_CHUNKS - 1);
    assert_eq!(sends(&mut outbox, Followers::Go), [id(7)]);
}

/// A peer on the other end of a connection that delivers in order, and what may happen.
#[derive(Debug, Clone)]
enum Event {
    Want(u16, u64, bool),
    Demote(u16),
    /// We say the next thing.
    Say,
    /// The peer reads and answers the next thing.
    Serve,
    /// We read the next answer.
    Hear,
    /// The last answer comes a second time.
    Repeat,
    /// The connection ends; what was under way in either direction is lost.
    Break,
    /// The peer is started anew without its last few chunks.
    Restart(usize),
    /// The peer loses a chunk.
    Lose(u16),
    /// Its disk is full for the next chunk.
    Full,
    /// The peer begins to fetch a chunk from another, unless it expects it from us.
    Fetch(u16),
    /// That one arrives.
    Fetched(u16),
    /// We look again at what came from another.
    AskAgain,
    /// Somebody waits for it at the peer.
    Hurry(u16),
}

#[derive(Debug, Clone)]
enum Said {
    Known(u64, Vec<Has>),
    Taken(BlobId, Result<Level, Refusal>),
    Flushed(u64, Result<(), Refusal>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..30u16, prop::sample::select(vec![1, 1000, FULL]), any::<bool>())
            .prop_map(|(number, bytes, durable)| Event::Want(number, bytes, durable)),
        1 => (0..30u16).prop_map(Event::Demote),
        8 => Just(Event::Say),
        8 => Just(Event::Serve),
        8 => Just(Event::Hear),
        1 => Just(Event::Repeat),
        1 => Just(Event::Break),
        1 => (0..4usize).prop_map(Event::Restart),
        1 => (0..30u16).prop_map(Event::Lose),
        1 => Just(Event::Full),
        2 => (0..30u16).prop_map(Event::Fetch),
        2 => (0..30u16).prop_map(Event::Fetched),
        1 => Just(Event::AskAgain),
        1 => (0..30u16).prop_map(Event::Hurry),
    ]
}

#[derive(Default)]
struct World {
    outbox: Outbox,
    holds: BTreeMap<BlobId, Level>,
    order: Vec<BlobId>,
    /// What is on its way to the peer, and back.
    there: std::collections::VecDeque<Step>,
    back: std::collections::VecDeque<Said>,
    last: Option<Said>,
    full: bool,
    /// What the peer said it had since the connection began, and has not lost since.
    acknowledged: BTreeMap<BlobId, Level>,
    sent_in_vain: usize,
    /// What the peer fetches from others, and what it expects from us.
    coming: BTreeSet<BlobId>,
    promised: BTreeSet<BlobId>,
}

impl World {
    fn serve(&mut self) {
        let Some(step) = self.there.pop_front() else { return };
        let said = match step {
            Step::Ask { batch, ids } => Said::Known(batch, ids.iter().map(|id| self.has(id)).collect()),
            Step::Put(id) if std::mem::take(&mut self.full) => Said::Taken(id, Err(Refusal::NoSpace)),
            Step::Put(id) => {
                self.sent_in_vain += usize::from(self.holds.contains_key(&id));
                self.holds.entry(id).or_insert(Level::Stored);
                self.order.push(id);
                Said::Taken(id, Ok(self.holds[&id]))
            }
            Step::Flush { batch, ids } if ids.iter().all(|id| self.holds.contains_key(id)) => {
                self.holds.extend(ids.iter().map(|id| (*id, Level::Durable)));
                Said::Flushed(batch, Ok(()))
            }
            Step::Flush { batch, .. } => Said::Flushed(batch, Err(Refusal::Missing)),
        };
        self.back.push_back(said);
    }

    fn hear(&mut self) {
        let Some(said) = self.back.pop_front() else { return };
        self.last = Some(said.clone());
        let news = match said {
            Said::Known(batch, held) => self.outbox.known(batch, &held),
            Said::Taken(id, outcome) => Ok(self.outbox.taken(id, outcome)),
            Said::Flushed(batch, outcome) => self.outbox.flushed(batch, &outcome),
        };
        for (id, outcome) in news.expect("the peer answers what was asked") {
            if let Outcome::Held(level) = outcome {
                self.acknowledged.insert(id, level);
            }
        }
    }

    fn repeat(&mut self) {
        let news = match self.last.clone() {
            Some(Said::Known(batch, held)) => self.outbox.known(batch, &held).unwrap_or_default(),
            Some(Said::Taken(id, outcome)) => self.outbox.taken(id, outcome),
            Some(Said::Flushed(batch, outcome)) => self.outbox.flushed(batch, &outcome).unwrap_or_default(),
            None => Vec::new(),
        };
        // One that was sent again meanwhile may be acknowledged early: the shell ends a connection that does this.
        for (id, outcome) in news {
            if let Outcome::Held(level) = outcome {
                self.acknowledged.insert(id, level);
            }
        }
    }

    fn cut(&mut self) {
        self.there.clear();
        self.back.clear();
        self.last = None;
        self.acknowledged.clear();
        self.promised.clear();
        self.outbox.lost();
    }

    /// As the store says it: who is told that a chunk is not there is who brings it.
    fn has(&mut self, id: &BlobId) -> Has {
        match self.holds.get(id) {
            Some(level) => Has::Held(*level),
            None if self.coming.contains(id) => Has::Coming,
            None => {
                self.promised.insert(*id);
                Has::Nothing
            }
        }
    }

    fn lose(&mut self, id: &BlobId) {
        self.holds.remove(id);
        self.acknowledged.remove(id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is lost, repeated or restarted: what counts as acknowledged is there, the window holds, and in the end
    /// all that is wanted arrives.
    #[test]
    fn what_is_acknowledged_is_there_and_all_arrives(events in prop::collection::vec(event(), 1..200)) {
        let mut world = World::default();
        let mut wanted: BTreeMap<BlobId, Level> = BTreeMap::new();
        let mut calm = true;
        for event in events {
            match event {
                Event::Want(number, bytes, durable) => {
                    let level = if durable { Level::Durable } else { Level::Stored };
                    let rank = if number % 2 == 0 { Rank::FOLLOW } else { Rank::awaited(bytes) };
                    let result = world.outbox.want(id(number), bytes, rank, level, Instant::now());
                    prop_assert_eq!(result, Ok(()));
                    wanted.insert(id(number), level);
                }
                Event::Demote(number) => world.outbox.demote(&id(number)),
                Event::Say => world.there.extend(world.outbox.next(Followers::Go)),
                Event::Serve => world.serve(),
                Event::Hear => world.hear(),
                Event::Repeat => { calm = false; world.repeat() }
                Event::Break => { calm = false; world.cut() }
                Event::Restart(back) => {
                    calm = false;
                    let keep = world.order.len().saturating_sub(back);
                    for id in world.order.split_off(keep) {
                        world.lose(&id);
                    }
                    world.cut();
                }
                Event::Lose(number) => { calm = false; world.lose(&id(number)) }
                Event::Full => { calm = false; world.full = true }
                Event::Fetch(number) if world.promised.contains(&id(number)) => {}
                Event::Fetch(number) => { world.coming.insert(id(number)); }
                Event::Fetched(number) if world.coming.remove(&id(number)) => {
                    world.holds.entry(id(number)).or_insert(Level::Stored);
                }
                Event::Fetched(_) => {}
                Event::AskAgain => world.outbox.ask_again(),
                Event::Hurry(number) => world.outbox.hurry(&id(number)),
            }
            let sent: u64 = world.outbox.sent.values().sum();
            prop_assert_eq!(sent, world.outbox.sent_bytes);
            prop_assert!(sent <= WINDOW || world.outbox.sent.len() == 1);
            let urgent = world.outbox.items.values().filter(|item| item.rank < Rank::FOLLOW).count();
            prop_assert_eq!(urgent, world.outbox.urgent());
            for phase in [Phase::Unasked, Phase::Lacking, Phase::Unflushed] {
                let queued = world.outbox.queue(phase).map_or(0, |queue| queue.len());
                prop_assert_eq!(queued, world.outbox.items.values().filter(|item| item.phase == phase).count());
            }
        }
        // Then all goes well: everything is wanted again, as a settlement does, and arrives.
        world.full = false;
        world.coming.clear();
        world.cut();
        for (id, level) in &wanted {
            let result = world.outbox.want(*id, 1000, Rank::FIRST, *level, Instant::now());
            prop_assert_eq!(result, Ok(()));
        }
        for _ in 0..1000 {
            world.there.extend(world.outbox.next(Followers::Go));
            world.serve();
            world.hear();
        }
        prop_assert!(world.outbox.is_empty() && !world.outbox.awaits());
        for (id, level) in wanted {
            prop_assert!(world.acknowledged.get(&id) >= Some(&level), "acknowledged");
            prop_assert!(world.holds.get(&id) >= Some(&level), "and there");
        }
        if calm {
            prop_assert_eq!(world.sent_in_vain, 0, "nothing was sent that was there");
        }
    }
}
