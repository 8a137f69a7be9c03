//! What can go wrong when the control state is to be changed.

/// Every variant has a stable code with a page in `docs/errors`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no control node answered in time: {0}")]
    Unreachable(String),
    #[error("{message}")]
    Refused { code: String, message: String },
}

impl Error {
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable(_) => "NB0601",
            Self::Refused { code, .. } => code,
        }
    }
}
