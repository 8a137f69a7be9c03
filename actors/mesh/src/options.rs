//! The `[mesh]` table of `cluster.toml`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Timing and limits of the mesh. Every field has a default; unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Milliseconds between heartbeats on a link. Default 300: four are missed before a peer is suspected.
    pub heartbeat_ms: u64,
    /// Milliseconds of silence after which a peer is suspected. Default 1200, so that it is reported within 1.5 s.
    pub suspect_after_ms: u64,
    /// Milliseconds of silence after which a peer counts as down and its link is closed. Default 5000.
    pub down_after_ms: u64,
    /// Milliseconds a new connection has to prove that it knows the secret. Default 5000.
    pub handshake_ms: u64,
    /// Milliseconds before the first redial; doubled and jittered after each failure. Default 50.
    pub redial_first_ms: u64,
    /// Longest pause between redials in milliseconds. Default 1000.
    pub redial_max_ms: u64,
    /// Bytes that may be under way to one peer, unacknowledged, before callers get `Busy`. Default 8 MiB.
    pub budget_bytes: usize,
    /// Connections that have not yet proved anything; more are refused. Default 64.
    pub max_unauthenticated: usize,
    /// Mutual TLS on every link. Default none: links are authenticated but not encrypted.
    pub tls: Option<Tls>,
}

/// Mutual TLS: PEM files of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain, leaf first, valid for `server_name`, for server and client use.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificate authorities that sign every node's certificate.
    pub ca: PathBuf,
    /// The DNS name all node certificates carry. Default `nbos`.
    #[serde(default = "default_server_name")]
    pub server_name: String,
}

fn default_server_name() -> String {
    "nbos".to_owned()
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heartbeat_ms: 300,
            suspect_after_ms: 1200,
            down_after_ms: 5000,
            handshake_ms: 5000,
            redial_first_ms: 50,
            redial_max_ms: 1000,
            budget_bytes: 8 << 20,
            max_unauthenticated: 64,
            tls: None,
        }
    }
}

impl Options {
    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }

    /// What keeps these options from working, if anything.
    pub(crate) fn complaint(&self) -> Option<&'static str> {
        if self.heartbeat_ms == 0 || self.suspect_after_ms <= self.heartbeat_ms {
            Some("suspect_after_ms must be longer than heartbeat_ms, and both above zero")
        } else if self.down_after_ms <= self.suspect_after_ms {
            Some("down_after_ms must be longer than suspect_after_ms")
        } else if self.redial_first_ms == 0 || self.redial_max_ms < self.redial_first_ms {
            Some("redial_first_ms must be above zero and not above redial_max_ms")
        } else if self.budget_bytes < crate::wire::MAX_ENVELOPE {
            Some("budget_bytes must hold one message of 1 MiB")
        } else if self.handshake_ms == 0 || self.max_unauthenticated == 0 {
            Some("handshake_ms and max_unauthenticated must be above zero")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_work_and_nonsense_is_named() {
        assert_eq!(Options::default().complaint(), None);
        let broken = Options {
            suspect_after_ms: 100,
            ..Options::default()
        };
        assert!(broken.complaint().is_some_and(|text| text.contains("suspect_after_ms")));
        let small = Options {
            budget_bytes: 10,
            ..Options::default()
        };
        assert!(small.complaint().is_some_and(|text| text.contains("budget_bytes")));
    }
}
