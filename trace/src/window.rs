//! A part of a trace.

use std::time::Duration;

use crate::session::{Cell, Session};

/// A stretch of a trace. A cell belongs to it if it is submitted in it; it is cut at the end, and cells that run at the beginning are
/// left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: Duration,
    /// Not part of it any more.
    pub end: Duration,
}

/// What becomes of sessions that are open in the window and submit nothing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// They do not count, and a session lives from its first cell in the window to its last.
    LeaveOut,
    /// They are there, as notebooks are that nobody uses at the moment; every session lives as long as in the trace, cut at both ends.
    Keep,
}

/// The sessions of a window in the order in which they open, those that open together in the order of the trace. Times count from the
/// window's start.
pub fn excerpt(sessions: &[Session], window: Window, idle: Idle) -> Vec<Session> {
    let mut found: Vec<Session> = sessions
        .iter()
        .filter_map(|session| cut(session, window, idle))
        .collect();
    found.sort_by_key(|session| (session.opens, session.number));
    found
}

/// So many of the sessions, evenly spread over the list; all of them when there are no more.
pub fn spread(sessions: Vec<Session>, wanted: usize) -> Vec<Session> {
    let count = sessions.len();
    if wanted >= count {
        return sessions;
    }
    let mut places = (0..wanted).map(|index| index * count / wanted).peekable();
    let chosen = sessions.into_iter().enumerate();
    chosen
        .filter_map(|(place, session)| places.next_if_eq(&place).map(|_| session))
        .collect()
}

fn cut(session: &Session, window: Window, idle: Idle) -> Option<Session> {
    let inside = |cell: &&Cell| (window.start..window.end).contains(&cell.submit);
    let cells = session.cells.iter().filter(inside).map(|cell| Cell {
        submit: cell.submit - window.start,
        duration: cell.duration.min(window.end - cell.submit),
        ..*cell
    });
    let cells: Vec<Cell> = cells.collect();
    match idle {
        Idle::LeaveOut => (!cells.is_empty()).then(|| Session::of(session.number, cells)),
        Idle::Keep => (session.opens < window.end && session.closes > window.start).then(|| Session {
            number: session.number,
            opens: session.opens.saturating_sub(window.start),
            closes: session.closes.min(window.end) - window.start,
            gpus: session.gpus,
            cells,
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn session(number: usize, cells: &[(u32, u32, u32)]) -> Session {
        let cells = cells.iter().map(|(gpus, submit, duration)| Cell {
            gpus: *gpus,
            submit: MINUTE * *submit,
            duration: MINUTE * *duration,
        });
        Session::of(number, cells.collect())
    }

    fn window(start: u32, end: u32) -> Window {
        Window {
            start: MINUTE * start,
            end: MINUTE * end,
        }
    }

    #[test]
    fn cells_are_taken_by_their_submission_and_cut_at_the_end() {
        let trace = [
            session(0, &[(8, 5, 10), (1, 20, 3), (4, 29, 100), (1, 30, 1)]),
            session(1, &[(1, 12, 1)]),
            session(2, &[(1, 2, 1), (2, 40, 1)]),
            session(3, &[(1, 30, 1)]),
        ];
        let active = excerpt(&trace, window(10, 30), Idle::LeaveOut);
        assert_eq!(
            active,
            [session(1, &[(1, 2, 1)]), session(0, &[(1, 10, 3), (4, 19, 1)])]
        );
        let open = excerpt(&trace, window(10, 30), Idle::Keep);
        let lives: Vec<_> = open
            .iter()
            .map(|session| {
                (
                    session.number,
                    session.opens,
                    session.closes,
                    session.gpus,
                    session.cells.len(),
                )
            })
            .collect();
        assert_eq!(
            lives,
            [
                (0, Duration::ZERO, MINUTE * 20, 8, 2),
                (2, Duration::ZERO, MINUTE * 20, 2, 0),
                (1, MINUTE * 2, MINUTE * 3, 1, 1),
            ]
        );
    }

    proptest! {
        #[test]
        fn a_choice_is_even(count in 0_usize..60, wanted in 0_usize..70) {
            let all: Vec<_> = (0..count).map(|number| session(number, &[(1, 0, 1)])).collect();
            let numbers: Vec<_> = spread(all, wanted).iter().map(|session| session.number).collect();
            prop_assert_eq!(numbers.len(), wanted.min(count));
            let gaps: Vec<_> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let (least, most) = (gaps.iter().min().copied().unwrap_or(1), gaps.iter().max().copied().unwrap_or(1));
            prop_assert!(least >= 1 && most - least <= 1, "{:?}", numbers);
        }
    }
}
