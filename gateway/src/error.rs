//! What a gateway's user can be told, over HTTP, in a close frame or in an execute reply.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::ResponseError;
use actix_web::http::StatusCode;
use serde_json::json;

/// Codes are documented in `docs/errors/`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the gateway cannot listen on {addr}: {source}")]
    Bind { addr: SocketAddr, source: io::Error },
    #[error("the http server ended: {0}")]
    Server(String),
    #[error("token missing or wrong")]
    Unauthorized,
    #[error("origin {0} may not use this gateway without a token")]
    ForeignOrigin(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("request body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("Kernel does not exist: {0}")]
    NoSuchKernel(String),
    #[error("Kernel spec does not exist: {0}")]
    NoSuchKernelSpec(String),
    #[error("Session does not exist: {0}")]
    NoSuchSession(String),
    #[error("no such page: {0}")]
    NoSuchPage(String),
    #[error("method {method} is not allowed on {path}")]
    MethodNotAllowed { method: String, path: String },
    #[error("no replica of kernel {kernel} could take the request within {waited:?}; try again")]
    KernelUnreachable { kernel: String, waited: Duration },
    #[error("too many requests of this kernel are waiting")]
    TooManyPending,
    #[error("malformed message: {0}")]
    Malformed(#[from] crate::framing::Error),
    #[error("message is larger than {limit} bytes")]
    MessageTooLarge { limit: usize },
    #[error("environment variable {name}: {why}")]
    BadEnvironment { name: String, why: String },
    #[error("Resource Limit: {limit} kernels run already")]
    TooManyKernels { limit: usize },
    #[error("no such host: {0}")]
    NoSuchHost(String),
    #[error("the client reads too slowly to be told of its replies")]
    SlowClient,
    #[error("this address takes WebSocket connections only: {0}")]
    NotWebSocket(String),
    #[error("the session's kernel is gone: {0}")]
    KernelGone(String),
    #[error("the replica was not moved: {0}")]
    NotMoved(String),
    /// Another room refused; its code passes through.
    #[error("{message}")]
    Refused { code: String, message: String },
}

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &str {
        match self {
            Self::Bind { .. } => "NB0501",
            Self::Unauthorized => "NB0502",
            Self::ForeignOrigin(_) => "NB0503",
            Self::BadRequest(_) => "NB0504",
            Self::BodyTooLarge { .. } => "NB0505",
            Self::NoSuchKernel(_) => "NB0506",
            Self::NoSuchKernelSpec(_) => "NB0507",
            Self::NoSuchSession(_) => "NB0508",
            Self::NoSuchPage(_) => "NB0509",
            Self::MethodNotAllowed { .. } => "NB0510",
            Self::KernelUnreachable { .. } => "NB0511",
            Self::TooManyPending => "NB0512",
            Self::Malformed(_) => "NB0513",
            Self::MessageTooLarge { .. } => "NB0514",
            Self::BadEnvironment { .. } => "NB0516",
            Self::TooManyKernels { .. } => "NB0517",
            Self::NoSuchHost(_) => "NB0518",
            Self::SlowClient => "NB0519",
            Self::NotWebSocket(_) => "NB0520",
            Self::KernelGone(_) => "NB0521",
            Self::Server(_) => "NB0522",
            Self::NotMoved(_) => "NB0530",
            Self::Refused { code, .. } => code,
        }
    }

    /// Status of the HTTP answer. What a retry can cure is 503: JupyterLab then asks again instead of giving the kernel up.
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::ForeignOrigin(_) | Self::TooManyKernels { .. } => StatusCode::FORBIDDEN,
            Self::BadRequest(_) | Self::Malformed(_) | Self::BadEnvironment { .. } | Self::NotWebSocket(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::BodyTooLarge { .. } | Self::MessageTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoSuchKernel(_)
            | Self::NoSuchKernelSpec(_)
            | Self::NoSuchSession(_)
            | Self::NoSuchPage(_)
            | Self::NoSuchHost(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::KernelGone(_) => StatusCode::GONE,
            Self::NotMoved(_) => StatusCode::CONFLICT,
            Self::KernelUnreachable { .. } | Self::TooManyPending | Self::SlowClient => StatusCode::SERVICE_UNAVAILABLE,
            Self::Bind { .. } | Self::Server(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Refused { code, .. } => status_of_code(code),
        }
    }
}

/// Status for a code of another room. The control group without a leader, or hosts that are not there yet, pass by
/// themselves.
fn status_of_code(code: &str) -> StatusCode {
    match code {
        "NB0603" | "NB0604" | "NB0605" | "NB0283" | "NB0717" => StatusCode::NOT_FOUND,
        "NB0610" | "NB0611" | "NB0612" | "NB0716" => StatusCode::CONFLICT,
        _ if code.starts_with("NB04") => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// The shape that jupyter_server's gateway client shows: `message` and `reason`.
    fn error_response(&self) -> HttpResponse {
        let status = self.status();
        let reason = status.canonical_reason().unwrap_or("Error");
        HttpResponse::build(status).json(json!({
            "message": self.to_string(),
            "reason": reason,
            "code": self.code(),
            "traceback": "",
        }))
    }
}
