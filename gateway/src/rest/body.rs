//! Request bodies: small JSON objects, or nothing.

use actix_web::web;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::error::Error;

/// Reads the body as JSON; an empty one is an empty object, as Jupyter's clients send it.
pub(super) async fn json<T: DeserializeOwned>(payload: web::Payload, app: &App) -> Result<T, Error> {
    let limit = app.options.max_body_bytes;
    let body = payload
        .to_bytes_limited(limit)
        .await
        .map_err(|_| Error::BodyTooLarge { limit })?;
    let body = body.map_err(|error| Error::BadRequest(format!("request body cannot be read: {error}")))?;
    let text: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { &body };
    serde_json::from_slice(text).map_err(|error| Error::BadRequest(format!("request body is not usable: {error}")))
}

/// Reads a body that has no meaning, so that the connection can be used again.
pub(super) async fn ignore(payload: web::Payload, app: &App) -> Result<(), Error> {
    let limit = app.options.max_body_bytes;
    payload
        .to_bytes_limited(limit)
        .await
        .map(drop)
        .map_err(|_| Error::BodyTooLarge { limit })
}
