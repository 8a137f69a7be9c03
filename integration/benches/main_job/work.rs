//! What a client does while it is timed.

use std::time::{Duration, Instant};

use nbos::client::{Channel, Framing, KernelConnection};
use nbos_integration::{LONG, Sample, within};
use serde_json::json;

use crate::server::{Memory, Server};

/// Cells before a round trip counts.
const WARM_UP: usize = 20;
/// Cells of one round.
const TRIPS: usize = 100;
/// Cells of each of several kernels at once.
const TRIPS_AT_ONCE: usize = 60;

/// Times since `POST /api/kernels` was sent.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    pub(crate) created: Sample,
    pub(crate) info: Sample,
    pub(crate) executed: Sample,
}

/// Times since an `execute_request` was sent.
#[derive(Debug, Default)]
pub(crate) struct Trips {
    pub(crate) reply: Sample,
    pub(crate) idle: Sample,
}

/// Several kernels at once.
#[derive(Debug)]
pub(crate) struct AtOnce {
    pub(crate) trips: Sample,
    pub(crate) took: Duration,
    /// Of one kernel, over the server without any.
    pub(crate) per_kernel: Memory,
    /// Of the server without any.
    pub(crate) idle: Memory,
}

/// A kernel from nothing to its first cell.
pub(crate) async fn start(server: &Server, starts: &mut Starts) {
    let began = Instant::now();
    let kernel = server.start_kernel().await;
    starts.created.add(began.elapsed());
    let mut connection = server.connect(&kernel, Framing::V1).await;
    let info = connection.request(Channel::Shell, "kernel_info_request", json!({}));
    within("kernel_info", LONG, info).await.expect("a reply");
    starts.info.add(began.elapsed());
    execute(&mut connection, "pass").await;
    starts.executed.add(began.elapsed());
    drop(connection);
    server.delete(&kernel).await;
}

/// A kernel that has run some cells.
pub(crate) async fn warm_kernel(server: &Server, framing: Framing) -> (String, KernelConnection) {
    let kernel = server.start_kernel().await;
    let mut connection = server.connect(&kernel, framing).await;
    for _ in 0..WARM_UP {
        execute(&mut connection, "pass").await;
    }
    (kernel, connection)
}

pub(crate) async fn round_trips(connection: &mut KernelConnection, code: &str, trips: &mut Trips) {
    for _ in 0..TRIPS {
        let (reply, idle) = execute(connection, code).await;
        trips.reply.add(reply);
        trips.idle.add(idle);
    }
}

/// `pass` on several kernels at the same time, each on a connection of its own.
pub(crate) async fn at_once(server: &Server, kernels: usize, idle: &Memory) -> AtOnce {
    let mut users = Vec::new();
    for _ in 0..kernels {
        users.push(warm_kernel(server, Framing::V1).await);
    }
    let memory = server.memory_kib();
    let began = Instant::now();
    let working = users.into_iter().map(|(kernel, mut connection)| {
        tokio::spawn(async move {
            let mut trips = Vec::new();
            for _ in 0..TRIPS_AT_ONCE {
                trips.push(execute(&mut connection, "pass").await.0);
            }
            (kernel, trips)
        })
    });
    let mut trips = Sample::default();
    let mut used = Vec::new();
    for user in working.collect::<Vec<_>>() {
        let (kernel, own) = user.await.expect("cells run");
        own.into_iter().for_each(|trip| trips.add(trip));
        used.push(kernel);
    }
    let took = began.elapsed();
    for kernel in used {
        server.delete(&kernel).await;
    }
    let share = |now: u64, before: u64| now.saturating_sub(before) / kernels as u64;
    let per_kernel = Memory {
        servers: share(memory.servers, idle.servers),
        kernels: share(memory.kernels, idle.kernels),
    };
    AtOnce {
        trips,
        took,
        per_kernel,
        idle: *idle,
    }
}

/// Times to the reply and to the end of a cell that must end well.
async fn execute(connection: &mut KernelConnection, code: &str) -> (Duration, Duration) {
    let outcome = within(code, LONG, connection.execute(code)).await.expect("an answer");
    assert!(outcome.is_ok(), "{code}: {:?}", outcome.reply);
    (outcome.replied_after, outcome.ended_after)
}
