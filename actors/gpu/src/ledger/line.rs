//! The waiting line of one host: users take turns, first come first served within a user.
//!
//! Next is the user who was served least recently; ties go to who asked first. Whoever has become next stays so until
//! served or gone, and nobody is served meanwhile: a large request collects its devices, it is not overtaken by small
//! ones.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::event::Ticket;
use crate::{LeaseRequest, Refusal};

/// Users whose last turn is remembered while they do not wait. A host's replicas belong to some tens of users; one that
/// is forgotten counts as served when the last forgotten one was.
const REMEMBERED: usize = 1024;

/// How long the line may grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Requests of all users.
    pub(crate) total: usize,
    /// Requests of one user.
    pub(crate) per_user: usize,
}

#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) ticket: Ticket,
    pub(crate) request: LeaseRequest,
    pub(crate) until: Instant,
}

#[derive(Debug)]
pub(crate) struct Line {
    bounds: Bounds,
    /// By user, none empty.
    queues: BTreeMap<String, VecDeque<Waiting>>,
    /// The turn at which a user was served last.
    served: BTreeMap<String, u64>,
    /// The last turn of all forgotten users.
    forgotten: u64,
    turn: u64,
    /// The user whose first request is next, once that was decided.
    next: Option<String>,
}

impl Line {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            queues: BTreeMap::new(),
            served: BTreeMap::new(),
            forgotten: 0,
            turn: 0,
            next: None,
        }
    }

    /// Takes a request in, or says which bound it would break.
    pub(crate) fn join(&mut self, waiting: Waiting) -> Result<(), (Ticket, Refusal)> {
        let (all, user) = (self.len(), &waiting.request.user);
        let own = self.queues.get(user).map_or(0, VecDeque::len);
        if own >= self.bounds.per_user {
            let user = user.clone();
            return Err((waiting.ticket, Refusal::UserQueueFull { user, waiting: own }));
        }
        if all >= self.bounds.total {
            return Err((waiting.ticket, Refusal::QueueFull { waiting: all }));
        }
        self.queues.entry(user.clone()).or_default().push_back(waiting);
        Ok(())
    }

    /// Who is next.
    pub(crate) fn head(&mut self) -> Option<&Waiting> {
        if self.next.is_none() {
            self.next = Self::least_recent(self.queues.iter().filter_map(|(user, queue)| {
                let first = queue.front()?;
                Some((self.last_turn(user), first.ticket, user.as_str()))
            }));
        }
        self.queues.get(self.next.as_ref()?)?.front()
    }

    /// Takes out who is next: it is served.
    pub(crate) fn serve_head(&mut self) -> Option<Waiting> {
        self.head()?;
        let user = self.next.take()?;
        let queue = self.queues.get_mut(&user)?;
        let served = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&user);
        }
        self.turn += 1;
        self.served.insert(user, self.turn);
        self.forget();
        Some(served)
    }

    /// Takes out those who match, in the order in which they came.
    pub(crate) fn take_out(&mut self, which: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let mut out = Vec::new();
        for (user, queue) in &mut self.queues {
            if !queue.iter().any(&which) {
                continue;
            }
            let first = queue.front().map(|it| it.ticket);
            let (gone, kept) = queue.drain(..).partition::<VecDeque<_>, _>(&which);
            *queue = kept;
            // It was the turn of that request, not of the user's next one.
            if self.next.as_ref() == Some(user) && queue.front().map(|it| it.ticket) != first {
                self.next = None;
            }
            out.extend(gone);
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        out.sort_by_key(|it| it.ticket);
        out
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.queues.values().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    /// A holder's first request and how many are served up to it, itself included, if nobody joins or leaves.
    pub(crate) fn place(&self, holder: &str) -> Option<(usize, &LeaseRequest)> {
        let mut turns: BTreeMap<&str, (u64, VecDeque<&Waiting>)> = self
            .queues
            .iter()
            .map(|(user, queue)| (user.as_str(), (self.last_turn(user), queue.iter().collect())))
            .collect();
        let (mut next, mut turn) = (self.next.clone(), self.turn);
        for position in 1.. {
            let user = next.take().or_else(|| {
                Self::least_recent(turns.iter().filter_map(|(user, (last, queue))| {
                    let first = queue.front()?;
                    Some((*last, first.ticket, *user))
                }))
            })?;
            let (last, queue) = turns.get_mut(user.as_str())?;
            let served = queue.pop_front()?;
            if served.request.holder == holder {
                return Some((position, &served.request));
            }
            turn += 1;
            *last = turn;
        }
        None
    }

    fn last_turn(&self, user: &str) -> u64 {
        self.served.get(user).copied().unwrap_or(self.forgotten)
    }

    /// Tickets are unique, so the name is never needed to break a tie.
    fn least_recent<'a>(users: impl Iterator<Item = (u64, Ticket, &'a str)>) -> Option<String> {
        users.min().map(|(_, _, user)| user.to_owned())
    }

    /// Keeps the memory of turns bounded.
    fn forget(&mut self) {
        while self.served.len() > REMEMBERED {
            let (turn, user) = self
                .served
                .iter()
                .map(|(user, turn)| (*turn, user.clone()))
                .min()
                .expect("invariant: more than none");
            self.served.remove(&user);
            self.forgotten = turn;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::Terms;

    const BOUNDS: Bounds = Bounds {
        total: 100,
        per_user: 50,
    };

    fn waiting(ticket: u64, user: &str) -> Waiting {
        Waiting {
            ticket: Ticket(ticket),
            request: LeaseRequest {
                holder: format!("h{ticket}"),
                user: user.to_owned(),
                epoch: 1,
                count: 1,
                memory: 0,
                within: Duration::from_secs(1),
                terms: Terms::Firm,
            },
            until: Instant::now(),
        }
    }

    fn line(users: &[&str]) -> Line {
        let mut line = Line::new(BOUNDS);
        for (ticket, user) in (1..).zip(users) {
            line.join(waiting(ticket, user)).expect("room");
        }
        line
    }

    fn serve_all(line: &mut Line) -> Vec<u64> {
        std::iter::from_fn(|| line.serve_head().map(|it| it.ticket.0)).collect()
    }

    #[test]
    fn users_take_turns() {
        assert_eq!(
            serve_all(&mut line(&["a", "a", "a", "b", "b", "c"])),
            [1, 4, 6, 2, 5, 3]
        );
    }

    #[test]
    fn who_was_served_lately_comes_after_who_was_not() {
        let mut line = line(&["a", "b"]);
        serve_all(&mut line);
        line.join(waiting(3, "b")).expect("room");
        line.join(waiting(4, "a")).expect("room");
        line.join(waiting(5, "new")).expect("room");
        assert_eq!(serve_all(&mut line), [5, 4, 3]);
    }

    #[test]
    fn who_is_next_stays_next() {
        let mut line = line(&["a"]);
        serve_all(&mut line);
        line.join(waiting(2, "a")).expect("room");
        assert_eq!(line.head().map(|it| it.ticket), Some(Ticket(2)));
        line.join(waiting(3, "b")).expect("room");
        assert_eq!(line.place("h3").map(|(position, _)| position), Some(2));
        assert_eq!(serve_all(&mut line), [2, 3]);
    }

    #[test]
    fn the_turn_of_a_request_that_left_is_not_its_users() {
        let mut line = line(&["a", "a"]);
        serve_all(&mut line);
        line.join(waiting(3, "a")).expect("room");
        line.head();
        line.join(waiting(4, "a")).expect("room");
        line.join(waiting(5, "b")).expect("room");
        assert_eq!(line.take_out(|it| it.ticket == Ticket(3)).len(), 1);
        assert_eq!(serve_all(&mut line), [5, 4]);
    }

    #[test]
    fn is_bounded_for_each_and_for_all() {
        let mut line = Line::new(Bounds { total: 3, per_user: 2 });
        line.join(waiting(1, "a")).expect("room");
        line.join(waiting(2, "a")).expect("room");
        let (_, refusal) = line.join(waiting(3, "a")).expect_err("a has two");
        assert_eq!(refusal.code(), "NB0714");
        line.join(waiting(4, "b")).expect("room");
        let (_, refusal) = line.join(waiting(5, "c")).expect_err("three wait");
        assert_eq!(refusal.code(), "NB0703");
    }

    #[test]
    fn forgets_the_oldest_turns_and_stays_fair() {
        let mut line = Line::new(Bounds {
            total: 5_000,
            per_user: 50,
        });
        for ticket in 1..=REMEMBERED as u64 + 10 {
            line.join(waiting(ticket, &format!("u{ticket}"))).expect("room");
            line.serve_head().expect("waits");
        }
        assert_eq!(line.served.len(), REMEMBERED);
        // A forgotten user is not put before one whose turn is remembered and older than what was forgotten since.
        let oldest = format!("u{}", 11);
        line.join(waiting(9_000, "u1")).expect("room");
        line.join(waiting(9_001, &oldest)).expect("room");
        assert_eq!(serve_all(&mut line), [9_000, 9_001]);
    }

    proptest! {
        /// Whoever joins, leaves or is served: first come first served within a user, nobody is served twice while
        /// another user waits all the time, and every place tells who is served before.
        #[test]
        fn is_fair(ops in prop::collection::vec((0..4u8, 0..5u8, any::<prop::sample::Index>()), 1..120)) {
            let mut line = Line::new(BOUNDS);
            let mut ticket = 0;
            // User → those served since the user's oldest waiting request came or the user was served last.
            let mut passed: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (op, user, index) in ops {
                let user = format!("u{user}");
                match op {
                    0 | 1 => {
                        ticket += 1;
                        if line.join(waiting(ticket, &user)).is_ok() {
                            passed.entry(user).or_default();
                        }
                    }
                    2 => {
                        let tickets: Vec<Ticket> = line.iter().map(|it| it.ticket).collect();
                        if !tickets.is_empty() {
                            let gone = *index.get(&tickets);
                            line.take_out(|it| it.ticket == gone);
                        }
                    }
                    _ => {
                        let places: BTreeMap<Ticket, usize> = line
                            .iter()
                            .map(|it| (it.ticket, line.place(&it.request.holder).expect("waits").0))
                            .collect();
                        let oldest = line.iter().filter(|it| it.request.user == user).map(|it| it.ticket).min();
                        let Some(served) = line.serve_head() else { continue };
                        prop_assert_eq!(places[&served.ticket], 1);
                        let by = served.request.user;
                        if by == user {
                            prop_assert_eq!(Some(served.ticket), oldest);
                        }
                        for (waits, since) in &mut passed {
                            if *waits != by {
                                prop_assert!(!since.contains(&by), "{by} was served twice while {waits} waited");
                                since.push(by.clone());
                            }
                        }
                        passed.insert(by, Vec::new());
                        // One less before everybody else.
                        for (ticket, place) in places.into_iter().filter(|(it, _)| *it != served.ticket) {
                            let holder = format!("h{}", ticket.0);
                            prop_assert_eq!(line.place(&holder).map(|it| it.0), Some(place - 1));
                        }
                    }
                }
                passed.retain(|user, _| line.iter().any(|it| it.request.user == *user));
            }
            let left = line.len();
            prop_assert_eq!(serve_all(&mut line).len(), left);
            prop_assert_eq!(line.len(), 0);
        }
    }
}
