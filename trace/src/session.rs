//! A user's notebook: cells one after the other.

use std::time::Duration;

/// One run of a cell. Times count from the beginning of the trace, or of the window it was cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub gpus: u32,
    /// When its user asks for it. It is ready then, or when the session's cell before it has ended.
    pub submit: Duration,
    /// How long it computes.
    pub duration: Duration,
}

/// Cells in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its place in the trace, from 0.
    pub number: usize,
    pub opens: Duration,
    pub closes: Duration,
    /// The most that any of its cells needs: what a reservation would hold.
    pub gpus: u32,
    pub cells: Vec<Cell>,
}

impl Session {
    /// A session that lives from its first cell's submission to its last one's end.
    pub(crate) fn of(number: usize, cells: Vec<Cell>) -> Self {
        Self {
            number,
            opens: cells.first().map_or(Duration::ZERO, |cell| cell.submit),
            closes: end_of(&cells),
            gpus: cells.iter().map(|cell| cell.gpus).max().unwrap_or_default(),
            cells,
        }
    }
}

/// When the last of them ends, as the trace has it.
fn end_of(cells: &[Cell]) -> Duration {
    let ends = cells.iter().map(|cell| cell.submit + cell.duration);
    ends.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_until_its_last_cell_ends() {
        let cell = |gpus, submit, duration| Cell {
            gpus,
            submit: Duration::from_secs(submit),
            duration: Duration::from_secs(duration),
        };
        let session = Session::of(3, vec![cell(1, 10, 300), cell(4, 20, 5), cell(1, 100, 1)]);
        assert_eq!(
            (session.opens, session.closes, session.gpus),
            (Duration::from_secs(10), Duration::from_secs(310), 4)
        );
    }
}
