//! When a replica rests: the pure part of parking.
//!
//! A leader that has been idle begins a *round*, stops its clock and asks every other member to rest with it. A member
//! agrees when it has applied all the leader has. If all agree the group is parked, else the leader wakes again.
//! Every AppendEntries carries its leader's round. A resting follower wakes on one of a later round or of another
//! leader, and ignores a heartbeat that was under way when the round began: waking on that one would start its clock
//! with a lease long expired, and it would campaign against a leader at rest.

use crate::types::Vote;

#[derive(Debug, Default)]
pub(crate) struct Calm {
    round: u64,
    state: State,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    #[default]
    Awake,
    /// The leader has begun a round and waits for the members.
    Settling,
    /// The leader of a parked group.
    Leading,
    /// A follower that rests with the leader of `vote` since its `round`.
    Following { vote: Vote, round: u64 },
}

impl Calm {
    /// What this replica's AppendEntries carry while it leads.
    pub(crate) fn round(&self) -> u64 {
        self.round
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.state == State::Awake
    }

    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.state, State::Leading | State::Following { .. })
    }

    /// The leader begins a round, unless it is not awake.
    pub(crate) fn begin(&mut self) -> Option<u64> {
        if !self.is_awake() {
            return None;
        }
        self.round += 1;
        self.state = State::Settling;
        Some(self.round)
    }

    /// All members rest since `round`. False when the leader has woken meanwhile.
    pub(crate) fn settle(&mut self, round: u64) -> bool {
        let settled = self.state == State::Settling && self.round == round;
        if settled {
            self.state = State::Leading;
        }
        settled
    }

    /// A follower agrees to rest.
    pub(crate) fn follow(&mut self, vote: Vote, round: u64) {
        self.state = State::Following { vote, round };
    }

    /// An AppendEntries came in. True when the replica wakes by it.
    pub(crate) fn hear(&mut self, vote: &Vote, round: u64) -> bool {
        match &self.state {
            State::Awake => false,
            State::Following {
                vote: leader,
                round: since,
            } if leader == vote && round <= *since => false,
            State::Settling | State::Leading | State::Following { .. } => self.wake(),
        }
    }

    /// True when it was not awake before.
    pub(crate) fn wake(&mut self) -> bool {
        let woken = !self.is_awake();
        if woken {
            self.round += 1;
            self.state = State::Awake;
        }
        woken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openraft::vote::{RaftLeaderId, RaftVote};

    type LeaderId = openraft::alias::LeaderIdOf<crate::types::Types>;

    fn vote(term: u64) -> Vote {
        Vote::from_leader_id(LeaderId::new(term, 1), true)
    }

    #[test]
    fn a_heartbeat_from_before_the_round_does_not_wake_a_follower_and_the_next_round_does() {
        let (mut leader, mut follower) = (Calm::default(), Calm::default());
        let under_way = leader.round();
        let round = leader.begin().unwrap();
        follower.follow(vote(3), round);
        assert!(!follower.hear(&vote(3), under_way) && follower.is_parked());
        assert!(leader.settle(round) && leader.is_parked());
        assert!(!follower.hear(&vote(3), leader.round()), "the round itself");
        assert!(leader.wake());
        assert!(follower.hear(&vote(3), leader.round()) && follower.is_awake());
    }

    #[test]
    fn another_leader_wakes_a_follower_whatever_its_round() {
        let mut follower = Calm::default();
        follower.follow(vote(3), 9);
        assert!(follower.hear(&vote(4), 0));
    }

    #[test]
    fn a_leader_woken_while_it_settles_does_not_park() {
        let mut leader = Calm::default();
        let round = leader.begin().unwrap();
        assert_eq!(leader.begin(), None, "one round at a time");
        assert!(leader.wake());
        assert!(!leader.settle(round) && leader.is_awake());
        let later = leader.begin().unwrap();
        assert!(!leader.settle(round), "an answer to an old round");
        assert!(leader.settle(later));
    }
}
