//! A notebook file (nbformat 4). Everything that is not an output stays as it was.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Value, json};

use crate::client::{DisplayUpdate, Outputs};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the notebook {path}: {why}")]
    Unreadable { path: PathBuf, why: String },
    #[error("cannot write the notebook {path}: {why}")]
    Unwritable { path: PathBuf, why: String },
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "NB0140",
            Self::Unwritable { .. } => "NB0141",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Notebook {
    root: Value,
    /// Outputs by position among all cells.
    outputs: Vec<(usize, Outputs)>,
}

/// A code cell that has something to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeCell {
    /// Its position among all cells.
    pub index: usize,
    pub source: String,
    /// Jupyter's tag `raises-exception`: an error in it is what its author expects.
    pub may_fail: MayFail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayFail {
    Yes,
    No,
}

impl Notebook {
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refuse = |why: String| Error::Unreadable {
            path: path.to_path_buf(),
            why,
        };
        let text = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
        Self::parse(&text).map_err(refuse)
    }

    /// Writes the notebook in one step: readers see it whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let write = || -> std::io::Result<()> {
            let name = path
                .file_name()
                .ok_or_else(|| std::io::Error::other("not a file's name"))?;
            let fresh = path.with_file_name(format!(".{}.{}", name.display(), std::process::id()));
            std::fs::write(&fresh, self.text()?)?;
            std::fs::rename(&fresh, path).inspect_err(|_| drop(std::fs::remove_file(&fresh)))
        };
        write().map_err(|error| Error::Unwritable {
            path: path.to_path_buf(),
            why: error.to_string(),
        })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let root: Value = serde_json::from_slice(text).map_err(|error| format!("not JSON: {error}"))?;
        match root.get("nbformat").and_then(Value::as_u64) {
            Some(4) => {}
            Some(other) => {
                return Err(format!(
                    "nbformat {other} is not supported; save it as nbformat 4 with Jupyter"
                ));
            }
            None => return Err("not a notebook: `nbformat` is missing".into()),
        }
        if !root.get("cells").is_some_and(Value::is_array) {
            return Err("not a notebook: `cells` is missing".into());
        }
        Ok(Self {
            root,
            outputs: Vec::new(),
        })
    }

    /// Code cells that are not empty, in order.
    pub fn code_cells(&self) -> Vec<CodeCell> {
        let cells = self.cells().iter().enumerate().filter(|(_, cell)| is_code(cell));
        let cells = cells.map(|(index, cell)| CodeCell {
            index,
            source: source(cell),
            may_fail: may_fail(cell),
        });
        cells.filter(|cell| !cell.source.trim().is_empty()).collect()
    }

    /// Removes the outputs and counts of an earlier run.
    pub fn clear(&mut self) {
        self.outputs.clear();
        for cell in self.cells_mut().iter_mut().filter(|cell| is_code(cell)) {
            cell["outputs"] = json!([]);
            cell["execution_count"] = Value::Null;
        }
    }

    /// Stores what a cell showed; displays of earlier cells that it updated change there.
    pub fn store(&mut self, index: usize, execution_count: Option<u64>, outputs: Outputs) {
        let updates: Vec<DisplayUpdate> = outputs.updates().to_vec();
        self.cells_mut()[index]["execution_count"] = json!(execution_count);
        self.outputs.push((index, outputs));
        let Self { root, outputs } = self;
        let touched = if updates.is_empty() { outputs.len() - 1 } else { 0 };
        for (index, shown) in &mut outputs[touched..] {
            for update in &updates {
                shown.update(update);
            }
            root["cells"][*index]["outputs"] = Value::from(shown.list().to_vec());
        }
    }

    /// One blank of indentation and sorted keys, as Jupyter writes it, so that differences stay small.
    fn text(&self) -> std::io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" "));
        self.root.serialize(&mut serializer)?;
        text.push(b'\n');
        Ok(text)
    }

    fn cells(&self) -> &[Value] {
        self.root["cells"].as_array().map_or(&[], Vec::as_slice)
    }

    fn cells_mut(&mut self) -> &mut [Value] {
        self.root["cells"]
            .as_array_mut()
            .expect("invariant: checked when it was parsed")
    }
}

fn is_code(cell: &Value) -> bool {
    cell.get("cell_type").and_then(Value::as_str) == Some("code")
}

/// nbformat allows a text or a list of lines.
fn source(cell: &Value) -> String {
    match cell.get("source") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

fn may_fail(cell: &Value) -> MayFail {
    let tags = cell
        .get("metadata")
        .and_then(|metadata| metadata.get("tags")?.as_array());
    match tags.is_some_and(|tags| tags.iter().any(|tag| tag == "raises-exception")) {
        true => MayFail::Yes,
        false => MayFail::No,
    }
}

#[cfg(test)]
#[path = "notebook_tests.rs"]
mod tests;
