//! What a load will ask of the cluster, and when.

use std::time::Duration;

use nbos_trace::Session;

use super::error::Error;

/// How many times faster than the trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

/// What is changed in the trace so that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A cell that needs more gets so many.
    pub gpus: u32,
    /// Sessions belong to so many users, in turns.
    pub users: usize,
}

/// Everything a load asks. Times are those of the run, from its start.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub sessions: Vec<PlannedSession>,
    pub speed: Speed,
    /// Cells that needed more GPUs than [`Limits::gpus`].
    pub clamped: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSession {
    /// Its number in the trace.
    pub number: usize,
    pub user: String,
    /// What a reservation would hold for as long as it lives.
    pub gpus: u32,
    pub opens: Duration,
    pub closes: Duration,
    pub cells: Vec<PlannedCell>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedCell {
    pub gpus: u32,
    pub submit: Duration,
    pub trains: Duration,
}

impl Speed {
    pub fn new(times: f64) -> Result<Self, Error> {
        match times.is_finite() && times > 0.0 {
            true => Ok(Self(times)),
            false => Err(Error::Speed(times)),
        }
    }

    pub fn times(self) -> f64 {
        self.0
    }

    fn of(self, time: Duration) -> Duration {
        // A speed far below 1 leads beyond what a duration can hold.
        Duration::try_from_secs_f64(time.as_secs_f64() / self.0).unwrap_or(Duration::MAX)
    }
}

impl Plan {
    /// # Errors
    /// [`Error::NothingToDo`] when there is no cell to run.
    pub fn new(sessions: &[Session], speed: Speed, limits: Limits) -> Result<Self, Error> {
        let mut clamped = 0;
        let mut plan = |(place, session): (usize, &Session)| {
            let cells = session.cells.iter().map(|cell| {
                clamped += usize::from(cell.gpus > limits.gpus);
                PlannedCell {
                    gpus: cell.gpus.min(limits.gpus),
                    submit: speed.of(cell.submit),
                    trains: speed.of(cell.duration),
                }
            });
            PlannedSession {
                number: session.number,
                user: format!("user-{}", place % limits.users.max(1) + 1),
                cells: cells.collect(),
                gpus: session.gpus.min(limits.gpus),
                opens: speed.of(session.opens),
                closes: speed.of(session.closes),
            }
        };
        let sessions: Vec<_> = sessions.iter().enumerate().map(&mut plan).collect();
        if sessions.iter().all(|session| session.cells.is_empty()) {
            return Err(Error::NothingToDo(match sessions.len() {
                0 => "no session of the trace is in this window".to_owned(),
                open => format!("none of the {open} sessions chosen submits a cell in this window"),
            }));
        }
        Ok(Self {
            sessions,
            speed,
            clamped,
        })
    }

    pub fn cells(&self) -> usize {
        self.sessions.iter().map(|session| session.cells.len()).sum()
    }

    /// When the last session closes if no cell ever waits.
    pub fn lasts(&self) -> Duration {
        self.sessions
            .iter()
            .map(|session| session.closes)
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use nbos_trace::Cell;

    use super::*;

    fn session(number: usize, gpus: &[u32]) -> Session {
        let cells = gpus.iter().map(|gpus| Cell {
            gpus: *gpus,
            submit: Duration::from_secs(60),
            duration: Duration::from_secs(30),
        });
        Session {
            number,
            opens: Duration::from_secs(60),
            closes: Duration::from_secs(120),
            gpus: gpus.iter().max().copied().unwrap_or(4),
            cells: cells.collect(),
        }
    }

    #[test]
    fn times_shrink_and_gpus_are_clamped() {
        let speed = Speed::new(60.0).unwrap();
        let plan = Plan::new(
            &[session(7, &[1, 8, 0]), session(9, &[]), session(11, &[2])],
            speed,
            Limits { gpus: 2, users: 2 },
        )
        .unwrap();
        assert_eq!(
            (plan.cells(), plan.clamped, plan.lasts()),
            (4, 1, Duration::from_secs(2))
        );
        let users: Vec<_> = plan
            .sessions
            .iter()
            .map(|session| (session.number, session.user.as_str(), session.gpus))
            .collect();
        assert_eq!(users, [(7, "user-1", 2), (9, "user-2", 2), (11, "user-1", 2)]);
        let first = plan.sessions[0].cells[1];
        assert_eq!(
            (first.gpus, first.submit, first.trains),
            (2, Duration::from_secs(1), Duration::from_millis(500))
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for times in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Speed::new(times).unwrap_err().code(), "NB0138");
        }
        let speed = Speed::new(1.0).unwrap();
        let limits = Limits { gpus: 1, users: 1 };
        for sessions in [vec![], vec![session(0, &[])]] {
            assert!(matches!(
                Plan::new(&sessions, speed, limits),
                Err(Error::NothingToDo(_))
            ));
        }
        assert_eq!(Speed::new(1e-300).unwrap().of(Duration::from_secs(1)), Duration::MAX);
    }
}
