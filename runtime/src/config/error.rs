//! What can be wrong with `cluster.toml`. Each kind of mistake has a code with a page in `docs/errors/`.

use std::io;

pub(super) const NOT_TOML: &str = "NB0101";
pub(super) const UNKNOWN_KEY: &str = "NB0102";
pub(super) const BAD_VALUE: &str = "NB0103";
pub(super) const NO_NODES: &str = "NB0104";
pub(super) const BAD_NAME: &str = "NB0105";
pub(super) const DUPLICATE_NAME: &str = "NB0106";
pub(super) const UNKNOWN_ROLE: &str = "NB0107";
pub(super) const BAD_ADDRESS: &str = "NB0108";
pub(super) const DUPLICATE_ADDRESS: &str = "NB0109";
pub(super) const CONTROL_COUNT: &str = "NB0110";
pub(super) const TOO_MANY_REPLICAS: &str = "NB0111";
pub(super) const GATEWAY_ADDRESS: &str = "NB0112";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}")]
    Unreadable {
        path: String,
        #[source]
        source: io::Error,
    },
    /// At least one problem, in the order of the file.
    #[error("{}", list(origin, problems))]
    Invalid { origin: String, problems: Vec<Problem> },
}

impl Error {
    /// Code of the first problem.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => NOT_TOML,
            Self::Invalid { problems, .. } => problems.first().map_or(BAD_VALUE, |problem| problem.code),
        }
    }
}

/// One mistake and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    /// Table, key and line as far as they are known, for example ``[[node]] h2, `mesh`, line 14``; may be empty.
    pub place: String,
    pub message: String,
}

impl Problem {
    pub(super) fn new(code: &'static str, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            place: place.into(),
            message: message.into(),
        }
    }

    fn text(&self) -> String {
        match self.place.as_str() {
            "" => self.message.clone(),
            place => format!("{place}: {}", self.message),
        }
    }

    /// Finds the code of what serde refused: our own deserializers begin their message with theirs.
    pub(super) fn of_serde(place: String, message: &str) -> Self {
        for own in [UNKNOWN_ROLE, BAD_ADDRESS] {
            if let Some((_, rest)) = message.split_once(&format!("{own}: ")) {
                return Self::new(own, place, rest);
            }
        }
        let code = if message.contains("unknown field") {
            UNKNOWN_KEY
        } else {
            BAD_VALUE
        };
        Self::new(code, place, message.replace("unknown field", "unknown key"))
    }
}

fn list(origin: &str, problems: &[Problem]) -> String {
    if let [only] = problems {
        return format!("{origin}: {}", only.text());
    }
    let lines: String = problems
        .iter()
        .map(|problem| format!("\n  {}: {}", problem.code, problem.text()))
        .collect();
    format!("{origin} has {} mistakes:{lines}", problems.len())
}
