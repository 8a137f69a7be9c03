//! The program that ties the rooms together: configuration, the nodes of a cluster, the `nbos` commands, and a Jupyter client.
//!
//! Others embed it through [`config`], [`node`] and [`client`]; see `docs/EMBEDDING.md`.

pub mod client;
pub mod command;
pub mod config;
pub mod connection;
pub mod node;
pub mod notebook;
mod peers;
pub mod program;
pub mod python;
pub mod secrets;
mod show;
mod socket_dir;
pub mod state_dir;
pub mod stop;
pub mod up;
