//! What is measured: a cluster of three nodes, or one jupyter_server.

use nbos::client::{Client, Framing, KernelConnection, StartOptions};
use nbos_integration::{Cluster, LONG, marked, memory_kib, within};

use crate::jupyter::{Jupyter, TOKEN};

#[derive(Clone, Debug)]
pub(crate) struct Server {
    client: Client,
    mark: String,
}

/// Resident memory, KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Processes that are there without a kernel.
    pub(crate) servers: u64,
    /// Python processes of kernels, zygotes and kernels started ahead included.
    pub(crate) kernels: u64,
}

impl Server {
    pub(crate) fn of_cluster(cluster: &Cluster) -> Self {
        Self {
            client: cluster.client_of("h1"),
            mark: cluster.mark().to_owned(),
        }
    }

    pub(crate) fn of_jupyter(jupyter: &Jupyter) -> Self {
        let client = Client::at(&format!("http://{}", jupyter.address), TOKEN).expect("an address");
        Self {
            client,
            mark: jupyter.mark(),
        }
    }

    /// A new kernel's id, at the server's 201.
    pub(crate) async fn start_kernel(&self) -> String {
        let started = within(
            "a kernel starts",
            LONG,
            self.client.start_kernel(&StartOptions::default()),
        )
        .await;
        started.unwrap_or_else(|error| panic!("no kernel: {error}")).id
    }

    pub(crate) async fn connect(&self, kernel: &str, framing: Framing) -> KernelConnection {
        let connection = within("the WebSocket opens", LONG, self.client.connect(kernel, framing)).await;
        connection.unwrap_or_else(|error| panic!("no connection: {error}"))
    }

    pub(crate) async fn delete(&self, kernel: &str) {
        self.client
            .delete_kernel(kernel)
            .await
            .unwrap_or_else(|error| panic!("kernel not deleted: {error}"));
    }

    pub(crate) fn memory_kib(&self) -> Memory {
        let mut memory = Memory::default();
        for process in marked(&self.mark) {
            // One that was forked has the command line of its zygote.
            let is_kernel = process.command.contains("-f ") || process.command.contains("nbos_kernel.zygote");
            let place = if is_kernel {
                &mut memory.kernels
            } else {
                &mut memory.servers
            };
            *place += memory_kib(process.pid);
        }
        memory
    }
}
