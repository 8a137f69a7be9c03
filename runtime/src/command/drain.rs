//! `nbos drain`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::target::Target;
use crate::client::{Client, Drained, Error, Left};
use crate::show::{MoveProgress, Output};

/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Looks in a row at which nothing could move before that is taken for an answer: three seconds hide a restart of a host.
const PATIENCE: u32 = 10;

/// Looks in a row that may fail: gateways and the control group's leader come and go.
const FAILURES: u32 = 20;

/// Move all replicas away from a host
///
/// The host takes no new ones until `--undo`. Returns when it is empty, or when what is left cannot go anywhere.
#[derive(Debug, clap::Args)]
pub(super) struct Drain {
    /// The host
    host: String,
    /// Let it take replicas again
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl Drain {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.target.client()?;
        if self.undo {
            let answer = client.undo_drain(&self.host).await?;
            return self.output.print(answer, |drained: &Drained| {
                format!("host {} takes replicas again\n", drained.name)
            });
        }
        let (answer, drained) = emptied(&client, &self.host).await?;
        self.output.print(answer, |drained: &Drained| describe(drained))?;
        Ok(if drained.left.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// The last answer: the host is empty, or what is left stays.
async fn emptied(client: &Client, host: &str) -> anyhow::Result<(Value, Drained)> {
    let mut progress = MoveProgress::new();
    let (mut stuck, mut failures) = (0, 0);
    loop {
        match client.drain(host).await {
            Ok(answer) => {
                failures = 0;
                let drained: Drained = serde_json::from_value(answer.clone()).context("the answer cannot be read")?;
                stuck = if drained.left.iter().all(Left::stays) {
                    stuck + 1
                } else {
                    0
                };
                if drained.left.is_empty() || stuck >= PATIENCE {
                    progress.finish();
                    return Ok((answer, drained));
                }
                progress.say(format!("{} replicas are still on {host}", drained.left.len()));
            }
            Err(error) if failures >= FAILURES || is_final(&error) => return Err(error.into()),
            Err(_) => failures += 1,
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_final(error: &Error) -> bool {
    matches!(error.status(), Some(400..=499))
}

fn describe(drained: &Drained) -> String {
    if drained.left.is_empty() {
        return format!("host {} is empty\n", drained.name);
    }
    let stay = drained.left.iter().map(|left| {
        let why = left.why.as_deref().unwrap_or("unknown");
        format!("kernel {} stays on {}: {why}\n", left.kernel, drained.name)
    });
    stay.collect()
}
