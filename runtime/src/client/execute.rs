//! A cell's request and what came of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::message::{fresh_id, text};
use super::outputs::Outputs;

/// An `execute_request`.
#[derive(Clone, Debug)]
pub struct Execute {
    pub code: String,
    /// Sent again with the same id, a cell is not run twice: the kernel answers with the stored outputs and reply.
    pub msg_id: String,
    /// The request's metadata, for example `{"nbos": {"gpus": 1}}`.
    pub metadata: Value,
    /// Neither counted nor shown to other clients.
    pub silent: Silent,
}

/// Whether a request is Jupyter's `silent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silent {
    Yes,
    #[default]
    No,
}

impl Execute {
    /// With a fresh id and no metadata.
    pub fn new(code: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            msg_id: fresh_id(),
            metadata: json!({}),
            silent: Silent::No,
        }
    }

    pub(super) fn content(&self) -> Value {
        let silent = self.silent == Silent::Yes;
        json!({
            "code": self.code,
            "silent": silent,
            "store_history": !silent,
            "user_expressions": {},
            "allow_stdin": false,
            "stop_on_error": true,
        })
    }
}

/// A cell that has ended.
#[derive(Clone, Debug)]
pub struct ExecuteOutcome {
    pub msg_id: String,
    /// Content of the `execute_reply`.
    pub reply: Value,
    /// The reply's metadata; `nbos` in it tells the host that ran the cell, and its GPUs.
    pub metadata: Value,
    pub outputs: Outputs,
    /// From sending the request to the first words on the cell's standard output.
    pub spoke_after: Option<Duration>,
    /// From sending the request to its reply.
    pub replied_after: Duration,
    /// From sending the request to the later of reply and `idle`.
    pub ended_after: Duration,
}

/// The exception that ended a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellError {
    pub ename: String,
    pub evalue: String,
    /// Lines, with the terminal colours that IPython gives them.
    pub traceback: Vec<String>,
}

impl ExecuteOutcome {
    pub fn is_ok(&self) -> bool {
        text(&self.reply, "status") == "ok"
    }

    pub fn execution_count(&self) -> Option<u64> {
        self.reply.get("execution_count")?.as_u64()
    }

    /// Everything the cell wrote to standard output.
    pub fn stdout(&self) -> String {
        self.stream("stdout")
    }

    /// Everything the cell wrote to standard error.
    pub fn stderr(&self) -> String {
        self.stream("stderr")
    }

    /// The plain text of the cell's last expression.
    pub fn result(&self) -> Option<&str> {
        let mut results = self
            .outputs
            .list()
            .iter()
            .filter(|output| text(output, "output_type") == "execute_result");
        results.next_back()?.get("data")?.get("text/plain")?.as_str()
    }

    /// The reply's error; `None` for a cell that ended well.
    pub fn error(&self) -> Option<CellError> {
        if self.is_ok() {
            return None;
        }
        let lines = self
            .reply
            .get("traceback")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        Some(CellError {
            ename: text(&self.reply, "ename").to_owned(),
            evalue: text(&self.reply, "evalue").to_owned(),
            traceback: lines.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    fn stream(&self, name: &str) -> String {
        let streams = self
            .outputs
            .list()
            .iter()
            .filter(|output| text(output, "output_type") == "stream");
        streams
            .filter(|output| text(output, "name") == name)
            .map(|output| text(output, "text"))
            .collect()
    }
}
