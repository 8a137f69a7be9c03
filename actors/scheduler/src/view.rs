//! A node's view of the control state: its own replica's on a control node, a followed one elsewhere.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::client::Client;
use crate::state::ControlState;

/// Pause after a control node did not answer.
const RETRY: Duration = Duration::from_millis(100);

/// Follows the control nodes until nobody reads the view any more.
pub(crate) async fn follow(client: Arc<Client>, publish: watch::Sender<Arc<ControlState>>) {
    while !publish.is_closed() {
        let version = publish.borrow().version;
        match client.newer(version).await {
            Ok(Some(state)) => {
                publish.send_replace(state);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "control state not followed");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
