//! What a supervisor's user can be told.

use ractor::SpawnErr;

/// Why a supervision request failed. Codes are documented in `docs/errors/`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A child or supervisor could not be started.
    #[error("`{path}` could not be started: {reason}")]
    Start {
        /// Path of the child in the tree.
        path: String,
        /// What its start function said.
        reason: String,
    },
    /// A live child with this name is already there.
    #[error("`{0}` is already supervised")]
    AlreadyThere(String),
    /// Names are single path segments.
    #[error("`{0}` is not a usable child name: it must be a non-empty path segment without `/`")]
    BadName(String),
    /// No supervised child lives at this path.
    #[error("there is nothing to restart at `{0}`")]
    NoSuchChild(String),
    /// The supervisor is gone, or did not answer within its deadline.
    #[error("the supervisor of `{0}` does not answer")]
    Gone(String),
    /// Too many restarts in the window: the supervisor stopped itself and told its parent.
    #[error("`{path}` gave up: more than {max_restarts} restarts in {window:?}, last error: {last_error}")]
    TooManyRestarts {
        /// Path of the supervisor.
        path: String,
        /// Tolerated restarts.
        max_restarts: u32,
        /// The intensity window.
        window: std::time::Duration,
        /// The failure that broke the limit.
        last_error: String,
    },
}

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start { .. } => "NB0280",
            Self::AlreadyThere(_) => "NB0281",
            Self::BadName(_) => "NB0282",
            Self::NoSuchChild(_) => "NB0283",
            Self::Gone(_) => "NB0284",
            Self::TooManyRestarts { .. } => "NB0285",
        }
    }
}

/// Lets a child's start function start a supervisor of its own and use `?`.
impl From<Error> for SpawnErr {
    fn from(error: Error) -> Self {
        Self::StartupFailed(Box::new(error))
    }
}
