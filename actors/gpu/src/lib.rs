//! The GPUs of one host, lent for one cell at a time.
//!
//! Sessions are many and GPUs are few, so a cell holds its GPUs by a lease that ends with the cell. This crate
//! decides who holds which device: the ledger is a pure state machine that grants all-or-nothing leases with an
//! epoch and a deadline, users taking turns; an actor performs its decisions, and one actor a device makes sure
//! that the memory of the last holder is gone before a device is lent again. Devices are simulated or found through
//! NVML, which is loaded at run time. [`Gpus`] is the handle everyone else uses.

pub mod checkpoint;

mod actor;
mod awaited;
mod device;
mod error;
mod fault;
mod handle;
mod hardware;
mod info;
mod lease;
mod ledger;
mod message;
mod nvml;
mod options;
mod process;
mod release;
mod simulated;
mod xid;

pub use error::{Error, Refusal};
pub use fault::Fault;
pub use handle::Gpus;
pub use info::{DeviceState, GpuInfo, GpuProcess, Health, LeaseInfo, Line, Place};
pub use lease::{Device, Lease, LeaseId, LeaseRequest, Terms};
pub use options::{GpuOptions, Options, ReleaseOption};
pub use release::Release;
