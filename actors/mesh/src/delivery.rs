//! What an endpoint receives, and how it answers.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::Peer;
use crate::link::Link;
use crate::shared::Core;
use crate::wire::MAX_FAULT;

/// A message for a registered endpoint.
#[derive(Debug)]
pub struct Delivery {
    /// Who sent it.
    pub from: Peer,
    /// What it says.
    pub body: Bytes,
    /// How to answer; none for a cast.
    pub reply: Option<Responder>,
}

/// The message of an actor that takes deliveries and nothing else.
#[derive(Debug)]
pub struct Post(pub Delivery);

impl ractor::Message for Post {}

impl From<Delivery> for Post {
    fn from(delivery: Delivery) -> Self {
        Self(delivery)
    }
}

impl From<Post> for Delivery {
    fn from(post: Post) -> Self {
        post.0
    }
}

/// A failure that travels back to a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Fault {
    /// Stable code, `NBxxxx`.
    pub code: String,
    /// What went wrong.
    pub message: String,
}

impl Fault {
    /// A fault with a code and a message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }

    /// Nobody is there.
    pub(crate) const NO_SUCH_PATH: &str = "NB0213";
    /// The receiver holds too much for this sender.
    pub(crate) const BUSY: &str = "NB0212";
    /// The answer is over the limit.
    pub(crate) const TOO_LARGE: &str = "NB0215";
    /// The endpoint dropped the call.
    pub(crate) const NO_ANSWER: &str = "NB0216";
    /// The call arrived after its deadline.
    pub(crate) const EXPIRED: &str = "NB0217";

    /// Cut to what fits an envelope's header.
    pub(crate) fn trimmed(mut self) -> Self {
        for text in [&mut self.code, &mut self.message] {
            let mut end = text.len().min(MAX_FAULT / 2);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
        self
    }
}

/// What a caller gets.
pub(crate) type Answer = Result<Bytes, Fault>;

/// Answers one call, once. Dropped unanswered, the caller gets the fault `NB0216`.
pub struct Responder(Option<Route>);

/// Where the answer goes.
pub(crate) enum Route {
    Local(oneshot::Sender<Answer>),
    Remote {
        core: Arc<Core>,
        link: Arc<Link>,
        id: u64,
        /// When the caller stops waiting, on this node's clock in microseconds.
        expires: u64,
    },
}

impl Responder {
    pub(crate) fn new(route: Route) -> Self {
        Self(Some(route))
    }

    /// Answers. Returns at once; a large answer follows in the background until the caller's deadline.
    pub fn send(mut self, answer: Result<Bytes, Fault>) {
        self.answer(answer);
    }

    fn answer(&mut self, answer: Answer) {
        match self.0.take() {
            // The caller may have stopped waiting.
            Some(Route::Local(caller)) => drop(caller.send(answer)),
            Some(Route::Remote {
                core,
                link,
                id,
                expires,
            }) => core.reply(&link, id, expires, answer),
            None => {}
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.answer(Err(Fault::new(Fault::NO_ANSWER, "the endpoint did not answer")));
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_responder_answers_with_a_fault() {
        let (caller, mut answer) = oneshot::channel();
        drop(Responder::new(Route::Local(caller)));
        assert_eq!(answer.try_recv().unwrap().unwrap_err().code, Fault::NO_ANSWER);
    }

    #[test]
    fn long_faults_are_cut_between_characters() {
        let fault = Fault::new(Fault::NO_ANSWER, "ü".repeat(MAX_FAULT)).trimmed();
        assert!(fault.message.len() <= MAX_FAULT / 2);
        assert!(fault.message.chars().all(|char| char == 'ü'));
    }
}
