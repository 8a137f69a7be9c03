//! Where a cell that waits for GPUs stands, and what its client is told about it.

use std::collections::BTreeMap;

use nbos_mesh::NodeName;

use super::cell::{Cell, Phase};
use super::{Action, Core, Micros};
use crate::protocol::{Awaited, ElectionId, Place};

/// Shorter waits are not worth a word.
const TELL_AFTER_US: Micros = 2_000_000;

/// A line moves a few times a minute; a front end keeps every word.
const TELL_AGAIN_US: Micros = 5_000_000;

/// Early enough for the answers to be part of the first word.
const ASK_AFTER_US: Micros = 1_500_000;

const ASK_EVERY_US: Micros = 2_000_000;

/// What is known of a cell's places in the lines it stands in.
#[derive(Default)]
pub(super) struct Standing {
    places: BTreeMap<NodeName, Place>,
    asked_at: Option<Micros>,
    told: Option<Told>,
}

struct Told {
    at: Micros,
    /// The place it was told of.
    place: Option<(NodeName, u32)>,
}

impl Standing {
    /// The place nearest to the front; ties by the host's name.
    fn nearest(&self) -> Option<(&NodeName, &Place)> {
        self.places.iter().min_by_key(|(_, place)| place.position)
    }

    fn asks_at(&self, since: Micros) -> Micros {
        self.asked_at.map_or(since + ASK_AFTER_US, |asked| asked + ASK_EVERY_US)
    }

    /// What to tell the client now, if anything.
    fn words(&mut self, gpus: u32, since: Micros, now: Micros) -> Option<String> {
        let nearest = self.nearest();
        let place = nearest.map(|(host, place)| (host.clone(), place.position));
        let due = match &self.told {
            None => now >= since + TELL_AFTER_US,
            Some(told) => told.place != place && now >= told.at + TELL_AGAIN_US,
        };
        if !due {
            return None;
        }
        let noun = if gpus == 1 { "GPU" } else { "GPUs" };
        let what = match nearest {
            Some((host, place)) => format!("{} in line on {host}; {}", ordinal(place.position), place.reason),
            None => "others use those of this notebook's hosts".to_owned(),
        };
        self.told = Some(Told { at: now, place });
        Some(format!("[nbos] waiting for {gpus} {noun}: {what}\n"))
    }
}

impl Core {
    /// Asks where the cell stands, and tells its client.
    pub(super) fn advance_standing(&mut self) {
        let now = self.now;
        let (Some(election), Some(cell)) = (&mut self.election, &self.cell) else {
            return;
        };
        let since = cell.phase_since;
        if now >= election.standing.asks_at(since) {
            election.standing.asked_at = Some(now);
            let lines: Vec<NodeName> = election.lines(&self.host).cloned().collect();
            election.standing.places.retain(|host, _| lines.contains(host));
            let election = election.id;
            let asked = lines.into_iter().map(|host| Action::AskPlace { host, election });
            self.actions.extend(asked);
        }
        if let Some(words) = self
            .election
            .as_mut()
            .and_then(|election| election.standing.words(cell.gpus, since, now))
        {
            self.tell(&words);
        }
    }

    pub(super) fn place_answered(&mut self, election: ElectionId, host: NodeName, place: Option<Place>) {
        let Some(current) = self.election.as_mut().filter(|current| current.id == election) else {
            return;
        };
        match place {
            Some(place) => current.standing.places.insert(host, place),
            None => current.standing.places.remove(&host),
        };
    }

    /// For the kernel's record.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        let waits = |cell: &&Cell| matches!(cell.phase, Phase::Leasing | Phase::Electing);
        let cell = self.cell.as_ref().filter(waits)?;
        let nearest = self.election.as_ref().and_then(|election| election.standing.nearest());
        Some(Awaited {
            gpus: cell.gpus,
            since_us: cell.phase_since,
            nearest: nearest.map(|(host, place)| (host.clone(), place.clone())),
        })
    }
}

/// 1st, 2nd, 3rd, 4th, … 11th, 12th, 13th, … 21st.
fn ordinal(number: u32) -> String {
    let suffix = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(position: u32) -> Place {
        Place {
            position,
            waiting: 4,
            reason: "all 4 GPUs lent".to_owned(),
        }
    }

    #[test]
    fn a_client_hears_of_a_wait_once_and_then_of_each_new_place_but_not_too_often() {
        let mut standing = Standing::default();
        assert_eq!(standing.words(2, 0, TELL_AFTER_US - 1), None, "not worth a word yet");
        standing.places.insert(NodeName::from("h3"), place(3));
        standing.places.insert(NodeName::from("h2"), place(3));
        assert_eq!(
            standing.words(2, 0, TELL_AFTER_US).as_deref(),
            Some("[nbos] waiting for 2 GPUs: 3rd in line on h2; all 4 GPUs lent\n")
        );
        assert_eq!(standing.words(2, 0, TELL_AFTER_US * 10), None, "nothing new");
        standing.places.insert(NodeName::from("h3"), place(1));
        let soon = TELL_AFTER_US + TELL_AGAIN_US - 1;
        assert_eq!(standing.words(2, 0, soon), None, "not yet");
        let words = standing.words(2, 0, soon + 1).expect("a new place");
        assert!(words.contains("1st in line on h3"), "{words}");
    }

    #[test]
    fn numbers_are_read_as_people_say_them() {
        let said: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal).into();
        assert_eq!(
            said,
            [
                "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"
            ]
        );
    }
}
