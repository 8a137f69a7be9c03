//! Requests to the first gateway that answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::error::Error;

/// A gateway on a reachable machine accepts within a round trip; one that does not is passed over for the next.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Listings take milliseconds; a cluster that is electing a leader answers within seconds.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Starting and restarting a kernel: what Jupyter's own GatewayClient waits by default.
pub(super) const START_WITHIN: Duration = Duration::from_secs(42);
/// Moving a replica: above what the cluster gives it.
pub(super) const MOVE_WITHIN: Duration = Duration::from_secs(690);
/// No answer of the REST API comes near this.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// The gateways of one cluster and its token. Cheap to clone; a request goes to the gateway that answered last.
#[derive(Clone, Debug)]
pub struct Client {
    endpoints: Arc<[Endpoint]>,
    token: Arc<str>,
    preferred: Arc<AtomicUsize>,
}

/// What a route answered.
#[derive(Debug)]
pub(super) struct Answer {
    url: String,
    what: String,
    body: Bytes,
}

impl Client {
    /// A client of several gateways (`http://HOST:PORT`), of which the first is tried first.
    pub fn new<'a>(urls: impl IntoIterator<Item = &'a str>, token: &str) -> Result<Self, Error> {
        let endpoints = urls.into_iter().map(Endpoint::parse).collect::<Result<Arc<[_]>, _>>()?;
        if endpoints.is_empty() {
            return Err(Error::BadUrl {
                url: String::new(),
                why: "the cluster has no gateway",
            });
        }
        Ok(Self {
            endpoints,
            token: token.into(),
            preferred: Arc::default(),
        })
    }

    /// A client of one gateway.
    pub fn at(url: &str, token: &str) -> Result<Self, Error> {
        Self::new([url], token)
    }

    /// `GET`s JSON. Like every call here it fails rather than wait longer than `within` for an answer.
    pub async fn get(&self, path: &str, within: Duration) -> Result<Value, Error> {
        self.request(Method::GET, path, None, within).await?.json()
    }

    /// `POST`s JSON, and gives the JSON answer: null when it is empty.
    pub async fn post(&self, path: &str, body: &Value, within: Duration) -> Result<Value, Error> {
        let answer = self.request(Method::POST, path, Some(body), within).await?;
        if answer.body.is_empty() {
            Ok(Value::Null)
        } else {
            answer.json()
        }
    }

    pub(super) async fn delete(&self, path: &str, within: Duration) -> Result<(), Error> {
        self.request(Method::DELETE, path, None, within).await.map(drop)
    }

    /// Opens a TCP connection to the preferred gateway, or the next one that accepts.
    pub(super) async fn dial(&self) -> Result<(TcpStream, Endpoint), Error> {
        let count = self.endpoints.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failure = None;
        for index in (first..first + count).map(|index| index % count) {
            let endpoint = &self.endpoints[index];
            let why = match timeout(CONNECT_WITHIN, TcpStream::connect(&endpoint.authority)).await {
                Ok(Ok(stream)) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    // Requests are small and waited for.
                    let _ = stream.set_nodelay(true);
                    return Ok((stream, endpoint.clone()));
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no connection within {} s", CONNECT_WITHIN.as_secs()),
            };
            failure = failure.or_else(|| {
                Some(Error::Unreachable {
                    url: endpoint.url(),
                    why,
                })
            });
        }
        Err(failure.expect("invariant: a client has at least one endpoint"))
    }

    /// Makes the next request go to another gateway, because this one accepts connections but does not answer.
    pub(super) fn avoid_current(&self) {
        self.preferred.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// One connection a request: a client makes few of them, and a pool would have to notice gateways that died.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Answer, Error> {
        let (stream, endpoint) = self.dial().await?;
        let url = endpoint.url();
        let what = format!("{method} {path}");
        let answered = timeout(within, self.exchange(stream, &endpoint, method, path, body)).await;
        let (status, body) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => {
                self.avoid_current();
                return Err(Error::Broken {
                    url,
                    why: why.to_string(),
                });
            }
            Err(_) => {
                self.avoid_current();
                return Err(Error::Timeout { url, within });
            }
        };
        if !(200..300).contains(&status) {
            return Err(Error::Refused {
                url,
                what,
                status,
                message: message_of(&body),
            });
        }
        Ok(Answer { url, what, body })
    }

    async fn exchange(
        &self,
        stream: TcpStream,
        endpoint: &Endpoint,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", endpoint.base))
            .header(HOST, &endpoint.authority)
            .header(AUTHORIZATION, format!("token {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MAX_BODY).collect().await?.to_bytes();
            Ok((status, body))
        };
        tokio::pin!(connection);
        tokio::pin!(exchange);
        // The connection does the sending and receiving; it may end first, with the answer already handed over.
        tokio::select! {
            answer = &mut exchange => return answer,
            ended = &mut connection => ended?,
        }
        exchange.await
    }
}

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Unexpected {
            url: self.url.clone(),
            what: self.what.clone(),
            why: error.to_string(),
        })
    }
}

/// Jupyter's errors are `{"message": …, "reason": …}`; anything else is shown as it is, shortened.
pub(super) fn message_of(body: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let message = parsed.as_ref().and_then(|value| value.get("message")?.as_str());
    match message {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ => String::from_utf8_lossy(body).chars().take(200).collect(),
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
