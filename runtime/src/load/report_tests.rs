use super::*;
use crate::load::plan::{PlannedCell, PlannedSession, Speed};
use crate::load::record::Life;

const SECOND: Duration = Duration::from_secs(1);

fn plan() -> Plan {
    let session = |number, cells: &[u32]| PlannedSession {
        number,
        user: "user-1".to_owned(),
        gpus: 2,
        opens: Duration::ZERO,
        closes: SECOND * 10,
        cells: cells
            .iter()
            .map(|gpus| PlannedCell {
                gpus: *gpus,
                submit: SECOND,
                trains: SECOND * 2,
            })
            .collect(),
    };
    Plan {
        sessions: vec![session(4, &[2, 1, 1]), session(7, &[1]), session(9, &[])],
        speed: Speed::new(60.0).unwrap(),
        clamped: 1,
    }
}

fn cell(session: usize, gpus: u32, ready: u64, delay_ms: u64, host: &str) -> CellRecord {
    CellRecord {
        session,
        gpus,
        ready: SECOND * u32::try_from(ready).unwrap(),
        took: SECOND * 3,
        delay: Some(Duration::from_millis(delay_ms)),
        waited: Some(Duration::from_millis(1)),
        held: Some(Duration::from_millis(2_500)),
        trained: SECOND * 2,
        host: Some(host.to_owned()),
        ending: Ending::Well { wrong: vec![] },
    }
}

fn life(session: usize) -> Life {
    Life {
        session,
        gpus: 2,
        opened: Duration::ZERO,
        closed: SECOND * 10,
        failures: vec![],
    }
}

fn outcome(cells: Vec<CellRecord>) -> Outcome {
    Outcome {
        cells,
        lives: vec![life(4), life(7), life(9)],
        samples: vec![],
        migrations: 3,
        lasted: SECOND * 10,
    }
}

#[test]
fn hours_add_up() {
    let cells = vec![
        cell(4, 2, 1, 20, "h1"),
        cell(7, 1, 1, 20, "h1"),
        cell(4, 1, 4, 20, "h2"),
        cell(4, 1, 7, 20, "h2"),
    ];
    let report = Report::new(&plan(), &outcome(cells), 6);
    let hours = report.gpu_hours;
    let seconds = |hours: f64| (hours * 3_600.0 * 1e6).round() / 1e6;
    assert_eq!(
        (
            seconds(hours.asked),
            seconds(hours.active),
            seconds(hours.held),
            seconds(hours.reservation)
        ),
        (10.0, 10.0, 12.5, 60.0)
    );
    assert!((report.saved_vs_reservation.unwrap() - (1.0 - 12.5 / 60.0)).abs() < 1e-9);
    assert_eq!(report.executor_reuse, Some(0.5), "h1 to h2, then h2 again");
    assert_eq!((report.sessions, report.idle_sessions, report.migrations), (3, 1, 3));
    assert_eq!(
        (report.cells.planned, report.cells.well, report.cells.not_run),
        (4, 4, 0)
    );
    assert!(report.is_good(), "{report:?}");
    assert_eq!(report.tct_s.max, Some(3.0));
}

#[test]
fn at_once_means_that_nobody_waited() {
    let mut waited = cell(4, 1, 2, 20, "h1");
    waited.waited = Some(Duration::from_millis(51));
    let mut unknown = cell(4, 1, 3, 20, "h1");
    unknown.waited = None;
    let without = cell(7, 0, 1, 20, "h1");
    let late = cell(4, 1, 4, 2_001, "h1");
    let cells = vec![cell(4, 2, 1, 20, "h1"), without, waited, unknown, late];
    let report = Report::new(&plan(), &outcome(cells), 6);
    assert_eq!(report.immediate_commit, Some(0.25), "of those that want GPUs");
    assert_eq!(report.within_1_s, Some(0.8));
}

#[test]
fn errors_are_counted_by_kind() {
    let mut lost = cell(4, 1, 2, 20, "h1");
    lost.ending = Ending::Failed {
        kind: "ExecutorLost".to_owned(),
        what: "its host was lost".to_owned(),
    };
    let mut wrong = cell(4, 1, 5, 20, "h1");
    wrong.ending = Ending::Well {
        wrong: vec!["step 1, not 2".to_owned(), "other weights".to_owned()],
    };
    let mut outcome = outcome(vec![lost, wrong]);
    outcome.lives[1].failures = vec![("kernel not deleted".to_owned(), "no answer".to_owned())];
    let report = Report::new(&plan(), &outcome, 6);
    let kinds: Vec<_> = report
        .errors
        .iter()
        .map(|error| (error.kind.as_str(), error.count, error.first.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("ExecutorLost", 1, "its host was lost"),
            ("kernel not deleted", 1, "no answer"),
            ("state error", 1, "step 1, not 2; other weights"),
        ]
    );
    assert_eq!(
        (report.state_errors, report.cells.failed, report.cells.not_run),
        (1, 1, 2)
    );
    assert!(!report.is_good());
}

#[test]
fn samples_are_integrated() {
    let at = |seconds, held| Sampled {
        at: SECOND * seconds,
        held,
    };
    assert!((sampled(&[at(0, 0), at(1, 2), at(3, 2), at(4, 0)]) * 3_600.0 - 6.0).abs() < 1e-9);
    assert_eq!(sampled(&[at(0, 5)]), 0.0);
}

#[test]
fn nothing_at_all_is_no_division_by_zero() {
    let nothing = Outcome::default();
    let report = Report::new(&plan(), &nothing, 0);
    assert_eq!(
        (
            report.immediate_commit,
            report.executor_reuse,
            report.saved_vs_reservation
        ),
        (None, None, None)
    );
    assert_eq!(report.cells.not_run, 4);
}
