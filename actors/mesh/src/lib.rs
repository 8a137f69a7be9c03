//! Links between nodes: how an actor on one node reaches an actor on another.
//!
//! One process is one node, with one remotable actor, the *Router*; everything else is a local actor registered
//! under a path and reached through [`Mesh::call`] and [`Mesh::cast`]. `ractor_cluster` carries the bytes; what it
//! lacks is here: an authenticated handshake with a deadline before it sees a socket, one dialing side with
//! jittered redial, heartbeats and a failure detector, correlation ids with deadlines, a byte budget for each peer,
//! chunks for large bodies, and fencing by incarnation and session.
//!
//! `ractor_cluster` logs whole payloads at debug level: run with `ractor_cluster=info` or quieter, always.

mod accept;
mod actors;
mod budget;
mod channel;
mod clock;
pub mod codec;
mod delivery;
mod error;
mod gate;
mod handshake;
mod link;
mod manager;
mod mesh;
mod name;
mod options;
mod peer;
mod reassembly;
mod router;
mod send;
mod shared;
mod socket;
mod tls;
mod wire;

pub use channel::{Channel, ChannelError};
pub use delivery::{Delivery, Fault, Post, Responder};
pub use error::{Error, StartError};
pub use mesh::{Mesh, MeshOptions, PeerStatus};
pub use name::{Incarnation, NodeName, Peer, Secret};
pub use options::{Options, Tls};
pub use peer::PeerState;
pub use socket::Duplex;
pub use wire::MAX_MESSAGE;
