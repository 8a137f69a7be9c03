//! Why a request to a cluster failed.

use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{url}` is not a gateway's address: {why}")]
    BadUrl { url: String, why: &'static str },
    /// Nothing was sent: safe to try another gateway.
    #[error("cannot reach {url}: {why}")]
    Unreachable { url: String, why: String },
    /// The request may have been carried out.
    #[error("{url} did not answer within {} s", within.as_secs_f32())]
    Timeout { url: String, within: Duration },
    /// The request may have been carried out.
    #[error("the connection to {url} broke: {why}")]
    Broken { url: String, why: String },
    #[error("{url} refused {what}: {message} (HTTP {status})")]
    Refused {
        url: String,
        what: String,
        status: u16,
        message: String,
    },
    #[error("unexpected answer from {url} to {what}: {why}")]
    Unexpected { url: String, what: String, why: String },
    /// The kernel's WebSocket ended or fell silent; connect again, to any gateway.
    #[error("the kernel connection to {url} was lost: {why}")]
    Lost { url: String, why: String },
    #[error("malformed kernel message: {0}")]
    Malformed(String),
}

impl Error {
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "NB0131",
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => "NB0132",
            Self::Refused { .. } => "NB0133",
            Self::Unexpected { .. } | Self::Malformed(_) => "NB0134",
            Self::Lost { .. } => "NB0135",
        }
    }

    /// HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::BadUrl { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::Unexpected { .. }
            | Self::Lost { .. }
            | Self::Malformed(_) => None,
        }
    }
}
