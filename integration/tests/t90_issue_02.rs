//! A gateway that waited for ever: its cell was taken by a replica of a host that had just come back and that then learned that it is
//! not the executor. The gateway must ask again.

use nbos::client::Execute;
use nbos_integration::{Cluster, Seed};

/// The hang came about once in ten of these.
const ROUNDS: u64 = 8;

#[tokio::test]
async fn cells_are_answered_while_nodes_die_and_come_back() {
    let cluster = Cluster::start().await;
    let mut seed = Seed::announced();
    for round in 0..ROUNDS {
        let kernel = cluster.kernel().await;
        let mut notebook = kernel.notebook(cluster.client());
        notebook.ok("log = []").await;
        let executor = kernel.executor().await;
        let node = cluster.node(&executor);
        let fatal = seed.between(1, 5);
        let mut old = 0;
        for cell in 0..12 {
            if cell == fatal {
                old = node.kill_9();
            }
            // It may end with `ExecutorLost`; that it ends is what this is about.
            let outcome = notebook
                .run(&Execute::new(format!("log.append({cell}); log[-1]")))
                .await;
            assert!(
                outcome.is_ok() || outcome.error().is_some_and(|error| error.ename == "ExecutorLost"),
                "round {round}, cell {cell}: {:?}",
                outcome.reply
            );
        }
        node.restarted(old).await;
        kernel.delete().await;
        cluster.whole().await;
    }
}
