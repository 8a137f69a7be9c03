//! A load's results as files: `load.json`, `cells.csv`, and four charts in two formats each.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::drive::Outcome;
use super::error::Error;
use super::record::{CellRecord, Ending};
use super::report::{Report, completions, delays};
use crate::chart::{Axis, Chart, Line, Scale, draw_both};

/// Writes everything into a directory, which is made if need be. Takes a second: not for a thread that serves others.
pub fn write(dir: &Path, report: &Report, outcome: &Outcome) -> Result<(), Error> {
    let file = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|source| Error::Unwritable { path, source })
    };
    fs::create_dir_all(dir).map_err(|source| Error::Unwritable {
        path: dir.to_owned(),
        source,
    })?;
    let json = serde_json::to_string_pretty(report).expect("invariant: numbers and texts are JSON");
    file("load.json", json + "\n")?;
    file("cells.csv", cells(&outcome.cells))?;
    for (name, chart) in charts(outcome) {
        draw_both(&chart, dir, name).map_err(|(path, why)| Error::Undrawable { path, why })?;
    }
    Ok(())
}

fn cells(cells: &[CellRecord]) -> String {
    let mut text = "session,gpus,ready_s,delay_s,tct_s,waited_s,held_s,trained_s,host,ending\n".to_owned();
    let seconds = |time: Option<Duration>| time.map_or_else(String::new, |time| format!("{:.6}", time.as_secs_f64()));
    for cell in cells {
        let ending = match &cell.ending {
            Ending::Well { wrong } if wrong.is_empty() => "well",
            Ending::Well { .. } => "state error",
            Ending::Failed { kind, .. } => kind,
        };
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{}",
            cell.session,
            cell.gpus,
            seconds(Some(cell.ready)),
            seconds(cell.delay),
            seconds(Some(cell.took)),
            seconds(cell.waited),
            seconds(cell.held),
            seconds(Some(cell.trained)),
            cell.host.as_deref().unwrap_or_default(),
            ending.replace([',', '\n', '"'], " "),
        );
    }
    text
}

fn charts(outcome: &Outcome) -> [(&'static str, Chart); 4] {
    let cells = &outcome.cells;
    let time = || Axis {
        name: "time, s".to_owned(),
        scale: Scale::Linear,
        at_least: outcome.lasted.as_secs_f64(),
    };
    let count = |name: &str| Axis {
        name: name.to_owned(),
        scale: Scale::Linear,
        at_least: 1.0,
    };
    let cumulative = |title: &str, axis: &str, name: &str, figures: Vec<f64>| Chart {
        title: title.to_owned(),
        x: Axis {
            name: axis.to_owned(),
            scale: Scale::Logarithmic,
            at_least: 0.01,
        },
        y: count("share of cells"),
        lines: vec![Line::cumulative(name, figures)],
    };
    let held = outcome
        .samples
        .iter()
        .map(|sample| (sample.at.as_secs_f64(), f64::from(sample.held)));
    let active = cells.iter().filter_map(|cell| {
        let (from, to) = cell.ran()?;
        Some((from.as_secs_f64(), to.as_secs_f64(), cell.gpus))
    });
    let waiting = cells.iter().map(|cell| {
        let begins = cell.ready + cell.delay.unwrap_or(cell.took);
        (cell.ready.as_secs_f64(), begins.as_secs_f64(), 1)
    });
    [
        (
            "delay",
            cumulative("Ready until first words", "delay, s", "delay", delays(cells)),
        ),
        (
            "completion",
            cumulative("Ready until reply", "completion, s", "completion", completions(cells)),
        ),
        (
            "gpus",
            Chart {
                title: "GPUs lent and GPUs training".to_owned(),
                x: time(),
                y: count("GPUs"),
                lines: vec![
                    Line {
                        name: "lent".to_owned(),
                        points: held.collect(),
                    },
                    Line::stacked("training", active),
                ],
            },
        ),
        (
            "queue",
            Chart {
                title: "Cells asked for that have not begun".to_owned(),
                x: time(),
                y: count("cells"),
                lines: vec![Line::stacked("waiting", waiting)],
            },
        ),
    ]
}
