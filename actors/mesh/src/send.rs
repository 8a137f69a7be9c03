//! The sending side: envelopes, budgets, large messages in pieces.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::MessagingErr;
use tokio::time::Instant;

use crate::delivery::Answer;
use crate::link::Link;
use crate::router::Wire;
use crate::shared::Core;
use crate::wire::{self, Header, Kind, Large, MAX_MESSAGE, MAX_WHOLE, PIECE};
use crate::{Fault, codec};

/// What large messages may keep under way to one peer together: two pieces. Keeps small ones fast beside them
/// and, at 10 Mbit/s, heartbeats within half a second.
const LARGE_CEILING: u64 = (2 * PIECE + PIECE / 2) as u64;

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Over budget.
    Busy,
    /// The link has ended.
    Gone,
    /// The deadline came before the budget.
    TooLate,
}

impl Core {
    /// Sends one envelope, if the budget allows.
    pub(crate) fn post(&self, link: &Link, kind: Kind, body: &[u8]) -> Result<(), Refused> {
        let ceiling = link.budget.lock().limit();
        self.post_under(link, kind, body, ceiling)
    }

    fn post_under(&self, link: &Link, kind: Kind, body: &[u8], ceiling: u64) -> Result<(), Refused> {
        let router = link.router().ok_or(Refused::Gone)?;
        if link.is_closed() {
            return Err(Refused::Gone);
        }
        let budgeted = kind.is_budgeted();
        let header = Header {
            from: self.me.node.clone(),
            to: link.peer.incarnation,
            epoch: link.epoch,
            sent_at: self.micros(),
            acked: link.receipt.lock().tell(),
            kind,
        };
        let envelope = wire::pack(&header, body).map_err(|error: codec::Error| {
            tracing::error!(code = error.code(), %error, "an envelope could not be written");
            Refused::Gone
        })?;
        debug_assert!(
            envelope.len() <= wire::MAX_ENVELOPE,
            "an oversized envelope ends the session"
        );
        if budgeted && !link.budget.lock().take(envelope.len(), ceiling) {
            return Err(Refused::Busy);
        }
        match router.send_message(Wire(envelope)) {
            Ok(()) => Ok(()),
            // The peer's Router was restarted; the next lookup finds the new one.
            Err(MessagingErr::SendErr(envelope)) => {
                let router = link.router().ok_or(Refused::Gone)?;
                router.send_message(envelope).map_err(|_| Refused::Gone)
            }
            Err(MessagingErr::ChannelClosed | MessagingErr::InvalidActorType) => Err(Refused::Gone),
        }
    }

    /// Sends one envelope as soon as less than the ceiling is under way.
    async fn post_when_room(
        &self,
        link: &Link,
        kind: Kind,
        body: &[u8],
        ceiling: u64,
        deadline: Instant,
    ) -> Result<(), Refused> {
        loop {
            let mut room = std::pin::pin!(link.room.notified());
            room.as_mut().enable();
            match self.post_under(link, kind.clone(), body, ceiling) {
                Err(Refused::Busy) => {}
                result => return result,
            }
            tokio::time::timeout_at(deadline, room)
                .await
                .map_err(|_| Refused::TooLate)?;
        }
    }

    /// Sends a message of any size up to the limit in pieces, at the pace of the acknowledgements.
    pub(crate) async fn post_large(
        &self,
        link: &Link,
        inner: Large,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<(), Refused> {
        let transfer = self.number();
        let mut abort = AbortOnDrop {
            core: self,
            link,
            transfer,
            armed: true,
        };
        let open = Kind::Open {
            transfer,
            total: body.len() as u64,
            inner,
        };
        self.post_when_room(link, open, &[], LARGE_CEILING, deadline).await?;
        for piece in body.chunks(PIECE) {
            self.post_when_room(link, Kind::Piece { transfer }, piece, LARGE_CEILING, deadline)
                .await?;
        }
        abort.armed = false;
        Ok(())
    }

    /// Sends a message of more than one envelope at once or not at all.
    pub(crate) fn post_burst(&self, link: &Link, inner: Large, body: &Bytes) -> Result<(), Refused> {
        let transfer = self.number();
        {
            let budget = link.budget.lock();
            let envelopes = body.len().div_ceil(PIECE) + 1;
            if budget.under_way() + (body.len() + envelopes * 1024) as u64 > budget.limit() {
                return Err(Refused::Busy);
            }
        }
        let mut abort = AbortOnDrop {
            core: self,
            link,
            transfer,
            armed: true,
        };
        self.post(
            link,
            Kind::Open {
                transfer,
                total: body.len() as u64,
                inner,
            },
            &[],
        )?;
        for piece in body.chunks(PIECE) {
            self.post(link, Kind::Piece { transfer }, piece)?;
        }
        abort.armed = false;
        Ok(())
    }

    /// Answers a call. What does not fit now is sent in the background until the caller's deadline.
    pub(crate) fn reply(self: &Arc<Self>, link: &Arc<Link>, id: u64, expires: u64, answer: Answer) {
        let answer = match answer {
            Ok(body) if body.len() > MAX_MESSAGE => Err(Fault::new(
                Fault::TOO_LARGE,
                format!("the answer of {} bytes is over the limit", body.len()),
            )),
            other => other.map_err(Fault::trimmed),
        };
        let (fault, body) = match answer {
            Ok(body) => (None, body),
            Err(fault) => (Some(fault), Bytes::new()),
        };
        if body.len() <= MAX_WHOLE
            && self.post(
                link,
                Kind::Reply {
                    id,
                    fault: fault.clone(),
                },
                &body,
            ) != Err(Refused::Busy)
        {
            return;
        }
        let remaining = Duration::from_micros(expires.saturating_sub(self.micros()));
        if remaining.is_zero() {
            return;
        }
        let (core, link) = (self.clone(), link.clone());
        let deadline = Instant::now() + remaining;
        self.runtime.spawn(async move {
            let sent = if body.len() <= MAX_WHOLE {
                let ceiling = link.budget.lock().limit();
                core.post_when_room(&link, Kind::Reply { id, fault }, &body, ceiling, deadline)
                    .await
            } else {
                core.post_large(&link, Large::Reply { id }, &body, deadline).await
            };
            if let Err(reason) = sent {
                tracing::debug!(peer = %link.peer, ?reason, "an answer could not be sent");
            }
        });
    }
}

/// Tells the peer that no more pieces will come, also when the sender's future is dropped.
struct AbortOnDrop<'a> {
    core: &'a Core,
    link: &'a Link,
    transfer: u64,
    armed: bool,
}

impl Drop for AbortOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            // When the link has ended there is nobody to tell.
            let _ = self.core.post(
                self.link,
                Kind::Abort {
                    transfer: self.transfer,
                },
                &[],
            );
        }
    }
}
