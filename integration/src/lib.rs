//! Scenarios across real processes, and the few words they are written in.
//!
//! [`Cluster`] runs the `nbos` program with a state directory and ports of its own; [`Kernel`], [`Cells`] and [`Notebook`] are a
//! user at a front end; [`Node`] is a machine that can be killed or frozen; [`Ledger`], [`Trace`] and [`failover`] know what must be
//! true afterwards. A step that does not end panics with what it waited for, and a failed scenario shows the end of every
//! node's log. The scenarios are in `tests/`: t00 the repository itself, t05 a model check, t10 a session, t15 to t18 its state, t20 the command line,
//! t30 to t45 faults, t50 to t56 GPUs, moves, hosts, loads and starts, t60 bad input, t70 the corpus, t90 regressions.

mod client;
mod cluster;
mod corpus;
mod disk;
mod events;
mod failover;
mod fault;
mod gpu_witness;
mod lease_load;
mod lease_oracle;
mod lease_watch;
mod ledger;
mod oracle;
mod process;
mod raw;
mod sample;
mod seed;
mod trace;
mod wait;
mod wire;

pub use client::{Cells, Kernel, Notebook};
pub use cluster::{Cluster, Ended, Shape};
pub use corpus::{Case, CorpusCell, Mark, corpus};
pub use disk::small_disks_work;
pub use events::Events;
pub use failover::{Failover, failover};
pub use fault::{Frozen, Gone, Node};
pub use lease_load::{LeaseFigures, LeaseLoad};
pub use lease_watch::Watched;
pub use ledger::Ledger;
pub use oracle::{assert_distinct_hosts, whole};
pub use process::{MARK, Process, is_alive, kill_9, listening_ports, marked, memory_kib};
pub use raw::{Answer, Closed, Http, RawSocket};
pub use sample::{Sample, facts, millis, root};
pub use seed::Seed;
pub use trace::Trace;
pub use wait::{LONG, SHORT, eventually, holds, within};
pub use wire::{Heard, Wire, answer_to_plain_text};
