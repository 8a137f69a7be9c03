//! What the actors of this crate tell each other.

use ractor::RpcReplyPort;

use crate::hardware::Look;
use crate::ledger::View;
use crate::{Error, Health, Lease, LeaseId, LeaseRequest, Line, Place, Refusal};

/// To the ledger.
#[derive(Debug)]
pub(crate) enum Ledger {
    Lease {
        request: LeaseRequest,
        reply: RpcReplyPort<Result<Lease, Refusal>>,
    },
    Renew {
        lease: LeaseId,
        reply: RpcReplyPort<Result<std::time::Instant, Refusal>>,
    },
    Release {
        lease: LeaseId,
        reply: RpcReplyPort<Result<(), Refusal>>,
    },
    View {
        reply: RpcReplyPort<Vec<LedgerView>>,
    },
    Line {
        reply: RpcReplyPort<Line>,
    },
    Place {
        holder: String,
        reply: RpcReplyPort<Option<Place>>,
    },
    /// From a device: it was looked at.
    Health {
        device: u32,
        health: Health,
    },
    /// From a device: nothing of this lease is left on it.
    Cleared {
        device: u32,
        lease: LeaseId,
    },
    /// From its own timer.
    Tick,
}

/// One device as the ledger sees it, with wall-clock time.
#[derive(Debug)]
pub(crate) struct LedgerView {
    pub(crate) view: View,
    /// Milliseconds of Unix time; 0 without a lease.
    pub(crate) since_ms: u64,
}

/// To a device.
#[derive(Debug)]
pub(crate) enum Device {
    /// A lease has ended: report `Cleared` when the device is clear; stay silent when not, the ledger asks again.
    Clear {
        lease: LeaseId,
    },
    /// Report whether the device works.
    Check,
    Look {
        reply: RpcReplyPort<Result<Look, Error>>,
    },
}

impl ractor::Message for Ledger {}
impl ractor::Message for Device {}
