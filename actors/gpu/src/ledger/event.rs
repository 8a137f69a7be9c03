//! What the ledger hears and what it wants done.

use std::time::Instant;

use crate::info::{DeviceState, Health};
use crate::{Lease, LeaseId, LeaseRequest, Refusal};

/// Names a caller whose answer is still owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Somebody asks for devices; answered by `Granted` or `Refused`, now or until its `within` is over.
    Request {
        /// Who is owed the answer.
        ticket: Ticket,
        /// What is asked.
        request: LeaseRequest,
    },
    /// The caller of a request no longer waits.
    Withdraw {
        /// Whose.
        ticket: Ticket,
    },
    /// A holder wants another term; answered by `Renewed` or `Refused`.
    Renew {
        /// Who is owed the answer.
        ticket: Ticket,
        /// Which lease.
        lease: LeaseId,
    },
    /// A holder is done; answered by `Released` or `Refused`.
    Release {
        /// Who is owed the answer.
        ticket: Ticket,
        /// Which lease.
        lease: LeaseId,
    },
    /// A grant reached nobody: the caller had gone.
    Undelivered {
        /// Which lease.
        lease: LeaseId,
    },
    /// A device was seen clear of this lease.
    Cleared {
        /// Its index.
        device: u32,
        /// The lease it was cleared of.
        lease: LeaseId,
    },
    /// A device was looked at.
    Health {
        /// Its index.
        device: u32,
        /// What was found.
        health: Health,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Tell the caller.
    Granted(Ticket, Lease),
    /// Tell the caller, with the new deadline.
    Renewed(Ticket, Instant),
    /// Tell the caller.
    Released(Ticket),
    /// Tell the caller.
    Refused(Ticket, Refusal),
    /// Have the device checked; it answers with `Cleared` once it is clear.
    Clear {
        /// Its index.
        device: u32,
        /// The lease that ended.
        lease: LeaseId,
    },
    /// A lease ended without its holder's wish. Only for the log.
    Ended {
        /// Which lease.
        lease: LeaseId,
        /// Who held it.
        holder: String,
        /// What ended it.
        why: Why,
    },
    /// A device has not come clear for a long time. Only for the log.
    Quarantined {
        /// Its index.
        device: u32,
    },
    /// A quarantined device is clear at last. Only for the log.
    Recovered {
        /// Its index.
        device: u32,
    },
    /// A device's health has changed. Only for the log.
    Changed {
        /// Its index.
        device: u32,
        /// What it is now.
        health: Health,
    },
}

/// Why a lease ended without its holder's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Not renewed in time.
    Expired,
    /// The holder came back with a newer epoch.
    NewerEpoch,
    /// One of its devices failed.
    DeviceFailed,
}

/// One device as the ledger sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) index: u32,
    pub(crate) state: DeviceState,
    pub(crate) health: Health,
    pub(crate) lease: Option<HeldView>,
}

/// The lease of a [`View`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldView {
    pub(crate) holder: String,
    pub(crate) epoch: u64,
    pub(crate) since: Instant,
}
