//! When to ask for votes again: pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::id::ReplicaId;

/// Shortest pause between two rounds of one replica. A round takes two messages and, when it succeeds, a sync of two
/// logs; a few milliseconds when nothing else happens.
const SHORTEST: Duration = Duration::from_millis(60);

/// The rounds since a leader was last heard.
#[derive(Debug, Default)]
pub(crate) struct Campaigns {
    rounds: u32,
    last: Option<Instant>,
}

impl Campaigns {
    /// Is a round due at `now`, and when is the next one?
    ///
    /// Pauses double up to `longest`. Replicas pause differently, by their ids, so that two of them do not keep
    /// asking at the same moment.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        heard: Option<Instant>,
        me: ReplicaId,
        longest: Duration,
    ) -> (bool, Instant) {
        if heard > self.last {
            *self = Self::default();
        }
        let pause = |rounds: u32| {
            let doubled = SHORTEST.saturating_mul(1 << rounds.saturating_sub(1).min(10));
            doubled.min(longest) + Duration::from_millis(me.0 % 40)
        };
        if let Some(last) = self.last
            && now < last + pause(self.rounds)
        {
            return (false, last + pause(self.rounds));
        }
        self.rounds += 1;
        self.last = Some(now);
        (true, now + pause(self.rounds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_get_further_apart_until_a_leader_is_heard() {
        let longest = Duration::from_millis(400);
        let start = Instant::now();
        let mut campaigns = Campaigns::default();
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..5 {
            let (due, again) = campaigns.next(now, Some(start - longest), ReplicaId(1), longest);
            assert!(due);
            let early = again - Duration::from_millis(1);
            assert_eq!(campaigns.next(early, None, ReplicaId(1), longest), (false, again));
            pauses.push((again - now).as_millis());
            now = again;
        }
        assert_eq!(pauses, [61, 121, 241, 401, 401]);
        let heard = now;
        let (due, again) = campaigns.next(heard, Some(heard), ReplicaId(1), longest);
        assert!(due && again - heard == Duration::from_millis(61));
    }
}
