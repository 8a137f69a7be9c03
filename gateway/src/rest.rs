//! The HTTP API: Jupyter's, and the cluster's own beside it.

mod admin;
mod body;
mod kernels;
mod kernelspecs;
pub(crate) mod model;
mod routes;
mod sessions;
mod status;

#[cfg(test)]
pub(crate) use routes::routes;
pub(crate) use routes::{configure, guard, unreadable};
