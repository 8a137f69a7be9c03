//! One way to start a kernel, and its times.

use std::time::{Duration, Instant};

use nbos::client::{Channel, Client, Framing, StartOptions};
use nbos_integration::{Cluster, Kernel, LONG, Sample, Shape, eventually, within};
use serde_json::json;

use crate::jupyter::{Jupyter, TOKEN};

/// Before each start the machine has nothing else to do for so long: the pool is full again, deleted kernels are gone.
const REST: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    client: Client,
    cluster: Option<Cluster>,
    pooled: bool,
    /// Since `POST /api/kernels` was sent: its 201, the WebSocket, the reply to `kernel_info_request`, that to the first cell.
    pub(crate) created: Sample,
    pub(crate) opened: Sample,
    pub(crate) info: Sample,
    pub(crate) executed: Sample,
    /// KiB that belong to one idle standby's Python process alone.
    pub(crate) private: Vec<u64>,
}

impl Way {
    pub(crate) async fn cluster(name: &'static str, kernel: &str) -> Self {
        let cluster = Cluster::shaped(Shape {
            extra: format!("[kernel]\n{kernel}\n"),
            ..Shape::default()
        })
        .await;
        let mut way = Self::of(name, cluster.client_of("h1"));
        way.pooled = name == "warm pool";
        way.cluster = Some(cluster);
        way
    }

    pub(crate) fn jupyter(jupyter: &Jupyter) -> Self {
        let client = Client::at(&format!("http://{}", jupyter.address), TOKEN).expect("an address");
        Self::of("jupyter_server", client)
    }

    fn of(name: &'static str, client: Client) -> Self {
        Self {
            name,
            client,
            cluster: None,
            pooled: false,
            created: Sample::default(),
            opened: Sample::default(),
            info: Sample::default(),
            executed: Sample::default(),
            private: Vec::new(),
        }
    }

    /// A kernel from nothing to its first cell.
    pub(crate) async fn start(&mut self) {
        self.rested().await;
        let began = Instant::now();
        let options = StartOptions::default();
        let started = within("a kernel starts", LONG, self.client.start_kernel(&options)).await;
        let id = started.unwrap_or_else(|error| panic!("no kernel: {error}")).id;
        self.created.add(began.elapsed());
        let connection = within("the WebSocket opens", LONG, self.client.connect(&id, Framing::V1)).await;
        let mut connection = connection.unwrap_or_else(|error| panic!("no connection: {error}"));
        self.opened.add(began.elapsed());
        let info = connection.request(Channel::Shell, "kernel_info_request", json!({}));
        within("kernel_info", LONG, info).await.expect("a reply");
        self.info.add(began.elapsed());
        let outcome = within("pass", LONG, connection.execute("pass"))
            .await
            .expect("an answer");
        assert!(outcome.is_ok(), "{:?}", outcome.reply);
        // The reply, not the idle that follows it.
        self.executed
            .add(began.elapsed() - (outcome.ended_after - outcome.replied_after));
        drop(connection);
        if self.cluster.is_some() {
            self.weigh(&id).await;
        }
        self.client.delete_kernel(&id).await.expect("deleted");
    }

    async fn rested(&self) {
        let hosts = async || {
            let hosts = self.client.hosts(LONG).await.ok()?;
            hosts.iter().all(|host| host.warm == Some(1)).then_some(())
        };
        if self.pooled {
            eventually("the pools are full", LONG, hosts).await;
        }
        tokio::time::sleep(REST).await;
    }

    /// What the standbys' processes keep for themselves, once they have applied the cell.
    async fn weigh(&mut self, id: &str) {
        let kernel = Kernel::new(self.client.clone(), id.to_owned());
        let record = kernel.settled().await;
        let standbys = record.replicas.iter().filter(|replica| replica.role == "standby");
        self.private
            .extend(standbys.filter_map(|replica| private_kib(replica.pid?)));
        self.private.sort_unstable();
    }
}

/// Private_Clean and Private_Dirty: what would be free if the process were gone.
fn private_kib(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
    let kib = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Some(kib.sum())
}
