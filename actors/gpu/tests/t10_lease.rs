//! The handle, the ledger's actor and simulated devices together. Time is tokio's and held, so deadlines of seconds
//! pass in microseconds.

use std::time::Duration;

use nbos_gpu::{DeviceState, Error, GpuOptions, Gpus, LeaseRequest, Line, Refusal, Terms};
use nbos_supervision::{Options, Supervisor, SupervisorHandle, Tree};

async fn host(gpus: u32) -> (Tree, SupervisorHandle, Gpus) {
    let tree = Tree::new("n1");
    let supervisor = Supervisor::start(&tree, None, "host", Options::one_for_one())
        .await
        .expect("starts");
    let gpus = Gpus::start(GpuOptions::Simulated(gpus), &tree, &supervisor)
        .await
        .expect("starts");
    (tree, supervisor, gpus)
}

fn ask(holder: &str, count: u32, within: Duration) -> LeaseRequest {
    LeaseRequest {
        holder: holder.to_owned(),
        epoch: 1,
        count,
        within,
        terms: Terms::Firm,
    }
}

async fn states(gpus: &Gpus) -> Vec<(DeviceState, u64)> {
    let inventory = gpus.inventory().await.expect("answers");
    inventory.into_iter().map(|it| (it.state, it.memory_used)).collect()
}

#[tokio::test(start_paused = true)]
async fn leased_memory_is_occupied_until_released() {
    let (_tree, supervisor, gpus) = host(2).await;
    assert_eq!(gpus.installed(), 2);
    let lease = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    assert_eq!(lease.devices[0].uuid, "GPU-sim-n1-0");
    let inventory = gpus.inventory().await.expect("answers");
    let held = inventory[0].lease.as_ref().expect("leased");
    assert_eq!((held.holder.as_str(), held.epoch), ("k1", 1));
    assert!(inventory[0].memory_used > 0 && inventory[1].memory_used == 0);

    gpus.release(lease.id).await.expect("released");
    // The device reports to the ledger on its own; whoever waits gets it then.
    let both = gpus.lease(ask("k2", 2, Duration::from_secs(1))).await.expect("granted");
    gpus.release(both.id).await.expect("released");
    let again = gpus.release(both.id).await.expect_err("over");
    assert_eq!(again.code(), "NB0705");
    supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn waits_for_its_turn_and_not_longer() {
    let (_tree, supervisor, gpus) = host(1).await;
    let first = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    let late = gpus
        .lease(ask("k2", 1, Duration::from_secs(3)))
        .await
        .expect_err("refused");
    assert!(
        matches!(late, Error::Refused(Refusal::NoRoom { asked: 1, .. })),
        "{late}"
    );
    let waiting = tokio::spawn({
        let gpus = gpus.clone();
        async move { gpus.lease(ask("k3", 1, Duration::from_secs(3))).await }
    });
    tokio::task::yield_now().await;
    gpus.release(first.id).await.expect("released");
    waiting.await.expect("ran").expect("granted");
    supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn caller_that_gave_up_blocks_nobody() {
    let (_tree, supervisor, gpus) = host(1).await;
    let first = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    let given_up = tokio::time::timeout(
        Duration::from_secs(1),
        gpus.lease(ask("k2", 1, Duration::from_secs(60))),
    )
    .await;
    assert!(given_up.is_err());
    gpus.release(first.id).await.expect("released");
    gpus.lease(ask("k3", 1, Duration::from_secs(1))).await.expect("granted");
    supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn lease_of_a_dead_holder_runs_out() {
    let (_tree, supervisor, gpus) = host(1).await;
    let dead = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    let next = gpus
        .lease(ask("k2", 1, Duration::from_secs(60)))
        .await
        .expect("granted");
    assert!(next.deadline > dead.deadline);
    assert_eq!(gpus.renew(dead.id).await.expect_err("over").code(), "NB0705");
    assert!(gpus.renew(next.id).await.expect("renewed") >= next.deadline);
    supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn restarted_ledger_waits_for_the_leases_it_forgot() {
    let (tree, supervisor, gpus) = host(1).await;
    let forgotten = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    tree.restart("host/gpu-ledger").await.expect("restarts");
    let refused = gpus
        .lease(ask("k2", 1, Duration::from_secs(1)))
        .await
        .expect_err("too early");
    assert_eq!(refused.code(), "NB0702");
    let next = gpus
        .lease(ask("k2", 1, Duration::from_secs(60)))
        .await
        .expect("granted");
    assert!(next.id > forgotten.id && next.deadline > forgotten.deadline);
    supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn restarted_device_keeps_its_memory_and_is_cleared_later() {
    let (tree, supervisor, gpus) = host(1).await;
    let lease = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    let before = states(&gpus).await;
    tree.restart("host/gpu-0").await.expect("restarts");
    assert_eq!(states(&gpus).await, before);
    gpus.release(lease.id).await.expect("released");
    gpus.lease(ask("k2", 1, Duration::from_secs(5))).await.expect("granted");
    supervisor.stop().await.expect("stops");
}

#[tokio::test]
async fn host_without_a_driver_says_so() {
    let tree = Tree::new("n1");
    let supervisor = Supervisor::start(&tree, None, "host", Options::one_for_one())
        .await
        .expect("starts");
    match Gpus::start(GpuOptions::Nvml, &tree, &supervisor).await {
        // A machine with NVIDIA devices: they are listed as they are.
        Ok(gpus) => {
            let inventory = gpus.inventory().await.expect("answers");
            assert!(
                inventory
                    .iter()
                    .all(|it| it.uuid.starts_with("GPU-") && it.memory_total > 0),
                "{inventory:?}"
            );
        }
        Err(error) => assert_eq!(error.code(), "NB0707", "{error}"),
    }
    supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn tells_who_waits() {
    let (_tree, supervisor, gpus) = host(2).await;
    let held = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    assert_eq!(gpus.line().await.expect("answers"), Line::default());
    let waiting = tokio::spawn({
        let gpus = gpus.clone();
        async move { gpus.lease(ask("k2", 2, Duration::from_secs(60))).await }
    });
    let one = Line {
        requests: 1,
        devices: 2,
    };
    tokio::time::timeout(Duration::from_secs(10), async {
        while gpus.line().await.expect("answers") != one {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("it stands in line");
    gpus.release(held.id).await.expect("released");
    waiting.await.expect("no panic").expect("granted");
    assert_eq!(gpus.line().await.expect("answers"), Line::default());
    supervisor.stop().await.expect("stops");
}
