//! The main fault: the executor's node is killed while a user works.

use std::time::{Duration, Instant};

use nbos::client::{Execute, Framing};

use crate::client::Kernel;
use crate::cluster::Cluster;
use crate::ledger::Ledger;
use crate::process::kill_9;
use crate::seed::Seed;

/// The kill comes up to this long after the cell that it was drawn for was sent.
const JITTER: Duration = Duration::from_millis(40);

/// What a user saw of it.
#[derive(Clone, Debug)]
pub struct Failover {
    /// From the kill to the next reply of any kind.
    pub answered: Duration,
    /// From the kill to the next cell that ended well.
    pub carried_on: Duration,
    /// Cells that ended with `ExecutorLost`.
    pub lost_cells: usize,
}

/// Runs `cells` cells in a new kernel, through the gateway of its executor; kills that node at a random moment; goes on through another
/// gateway; checks that every acknowledged cell, and nothing else, took effect once.
pub async fn failover(cluster: &Cluster, cells: u64, seed: &mut Seed) -> Failover {
    let kernel = cluster.kernel().await;
    kernel.open(Framing::V1).await.ok("log = []").await;
    kernel.settled().await;
    // Any host may be the executor, whichever leads the group.
    let hosts: Vec<String> = cluster.nodes().map(|node| node.name().to_owned()).collect();
    let executor = seed.one_of(&hosts).clone();
    kernel.handover(Some(&executor)).await;
    let (fatal, delay) = (seed.between(cells / 10, cells * 9 / 10), seed.up_to(JITTER));
    println!("killing {executor} {delay:?} into cell {fatal}");

    let mut notebook = kernel.notebook(cluster.client_first_at(&executor));
    let (mut ledger, mut replies, mut killed) = (Ledger::default(), Vec::new(), None);
    for number in 0..cells {
        if number == fatal {
            let pid = cluster.node(&executor).pid();
            killed = Some(tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                kill_9(pid);
                Instant::now()
            }));
        }
        let outcome = notebook.run(&Execute::new(Ledger::cell(number))).await;
        replies.push((Instant::now(), outcome.is_ok()));
        ledger.record(number, &outcome);
    }
    ledger.check(&notebook.value("log").await);
    let killed = killed
        .expect("invariant: the fatal cell is one of them")
        .await
        .expect("the kill is no task that fails");
    let after = |wanted: fn(&(Instant, bool)) -> bool| {
        let reply = replies.iter().find(|reply| reply.0 > killed && wanted(reply));
        reply.map(|(at, _)| *at - killed).expect("cells follow the kill")
    };
    finish(cluster, &kernel).await;
    Failover {
        answered: after(|_| true),
        carried_on: after(|(_, ok)| *ok),
        lost_cells: ledger.refused(),
    }
}

/// The killed node is back and has the whole session.
async fn finish(cluster: &Cluster, kernel: &Kernel) {
    cluster.whole().await;
    kernel.settled().await;
    kernel.delete().await;
}
