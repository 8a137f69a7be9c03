//! Who may use the gateway: whoever shows the token. Pure.

use std::fmt;
use std::sync::Arc;

use actix_web::http::Uri;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use actix_web::web;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::error::Error;

/// The shared secret of the cluster's front door. Never printed.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

#[derive(Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

impl Token {
    pub(crate) fn new(secret: &str) -> Self {
        Self(Arc::from(secret))
    }

    /// Lets a request pass that shows the token: `?token=` (browsers cannot set headers on a WebSocket; it wins as in
    /// kernel_gateway), `Authorization: token T` or `Authorization: Bearer T`.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        let query = web::Query::<TokenQuery>::from_query(uri.query().unwrap_or_default()).ok();
        let offered = query
            .and_then(|query| query.into_inner().token)
            .or_else(|| header_token(headers));
        match offered {
            Some(offered) if self.matches(&offered) => Ok(()),
            Some(_) => Err(Error::Unauthorized),
            None => Err(foreign_origin(headers).map_or(Error::Unauthorized, Error::ForeignOrigin)),
        }
    }

    /// Takes the same time for every wrong token of the right length. An empty secret lets nobody in.
    fn matches(&self, offered: &str) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(offered.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn header_token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer");
    known.then(|| token.trim().to_owned())
}

/// The page's origin when it is not the gateway itself.
fn foreign_origin(headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(ORIGIN)?.to_str().unwrap_or("unreadable");
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
    (!own).then(|| origin.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn check(uri: &str, headers: &[(&'static str, &str)]) -> Result<(), Error> {
        let mut request = TestRequest::with_uri(uri);
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let request = request.to_http_request();
        Token::new("s3cret+/=").check(request.uri(), request.headers())
    }

    #[test]
    fn the_three_ways_to_show_a_token_work() {
        assert!(check("/api?token=s3cret%2B%2F%3D", &[]).is_ok());
        assert!(check("/api", &[("authorization", "token s3cret+/=")]).is_ok());
        assert!(check("/api", &[("authorization", "Bearer s3cret+/=")]).is_ok());
        assert!(check("/api", &[("authorization", "TOKEN  s3cret+/=")]).is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(matches!(check("/api", &[]), Err(Error::Unauthorized)));
        assert!(matches!(check("/api?token=", &[]), Err(Error::Unauthorized)));
        assert!(matches!(
            check("/api", &[("authorization", "Basic s3cret+/=")]),
            Err(Error::Unauthorized)
        ));
        assert!(matches!(
            check("/api", &[("authorization", "token s3cret")]),
            Err(Error::Unauthorized)
        ));
        let both = check("/api?token=wrong", &[("authorization", "token s3cret+/=")]);
        assert!(matches!(both, Err(Error::Unauthorized)), "the query wins");
        let request = TestRequest::with_uri("/api?token=").to_http_request();
        assert!(Token::new("").check(request.uri(), request.headers()).is_err());
    }

    #[test]
    fn a_foreign_page_without_token_is_named() {
        let foreign = check("/api", &[("origin", "https://evil.example"), ("host", "gw:8888")]);
        assert!(matches!(foreign, Err(Error::ForeignOrigin(_))));
        let own = check("/api", &[("origin", "http://gw:8888"), ("host", "gw:8888")]);
        assert!(matches!(own, Err(Error::Unauthorized)));
        let with_token = check(
            "/api",
            &[("origin", "https://lab.example"), ("authorization", "token s3cret+/=")],
        );
        assert!(with_token.is_ok());
    }
}
