//! A kernel's cells over as many connections as it takes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::{Framing, KernelConnection};
use super::error::Error;
use super::execute::{Execute, ExecuteOutcome};
use super::http::Client;
use super::message::fresh_id;

/// A fail-over takes about two seconds, a restart of the whole cluster a few more.
const RECONNECT_WITHIN: Duration = Duration::from_secs(30);
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Runs cells one after the other; a lost connection is made again through the next gateway and the cell asked for again under
/// its old message id, so that it runs once.
#[derive(Debug)]
pub struct KernelSession {
    client: Client,
    kernel: String,
    framing: Framing,
    session: String,
    connection: Option<KernelConnection>,
}

impl KernelSession {
    pub fn new(client: Client, kernel: impl Into<String>, framing: Framing) -> Self {
        Self {
            client,
            kernel: kernel.into(),
            framing,
            session: fresh_id(),
            connection: None,
        }
    }

    /// Runs a cell; gives up when no gateway serves the kernel for 30 s.
    pub async fn execute(&mut self, execute: &Execute) -> Result<ExecuteOutcome, Error> {
        let mut lost_at = None;
        loop {
            let failure = match self.attempt(execute).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if is_passing(&error) => error,
                Err(error) => return Err(error),
            };
            self.connection = None;
            let lost_at = *lost_at.get_or_insert_with(Instant::now);
            if lost_at.elapsed() >= RECONNECT_WITHIN {
                return Err(failure);
            }
            sleep(RETRY_AFTER).await;
        }
    }

    async fn attempt(&mut self, execute: &Execute) -> Result<ExecuteOutcome, Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(
                self.client
                    .connect_as(&self.kernel, self.framing, &self.session)
                    .await?,
            ),
        };
        connection.execute_with(execute).await
    }
}

/// Whether another gateway, or the same one a little later, may answer better.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::Timeout { .. } | Error::Broken { .. } | Error::Lost { .. } => true,
        // 503 is what gateways say during a fail-over.
        Error::Refused { status, .. } => *status == 503,
        Error::BadUrl { .. } | Error::Unexpected { .. } | Error::Malformed(_) => false,
    }
}
