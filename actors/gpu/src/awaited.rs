//! The answer to a request for devices, for a caller that may stop waiting at any moment.

use std::time::Duration;

use ractor::{ActorRef, concurrency};

use crate::message::Ledger;
use crate::{Error, Lease, LeaseRequest, Refusal};

/// Dropped, it withdraws the request, and gives back what was granted in the moment in which its caller gave up: nobody else
/// knows of that lease, and its devices would stand idle until it ends by itself.
pub(crate) struct Awaited {
    answer: concurrency::OneshotReceiver<Result<Lease, Refusal>>,
    ledger: ActorRef<Ledger>,
}

impl Awaited {
    pub(crate) fn ask(ledger: ActorRef<Ledger>, request: LeaseRequest) -> Result<Self, Error> {
        let (reply, answer) = concurrency::oneshot();
        let reply = reply.into();
        ledger
            .cast(Ledger::Lease { request, reply })
            .map_err(|_| Error::Silent)?;
        Ok(Self { answer, ledger })
    }

    pub(crate) async fn wait(mut self, within: Duration) -> Result<Lease, Error> {
        match concurrency::timeout(within, &mut self.answer).await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(_)) | Err(_) => Err(Error::Silent),
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        // From here on a grant is undeliverable, which the ledger notices.
        self.answer.close();
        if let Ok(Ok(lease)) = self.answer.try_recv() {
            let (reply, _) = concurrency::oneshot();
            let reply = reply.into();
            // A ledger that is gone has no leases.
            let _ = self.ledger.cast(Ledger::Release { lease: lease.id, reply });
        }
    }
}
