//! Tries every port before anything starts, so that a taken one is a sentence and not a crash loop.

use std::net::TcpListener;

use super::error::Error;
use crate::config::ClusterConfig;

/// Binds and releases each mesh and gateway address. Another program may take one in between; the node's log tells then.
pub(super) fn check(config: &ClusterConfig) -> Result<(), Error> {
    for node in &config.nodes {
        for (key, address) in [("mesh", Some(node.mesh)), ("gateway", node.gateway)] {
            let Some(address) = address else { continue };
            // The standard library sets SO_REUSEADDR: connections of the last run in TIME_WAIT do not count as taken.
            TcpListener::bind(address).map_err(|source| Error::PortUnusable {
                place: format!("[[node]] {}, key `{key}`", node.name),
                address,
                source,
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Ports, Source, load};

    #[test]
    fn a_taken_port_is_named_with_its_key() {
        let mut config = load(&Source::BuiltIn, &BTreeMap::new(), Ports::Free).unwrap().config;
        check(&config).unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        config.nodes[1].gateway = Some(address);
        let error = check(&config).unwrap_err();
        assert_eq!(error.code(), "NB0120");
        let message = error.to_string();
        assert!(message.contains("h2") && message.contains("`gateway`"), "{message}");
        assert!(message.contains(&address.port().to_string()), "{message}");
    }
}
