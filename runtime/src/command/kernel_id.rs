//! Kernels by the beginning of their id, as people type them.

use crate::client::Client;

/// A UUID with its hyphens.
const FULL: usize = 36;

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("no kernel's id begins with `{0}`")]
    None(String),
    #[error("`{begin}` fits several kernels: {ids}")]
    Several { begin: String, ids: String },
}

impl Error {
    pub(super) fn code(&self) -> &'static str {
        "NB0136"
    }
}

pub(super) async fn resolve(client: &Client, begin: &str) -> anyhow::Result<String> {
    if begin.len() == FULL {
        return Ok(begin.to_owned());
    }
    let ids = client.kernels().await?.into_iter().map(|kernel| kernel.id);
    Ok(choose(begin, ids)?)
}

fn choose(begin: &str, ids: impl Iterator<Item = String>) -> Result<String, Error> {
    let mut fitting: Vec<_> = ids.filter(|id| id.starts_with(begin)).collect();
    match fitting.len() {
        0 => Err(Error::None(begin.to_owned())),
        1 => Ok(fitting.remove(0)),
        _ => Err(Error::Several {
            begin: begin.to_owned(),
            ids: fitting.join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fit_is_taken() {
        let ids = || ["abc", "abd", "xyz"].map(String::from).into_iter();
        assert_eq!(choose("x", ids()).unwrap(), "xyz");
        assert!(matches!(choose("q", ids()), Err(Error::None(_))));
        let error = choose("ab", ids()).unwrap_err();
        assert!(error.to_string().contains("abc, abd"), "{error}");
    }
}
