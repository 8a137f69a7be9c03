//! The corpus: short notebooks, each with a check that must hold wherever the session has moved to.
//!
//! `integration/corpus/THEME.py` holds cases in percent format: `# %% case: NAME [marks]` starts one, `# %%` its next cell,
//! `# %% raises NAME` a cell that must end with that error, `# %% check` the check. Marks: `[alone]` needs a kernel of its own,
//! `[pinned]` may answer elsewhere with a `PinnedError`, `[local]` does not survive a crash of its host,
//! `[open]` is known not to hold yet in every way.

use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub theme: String,
    pub name: String,
    pub marks: Vec<Mark>,
    pub cells: Vec<CorpusCell>,
    pub check: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Alone,
    Pinned,
    Local,
    Open,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusCell {
    pub code: String,
    /// Name of the error that it must end with.
    pub raises: Option<String>,
}

impl Case {
    pub fn is(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }

    /// An optional part of the test environment: it takes gigabytes.
    pub fn needs_torch(&self) -> bool {
        let code = self.cells.iter().map(|cell| &cell.code).chain([&self.check]);
        code.into_iter().any(|code| code.contains("torch"))
    }

    /// `THEME/NAME`, which `NBOS_CORPUS` picks it by.
    pub fn id(&self) -> String {
        format!("{}/{}", self.theme, self.name)
    }
}

/// Every case whose id contains `NBOS_CORPUS` (all without it), in the order of files and lines.
///
/// # Panics
/// When a file is not in the format.
pub fn corpus() -> Vec<Case> {
    let wanted = std::env::var("NBOS_CORPUS").unwrap_or_default();
    let mut files: Vec<PathBuf> = fs::read_dir(directory())
        .expect("integration/corpus")
        .map(|file| file.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    files.sort();
    let cases = files.iter().flat_map(|path| {
        let theme = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        parse(&theme, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    cases.filter(|case| case.id().contains(&wanted)).collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn parse(theme: &str, text: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    // Text before the first case says what the theme is about.
    let mut into = Place::Preface;
    for (number, line) in text.lines().enumerate() {
        let at = |what: &str| format!("line {}: {what}: {line}", number + 1);
        let Some(rest) = line.strip_prefix("# %%") else {
            match (&into, cases.last_mut()) {
                (Place::Cell, Some(case)) => {
                    let cell = case.cells.last_mut().ok_or_else(|| at("no cell"))?;
                    cell.code.push_str(line);
                    cell.code.push('\n');
                }
                (Place::Check, Some(case)) => {
                    case.check.push_str(line);
                    case.check.push('\n');
                }
                _ => {}
            }
            continue;
        };
        let rest = rest.trim();
        let mut raises = None;
        if let Some(title) = rest.strip_prefix("case:") {
            cases.push(titled(theme, title).map_err(|what| at(&what))?);
            into = Place::Cell;
        } else if rest == "check" {
            into = Place::Check;
            continue;
        } else if let Some(name) = rest.strip_prefix("raises ") {
            raises = Some(name.trim().to_owned());
        } else if !rest.is_empty() {
            return Err(at("neither case, check nor raises"));
        }
        let case = cases.last_mut().ok_or_else(|| at("a cell before the first case"))?;
        if !matches!(into, Place::Cell) {
            return Err(at("a cell after the check"));
        }
        case.cells.push(CorpusCell {
            code: String::new(),
            raises,
        });
    }
    for case in &mut cases {
        // A title that is followed by `# %% raises …` at once leaves an empty first cell.
        case.cells.retain(|cell| !cell.code.trim().is_empty());
        for cell in &mut case.cells {
            cell.code = cell.code.trim_matches('\n').to_owned();
        }
        case.check = case.check.trim_matches('\n').to_owned();
        if case.cells.is_empty() || case.check.is_empty() {
            return Err(format!("case {} has no cell or no check", case.name));
        }
    }
    Ok(cases)
}

#[derive(Debug)]
enum Place {
    Preface,
    Cell,
    Check,
}

fn titled(theme: &str, title: &str) -> Result<Case, String> {
    let mut words = title.split_whitespace();
    let name = words.next().ok_or("a case without a name")?;
    let marks = words
        .flat_map(|word| word.trim_matches(['[', ']', ',']).split(','))
        .map(|word| match word {
            "alone" => Ok(Mark::Alone),
            "pinned" => Ok(Mark::Pinned),
            "local" => Ok(Mark::Local),
            "open" => Ok(Mark::Open),
            other => Err(format!("unknown mark {other}")),
        });
    Ok(Case {
        theme: theme.to_owned(),
        name: name.to_owned(),
        marks: marks.collect::<Result<_, _>>()?,
        cells: Vec::new(),
        check: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_into_cases_cells_and_checks() {
        let text = "# Lists.\n# %% case: one [alone] [pinned]\na = 1\n# %% raises ZeroDivisionError\n1 / 0\n# %% check\nassert a == 1\n\n# %% case: two\nb = 2\n# %% check\nassert b\n";
        let cases = parse("lists", text).expect("valid");
        assert_eq!(cases.len(), 2);
        assert!(cases[0].is(Mark::Alone) && cases[0].is(Mark::Pinned) && !cases[0].is(Mark::Local));
        assert_eq!(cases[0].cells[1].raises.as_deref(), Some("ZeroDivisionError"));
        assert_eq!(
            (cases[0].check.as_str(), cases[1].id().as_str()),
            ("assert a == 1", "lists/two")
        );
    }

    #[test]
    fn what_is_not_in_the_format_is_refused() {
        for text in [
            "# %%\na = 1\n",
            "# %% case: x\na = 1\n",
            "# %% case: x [odd]\n",
            "# %% case: x\na\n# %% cheque\n",
        ] {
            assert!(parse("bad", text).is_err(), "{text}");
        }
    }
}
