//! What every request handler sees.

use std::sync::Arc;

use crate::auth::Token;
use crate::bridge::Bridges;
use crate::cluster::Cluster;
use crate::events::Feed;
use crate::metrics::Metrics;
use crate::options::Options;

pub(crate) struct App {
    pub(crate) token: Token,
    pub(crate) options: Arc<Options>,
    pub(crate) cluster: Cluster,
    pub(crate) bridges: Bridges,
    pub(crate) feed: Feed,
    pub(crate) metrics: Arc<Metrics>,
    /// Unix time, microseconds.
    pub(crate) started_us: u64,
}
