//! What must not be known outside: the clients' token and the secret that nodes prove to each other.

use std::fmt;
use std::fs;
use std::io;

use crate::state_dir::{Error, StateDir, write_private};

/// Bytes of a generated secret: 256 bits, as strong as the hash that is keyed with it.
const SECRET_BYTES: usize = 32;

/// A text that is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the place where it is compared or sent.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secrets of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// Proves a Jupyter client or `nbos` command to every gateway.
    pub token: Secret,
    /// Proves a node to the other nodes.
    pub mesh: Secret,
}

impl Secrets {
    /// The secrets kept in the state directory; missing ones are generated. A `token` that is given replaces the kept one.
    pub fn open(state: &StateDir, token: Option<&str>) -> Result<Self, Error> {
        let token = match token {
            Some(given) => keep(state, "token", given.to_owned())?,
            None => kept_or_new(state, "token")?,
        };
        Ok(Self {
            token,
            mesh: kept_or_new(state, "mesh")?,
        })
    }
}

fn kept_or_new(state: &StateDir, name: &str) -> Result<Secret, Error> {
    let path = state.secret_file(name)?;
    let io_error = |source| Error::Io {
        path: path.display().to_string(),
        source,
    };
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => Ok(Secret::new(text.trim())),
        Ok(_) => keep(state, name, generate().map_err(io_error)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => keep(state, name, generate().map_err(io_error)?),
        Err(error) => Err(io_error(error)),
    }
}

fn keep(state: &StateDir, name: &str, text: String) -> Result<Secret, Error> {
    write_private(&state.secret_file(name)?, text.as_bytes())?;
    Ok(Secret(text))
}

fn generate() -> io::Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_between_starts_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let first = Secrets::open(&state, None).unwrap();
        assert_eq!(first.token.expose().len(), 64);
        assert_ne!(first.token, first.mesh);
        assert_eq!(Secrets::open(&state, None).unwrap(), first);
        assert!(!format!("{first:?}").contains(first.token.expose()));
    }

    #[test]
    fn a_given_token_stays() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let mesh = Secrets::open(&state, None).unwrap().mesh;
        assert_eq!(Secrets::open(&state, Some("mine")).unwrap().token.expose(), "mine");
        let again = Secrets::open(&state, None).unwrap();
        assert_eq!((again.token.expose(), again.mesh), ("mine", mesh));
    }
}
