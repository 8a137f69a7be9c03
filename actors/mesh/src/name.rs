//! Who is who: node names, incarnations and the cluster's secret.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

/// The name of a node as `cluster.toml` spells it. Comparison by bytes decides which side of a pair dials.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Longest usable name in bytes; a DNS label.
    pub const MAX_LEN: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names travel in paths, group names and log lines: letters, digits, `-`, `_` and `.` only.
    pub(crate) fn is_usable(&self) -> bool {
        let usable = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (1..=Self::MAX_LEN).contains(&self.0.len()) && self.0.bytes().all(usable)
    }
}

impl<S: Into<Arc<str>>> From<S> for NodeName {
    fn from(name: S) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which start of a node this is: a boot id, only ever compared for equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// A fresh one. 64 random bits: two starts of a node never meet.
    pub(crate) fn fresh() -> Self {
        Self(Uuid::new_v4().as_u64_pair().0)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One start of one node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// The node.
    pub node: NodeName,
    /// Its start.
    pub incarnation: Incarnation,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.node, self.incarnation)
    }
}

/// What all nodes of a cluster share and nobody else knows. Never printed.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Wraps the bytes; 32 random ones are right.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A keyed digest of the parts, separated from every other use of the secret by the label.
    pub(crate) fn mac(&self, label: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("invariant: hmac takes keys of any length");
        for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
            // Lengths keep neighbouring parts from being shifted into one another.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usable_names() {
        for name in ["n1", "host-3.rack_2", &"x".repeat(63)] {
            assert!(NodeName::from(name).is_usable(), "{name}");
        }
        for name in ["", "a b", "a/b", "a#1", "ü", &"x".repeat(64)] {
            assert!(!NodeName::from(name).is_usable(), "{name}");
        }
    }

    #[test]
    fn a_secret_does_not_show_and_parts_do_not_run_together() {
        let secret = Secret::new(*b"hush");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        let digest = |parts: &[&[u8]]| secret.mac("x", parts).finalize().into_bytes();
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
    }
}
