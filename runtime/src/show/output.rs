//! An answer as people read it, or as programs do.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// Print the gateway's JSON
    #[arg(long)]
    json: bool,
}

impl Output {
    /// Prints an answer to standard output.
    pub(crate) fn print<T: DeserializeOwned>(
        &self,
        answer: Value,
        render: impl Fn(&T) -> String,
    ) -> anyhow::Result<ExitCode> {
        let text = match self.json {
            true => format!("{answer:#}\n"),
            false => {
                render(&serde_json::from_value(answer).context("the gateway's answer is not understood; try --json")?)
            }
        };
        // A pager that was closed is no failure of ours, but the exit code must not say that everything was shown.
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("cannot write the answer")?;
        Ok(ExitCode::SUCCESS)
    }
}
