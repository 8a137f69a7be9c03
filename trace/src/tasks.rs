//! The task list of AdobeTrace's published preprocessing: a CSV with a header, `job_id,num_gpu,submit_time,…,duration,…`, times in
//! minutes, rows grouped by session. It has no column for the session: a submission earlier than the row before begins a new one.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use csv::StringRecord;

use crate::error::Error;
use crate::session::{Cell, Session};

/// Ten years: what is later is a mistake in the file, and must not overflow anything.
const MAX_MINUTES: f64 = 10.0 * 366.0 * 24.0 * 60.0;

/// More GPUs than any host has.
const MAX_GPUS: u32 = 1_024;

/// Where the columns are; others are ignored.
struct Columns {
    gpus: usize,
    submit: usize,
    duration: usize,
}

/// Reads a task list and divides it into sessions.
///
/// # Errors
/// [`Error`] names the file, and the line where there is one to blame.
pub fn read_tasks(path: &Path) -> Result<Vec<Session>, Error> {
    let unreadable = |source| Error::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(BufReader::new(file));
    let columns = columns(reader.headers().map_err(|error| malformed(path, error))?, path)?;
    let (mut sessions, mut cells) = (Vec::new(), Vec::<Cell>::new());
    for record in reader.records() {
        let record = record.map_err(|error| malformed(path, error))?;
        let cell = cell(&columns, &record).map_err(|why| Error::BadLine {
            path: path.to_owned(),
            line: record.position().map_or(0, csv::Position::line),
            why,
        })?;
        if cells.last().is_some_and(|last| cell.submit < last.submit) {
            sessions.push(Session::of(sessions.len(), std::mem::take(&mut cells)));
        }
        cells.push(cell);
    }
    if !cells.is_empty() {
        sessions.push(Session::of(sessions.len(), cells));
    }
    match sessions.is_empty() {
        true => Err(Error::Empty { path: path.to_owned() }),
        false => Ok(sessions),
    }
}

fn columns(header: &StringRecord, path: &Path) -> Result<Columns, Error> {
    if header.iter().all(str::is_empty) {
        return Err(Error::Empty { path: path.to_owned() });
    }
    let find = |column: &'static str| {
        let place = header.iter().position(|name| name == column);
        place.ok_or_else(|| Error::NoColumn {
            path: path.to_owned(),
            column,
            found: header.iter().collect::<Vec<_>>().join(", "),
        })
    };
    Ok(Columns {
        gpus: find("num_gpu")?,
        submit: find("submit_time")?,
        duration: find("duration")?,
    })
}

fn cell(columns: &Columns, record: &StringRecord) -> Result<Cell, String> {
    let text = |column: usize| record.get(column).unwrap_or_default();
    let gpus = text(columns.gpus)
        .parse()
        .ok()
        .filter(|gpus| *gpus <= MAX_GPUS)
        .ok_or_else(|| format!("num_gpu is `{}`, not a number from 0 to {MAX_GPUS}", text(columns.gpus)))?;
    Ok(Cell {
        gpus,
        submit: minutes("submit_time", text(columns.submit))?,
        duration: minutes("duration", text(columns.duration))?,
    })
}

fn minutes(column: &str, text: &str) -> Result<Duration, String> {
    let minutes: f64 = text
        .parse()
        .map_err(|_| format!("{column} is `{text}`, not a number of minutes"))?;
    if minutes < 0.0 {
        return Err(format!("{column} is negative: {text}"));
    }
    if !(0.0..=MAX_MINUTES).contains(&minutes) {
        return Err(format!("{column} is out of range: {text}"));
    }
    // Whole milliseconds, so that nothing depends on how fractions were rounded.
    Ok(Duration::from_millis((minutes * 60_000.0).round() as u64))
}

/// What the CSV reader found, in our words.
fn malformed(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Unreadable {
            path: path.to_owned(),
            source,
        },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => Error::BadLine {
            path: path.to_owned(),
            line,
            why: format!("{len} columns where the first line has {expected_len}"),
        },
        csv::ErrorKind::Utf8 { .. } => Error::BadLine {
            path: path.to_owned(),
            line,
            why: "not UTF-8".to_owned(),
        },
        other => Error::BadLine {
            path: path.to_owned(),
            line,
            why: format!("{other:?}"),
        },
    }
}

#[cfg(test)]
#[path = "tasks_tests.rs"]
mod tests;
