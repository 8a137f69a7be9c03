//! A user at a front end.

use nbos::client::{
    CellError, Client, Execute, ExecuteOutcome, Framing, Kernel as Record, KernelConnection, KernelSession,
};
use serde_json::{Value, json};

use crate::process::is_alive;
use crate::wait::{LONG, SHORT, eventually, within};

/// A kernel of a cluster.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub id: String,
    client: Client,
}

/// One connection to a kernel.
#[derive(Debug)]
pub struct Cells {
    pub connection: KernelConnection,
}

/// A notebook that connects again, to any gateway, when its connection is lost.
#[derive(Debug)]
pub struct Notebook {
    session: KernelSession,
}

impl Kernel {
    pub fn new(client: Client, id: String) -> Self {
        Self { id, client }
    }

    /// Connects through the first gateway that answers.
    pub async fn open(&self, framing: Framing) -> Cells {
        self.open_at(&self.client, framing).await
    }

    /// Connects through a gateway of the caller's choice.
    pub async fn open_at(&self, client: &Client, framing: Framing) -> Cells {
        let connection = within("the kernel's WebSocket opens", SHORT, client.connect(&self.id, framing)).await;
        Cells {
            connection: connection.unwrap_or_else(|error| panic!("no connection to kernel {}: {error}", self.id)),
        }
    }

    pub fn notebook(&self, client: Client) -> Notebook {
        Notebook {
            session: KernelSession::new(client, &self.id, Framing::V1),
        }
    }

    /// The admin API's record.
    pub async fn record(&self) -> Record {
        eventually("the kernel has a record", SHORT, async || {
            self.client.cluster_kernel(&self.id).await.ok()
        })
        .await
    }

    /// Host that ran the last cell.
    pub async fn executor(&self) -> String {
        eventually("the kernel has an executor", SHORT, async || {
            self.record().await.executor
        })
        .await
    }

    /// Returns when every replica holds every cell, in a Python process once there has been one; gives the record.
    pub async fn settled(&self) -> Record {
        let mut last = None;
        let settled = async || {
            let record = self.client.cluster_kernel(&self.id).await.ok()?;
            let ready = record.replicas.iter().all(|replica| {
                let loaded = record.cells == 0 || replica.pid.is_some_and(is_alive);
                replica.role != "joining" && json!(replica.applied) == json!(record.cells) && loaded
            });
            last = Some(record.clone());
            (ready && !record.replicas.is_empty()).then_some(record)
        };
        match tokio::time::timeout(LONG, eventually("every replica has all cells", LONG * 2, settled)).await {
            Ok(record) => record,
            Err(_) => panic!("not every replica has all cells within {LONG:?}: {last:#?}"),
        }
    }

    pub async fn handover(&self, to: Option<&str>) -> String {
        let done = within("the kernel is handed over", LONG, self.client.handover(&self.id, to)).await;
        done.unwrap_or_else(|error| panic!("no handover to {to:?}: {error}"));
        self.executor().await
    }

    /// SIGINT to what runs in it.
    pub async fn interrupt(&self) {
        self.client
            .interrupt(&self.id)
            .await
            .unwrap_or_else(|error| panic!("kernel {} takes no interrupt: {error}", self.id));
    }

    pub async fn delete(&self) {
        self.client
            .delete_kernel(&self.id)
            .await
            .unwrap_or_else(|error| panic!("kernel {} stays: {error}", self.id));
    }
}

impl Cells {
    pub async fn run(&mut self, execute: &Execute) -> ExecuteOutcome {
        let ended = within(&execute.code, LONG, self.connection.execute_with(execute)).await;
        ended.unwrap_or_else(|error| panic!("no answer to `{}`: {error}", execute.code))
    }

    /// Runs a cell that must end well; gives what it printed.
    pub async fn ok(&mut self, code: &str) -> String {
        succeeded(self.run(&Execute::new(code)).await, code)
    }

    /// Runs a cell that must fail.
    pub async fn fails(&mut self, code: &str) -> CellError {
        let outcome = self.run(&Execute::new(code)).await;
        outcome.error().unwrap_or_else(|| panic!("`{code}` did not fail"))
    }

    /// The value of a Python expression that JSON can say.
    pub async fn value(&mut self, expression: &str) -> Value {
        let code = format!("import json; print(json.dumps({expression}))");
        parse(&self.ok(&code).await)
    }
}

impl Notebook {
    /// Runs a cell through whichever gateway answers; its outcome may be an error.
    pub async fn run(&mut self, execute: &Execute) -> ExecuteOutcome {
        let ended = within(&execute.code, LONG, self.session.execute(execute)).await;
        ended.unwrap_or_else(|error| panic!("no answer to `{}`: {error}", execute.code))
    }

    /// Runs a cell that must end well; gives what it printed.
    pub async fn ok(&mut self, code: &str) -> String {
        succeeded(self.run(&Execute::new(code)).await, code)
    }

    /// The value of a Python expression that JSON can say.
    pub async fn value(&mut self, expression: &str) -> Value {
        let code = format!("import json; print(json.dumps({expression}))");
        parse(&self.ok(&code).await)
    }
}

fn succeeded(outcome: ExecuteOutcome, code: &str) -> String {
    if let Some(error) = outcome.error() {
        panic!(
            "`{code}` failed: {}: {}\n{}",
            error.ename,
            error.evalue,
            error.traceback.join("\n")
        );
    }
    outcome.stdout()
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}
