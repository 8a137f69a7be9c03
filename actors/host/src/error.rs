//! What can go wrong when a host or node is asked something.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Mesh(#[from] nbos_mesh::Error),
    #[error("the answer is not readable")]
    Codec(#[from] nbos_mesh::codec::Error),
    #[error("{message}")]
    Refused { code: String, message: String },
    #[error("the answer does not fit the question")]
    Unexpected,
}

impl Error {
    pub fn code(&self) -> &str {
        match self {
            Self::Mesh(error) => error.code(),
            Self::Refused { code, .. } => code,
            Self::Codec(_) | Self::Unexpected => "NB0607",
        }
    }
}
