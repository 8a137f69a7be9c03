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

/// When the last cell ends if none waits for anything but the one before it.
fn end_of(cells: &[Cell]) -> Duration {
    cells
        .iter()
        .fold(Duration::ZERO, |end, cell| end.max(cell.submit) + cell.duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_waits_for_the_one_before_it() {
        let cell = |submit, duration| Cell {
            gpus: 1,
            submit: Duration::from_secs(submit),
            duration: Duration::from_secs(duration),
        };
        let session = Session::of(0, vec![cell(10, 30), cell(20, 5), cell(100, 1)]);
        assert_eq!(
            (session.opens, session.closes),
            (Duration::from_secs(10), Duration::from_secs(101))
        );
        assert_eq!(
            Session::of(0, vec![cell(10, 30), cell(20, 5)]).closes,
            Duration::from_secs(45)
        );
    }
}
