//! Jupyter's kernels API.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Error;
use super::http::{ANSWER_WITHIN, Client, START_WITHIN};

/// What a new kernel gets.
#[derive(Clone, Debug, Default)]
pub struct StartOptions {
    /// GPUs a cell leases unless its own metadata say otherwise; `None` leaves it to the gateway.
    pub gpus: Option<u32>,
    /// Working directory.
    pub path: Option<String>,
    /// `KERNEL_…` variables.
    pub env: BTreeMap<String, String>,
}

/// Jupyter's kernel model; fields this client does not know are dropped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KernelModel {
    pub id: String,
    pub name: String,
    pub execution_state: String,
    pub last_activity: String,
    pub connections: u32,
}

impl Client {
    /// Starts a kernel. Not repeated on failure: a second one might be started.
    pub async fn start_kernel(&self, options: &StartOptions) -> Result<KernelModel, Error> {
        let mut body = json!({"env": options.env});
        if let Some(gpus) = options.gpus {
            body["resources"] = json!({"gpus": gpus});
        }
        if let Some(path) = &options.path {
            body["path"] = json!(path);
        }
        self.request(Method::POST, "/api/kernels", Some(&body), START_WITHIN)
            .await?
            .json()
    }

    pub async fn kernels(&self) -> Result<Vec<KernelModel>, Error> {
        self.request(Method::GET, "/api/kernels", None, ANSWER_WITHIN)
            .await?
            .json()
    }

    pub async fn kernel(&self, id: &str) -> Result<KernelModel, Error> {
        self.request(Method::GET, &kernel_path(id, ""), None, ANSWER_WITHIN)
            .await?
            .json()
    }

    pub async fn delete_kernel(&self, id: &str) -> Result<(), Error> {
        self.delete(&kernel_path(id, ""), ANSWER_WITHIN).await
    }

    /// Ends the running cell with `KeyboardInterrupt`.
    pub async fn interrupt(&self, id: &str) -> Result<(), Error> {
        self.command(&kernel_path(id, "/interrupt"), ANSWER_WITHIN).await
    }

    /// Empties the kernel; returns when the new process answers.
    pub async fn restart(&self, id: &str) -> Result<(), Error> {
        self.command(&kernel_path(id, "/restart"), START_WITHIN).await
    }

    async fn command(&self, path: &str, within: Duration) -> Result<(), Error> {
        self.request(Method::POST, path, Some(&Value::Object(Default::default())), within)
            .await
            .map(drop)
    }
}

fn kernel_path(id: &str, what: &str) -> String {
    format!("/api/kernels/{id}{what}")
}
