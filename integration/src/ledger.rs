//! What a session must hold after its cells, by the replies that its user saw.

use std::collections::BTreeSet;

use nbos::client::ExecuteOutcome;
use serde_json::Value;

/// Cells that each append their own number to one list, and what was said of each.
#[derive(Debug, Default)]
pub struct Ledger {
    acknowledged: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    /// Interrupted before or after their effect.
    undecided: BTreeSet<u64>,
}

impl Ledger {
    /// The cell that appends `number` to `log`.
    pub fn cell(number: u64) -> String {
        format!("log.append({number})")
    }

    /// Its reply: ok, or the one error that is allowed.
    ///
    /// # Panics
    /// When the cell failed in any other way than by the loss of its executor.
    pub fn record(&mut self, number: u64, outcome: &ExecuteOutcome) {
        match outcome.error() {
            None => self.acknowledged.insert(number),
            Some(error) if error.ename == "ExecutorLost" => self.refused.insert(number),
            Some(error) => panic!("cell {number} failed: {}: {}", error.ename, error.evalue),
        };
    }

    /// As [`Ledger::record`], where users interrupt cells and Python processes are killed, too.
    ///
    /// # Panics
    /// When the cell failed in any other way.
    pub fn record_under_fire(&mut self, number: u64, outcome: &ExecuteOutcome) {
        match outcome.error() {
            Some(error) if error.ename == "KernelDied" => drop(self.refused.insert(number)),
            Some(error) if error.ename == "KeyboardInterrupt" => drop(self.undecided.insert(number)),
            Some(_) | None => self.record(number, outcome),
        }
    }

    /// Cells that were cut.
    pub fn refused(&self) -> usize {
        self.refused.len()
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// No acknowledged cell is lost, none is applied twice, none that was refused took effect, and all are in order.
    ///
    /// # Panics
    /// When the list is not what the replies promised.
    pub fn check(&self, list: &Value) {
        let list: Vec<u64> = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .collect();
        let applied: BTreeSet<u64> = list.iter().copied().collect();
        let lost: Vec<_> = self.acknowledged.difference(&applied).collect();
        assert!(lost.is_empty(), "acknowledged cells are lost: {lost:?} in {list:?}");
        assert_eq!(applied.len(), list.len(), "a cell is applied twice: {list:?}");
        let undead: Vec<_> = self.refused.intersection(&applied).collect();
        assert!(
            undead.is_empty(),
            "cells that were cut took effect: {undead:?} in {list:?}"
        );
        assert!(list.is_sorted(), "cells are out of order: {list:?}");
        let known: BTreeSet<u64> = self.acknowledged.union(&self.undecided).copied().collect();
        let unknown: Vec<_> = applied.difference(&known).collect();
        assert!(unknown.is_empty(), "nobody was told of these cells: {unknown:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde_json::json;

    use super::*;

    fn ledger() -> Ledger {
        Ledger {
            acknowledged: BTreeSet::from([1, 2, 4]),
            refused: BTreeSet::from([3]),
            undecided: BTreeSet::from([6, 7]),
        }
    }

    #[test]
    fn the_promised_list_passes() {
        ledger().check(&json!([1, 2, 4]));
        ledger().check(&json!([1, 2, 4, 6]));
    }

    #[test]
    fn every_kind_of_damage_is_found() {
        for damaged in [
            json!([1, 4]),
            json!([1, 2, 2, 4]),
            json!([1, 2, 3, 4]),
            json!([1, 4, 2]),
            json!([1, 2, 4, 5]),
        ] {
            assert!(catch_unwind(|| ledger().check(&damaged)).is_err(), "{damaged} passed");
        }
    }
}
