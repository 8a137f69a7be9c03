//! The handle, the ledger's actor and simulated devices together. Time is tokio's and held, so deadlines of seconds
//! pass in microseconds.

use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use nbos_gpu::{
    Device, DeviceState, Error, Fault, GpuInfo, GpuOptions, GpuProcess, Gpus, Health, LeaseRequest, Line, Refusal,
    Terms,
};
use nbos_supervision::{Options, Supervisor, SupervisorHandle, Tree};
use tempfile::TempDir;

/// A node's supervisor, its GPUs and the directory that they live in.
struct Host {
    tree: Tree,
    supervisor: SupervisorHandle,
    gpus: Gpus,
    dir: TempDir,
}

async fn host(gpus: u32) -> Host {
    let dir = tempfile::tempdir().expect("a directory");
    let tree = Tree::new("n1");
    let supervisor = Supervisor::start(&tree, None, "host", Options::one_for_one())
        .await
        .expect("starts");
    let gpus = Gpus::start(
        GpuOptions::Simulated(gpus),
        &nbos_gpu::Options::default(),
        dir.path(),
        &tree,
        &supervisor,
    )
    .await
    .expect("starts");
    Host {
        tree,
        supervisor,
        gpus,
        dir,
    }
}

impl Host {
    /// This process takes memory of a device, as a cell does.
    fn occupy(&self, device: &Device, bytes: u64) -> PathBuf {
        let path = device.path.as_ref().expect("is simulated");
        assert!(path.starts_with(self.dir.path()));
        let file = path.join(std::process::id().to_string());
        std::fs::write(&file, bytes.to_string()).expect("writes");
        file
    }

    async fn info(&self, index: usize) -> GpuInfo {
        self.gpus.inventory().await.expect("answers").swap_remove(index)
    }

    /// Waits until a device is in a state. Time is held: it passes as fast as everybody waits.
    async fn becomes(&self, index: usize, state: DeviceState) -> GpuInfo {
        let seen = async {
            loop {
                let info = self.info(index).await;
                if info.state == state {
                    return info;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let within = Duration::from_secs(60);
        tokio::time::timeout(within, seen).await.expect("reaches the state")
    }
}

fn ask(holder: &str, count: u32, within: Duration) -> LeaseRequest {
    LeaseRequest {
        holder: holder.to_owned(),
        user: holder.to_owned(),
        epoch: 1,
        count,
        memory: 0,
        within,
        terms: Terms::Firm,
    }
}

#[tokio::test(start_paused = true)]
async fn memory_is_occupied_until_its_process_gives_it_back() {
    let host = host(2).await;
    let gpus = &host.gpus;
    assert_eq!(gpus.installed(), 2);
    let lease = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    assert_eq!(lease.devices[0].uuid, "GPU-sim-n1-0");
    let file = host.occupy(&lease.devices[0], 3 << 30);
    let inventory = gpus.inventory().await.expect("answers");
    let held = inventory[0].lease.as_ref().expect("leased");
    assert_eq!((held.holder.as_str(), held.epoch), ("k1", 1));
    let (pid, memory) = (std::process::id(), Some(3 << 30));
    assert_eq!(inventory[0].processes, [GpuProcess { pid, memory }]);
    assert_eq!((inventory[0].memory_used, inventory[1].memory_used), (3 << 30, 0));

    gpus.release(lease.id).await.expect("released");
    let refused = gpus
        .lease(ask("k2", 2, Duration::from_secs(1)))
        .await
        .expect_err("occupied");
    assert_eq!(refused.code(), "NB0702");
    let info = host.becomes(0, DeviceState::Quarantined).await;
    assert_eq!((info.health, info.memory_used), (Health::Healthy, 3 << 30));
    // Its own memory is no hindrance to the one who left it.
    let own = gpus.lease(ask("k1", 2, Duration::ZERO)).await.expect("granted");
    gpus.release(own.id).await.expect("released");

    std::fs::remove_file(file).expect("removes");
    let both = gpus.lease(ask("k2", 2, Duration::from_secs(5))).await.expect("granted");
    gpus.release(both.id).await.expect("released");
    let again = gpus.release(both.id).await.expect_err("over");
    assert_eq!(again.code(), "NB0705");
    host.supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn waits_for_its_turn_and_not_longer() {
    let Host {
        supervisor,
        gpus,
        dir: _dir,
        ..
    } = host(1).await;
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
async fn a_grant_that_its_caller_did_not_wait_for_is_given_back() {
    let Host {
        supervisor,
        gpus,
        dir: _dir,
        ..
    } = host(1).await;
    let first = gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    let mut waiting = Box::pin(gpus.lease(ask("k2", 1, Duration::from_secs(60))));
    // Asks, and is not looked at again.
    let asked = std::future::poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending()));
    assert!(asked.await, "it is lent to another");
    gpus.release(first.id).await.expect("released");
    while gpus.inventory().await.expect("answers")[0].lease.is_none() {
        tokio::task::yield_now().await;
    }
    drop(waiting);
    let granted = gpus.lease(ask("k3", 1, Duration::from_secs(1))).await;
    granted.expect("long before the lost lease would have ended by itself");
    supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn caller_that_gave_up_blocks_nobody() {
    let Host {
        supervisor,
        gpus,
        dir: _dir,
        ..
    } = host(1).await;
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
    let Host {
        supervisor,
        gpus,
        dir: _dir,
        ..
    } = host(1).await;
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
    let Host {
        tree,
        supervisor,
        gpus,
        dir: _dir,
    } = host(1).await;
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
    let host = host(1).await;
    let lease = host.gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    let file = host.occupy(&lease.devices[0], 1 << 30);
    host.tree.restart("host/gpu-0").await.expect("restarts");
    assert_eq!(host.info(0).await.memory_used, 1 << 30);
    host.gpus.release(lease.id).await.expect("released");
    std::fs::remove_file(file).expect("removes");
    host.gpus
        .lease(ask("k2", 1, Duration::from_secs(5)))
        .await
        .expect("granted");
    host.supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn memory_of_an_ended_process_is_free() {
    let host = host(1).await;
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("starts");
    let lease = host.gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    let file = lease.devices[0]
        .path
        .as_ref()
        .expect("simulated")
        .join(child.id().to_string());
    std::fs::write(&file, "4096").expect("writes");
    // A suspended process's memory is elsewhere.
    std::fs::write(file.with_extension("suspended"), "9").expect("writes");
    assert_eq!(host.info(0).await.memory_used, 4096);
    host.gpus.release(lease.id).await.expect("released");
    child.kill().expect("ends");
    child.wait().expect("ended");
    host.becomes(0, DeviceState::Free).await;
    assert!(!file.exists());
    host.supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn device_off_the_bus_ends_its_lease_and_comes_back_repaired() {
    let host = host(2).await;
    let lease = host.gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    host.gpus.inject(0, Fault::FallOff).expect("simulated");
    let info = host.becomes(0, DeviceState::Failed).await;
    assert!(matches!(info.health, Health::Failed { why } if why.contains("bus")) && info.lease.is_none());
    let told = host.gpus.renew(lease.id).await.expect_err("over");
    assert!(told.code() == "NB0715" && told.to_string().contains("bus"), "{told}");
    let other = host
        .gpus
        .lease(ask("k2", 1, Duration::ZERO))
        .await
        .expect("the other works");
    assert_eq!(other.devices[0].index, 1);
    let refused = host
        .gpus
        .lease(ask("k1", 2, Duration::from_secs(30)))
        .await
        .expect_err("never lent");
    assert_eq!(refused.code(), "NB0702");
    host.gpus.repair(0).expect("simulated");
    host.becomes(0, DeviceState::Free).await;
    host.supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn leaked_memory_is_quarantined_until_it_is_repaired() {
    let host = host(1).await;
    let lease = host.gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    host.gpus.inject(0, Fault::Leak).expect("simulated");
    assert_eq!(host.info(0).await.memory_used, 0);
    host.gpus.release(lease.id).await.expect("released");
    let info = host.becomes(0, DeviceState::Quarantined).await;
    assert!(info.memory_used > 0 && info.processes.is_empty());
    let waiting = tokio::spawn({
        let gpus = host.gpus.clone();
        async move { gpus.lease(ask("k2", 1, Duration::from_secs(60))).await }
    });
    let place = async {
        loop {
            match host.gpus.place("k2").await.expect("answers") {
                Some(place) => return place,
                None => tokio::task::yield_now().await,
            }
        }
    };
    assert_eq!(
        place.await.to_string(),
        "number 1 of 1 in line for 1 GPU: 0 lent, 0 free, 1 out of order"
    );
    host.gpus.repair(0).expect("simulated");
    waiting.await.expect("ran").expect("granted");
    assert_eq!(host.gpus.place("k2").await.expect("answers"), None);
    host.supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn slow_release_delays_the_next_lease_and_no_more() {
    let host = host(1).await;
    host.gpus.inject(0, Fault::SlowClear).expect("simulated");
    let lease = host.gpus.lease(ask("k1", 1, Duration::ZERO)).await.expect("granted");
    host.gpus.release(lease.id).await.expect("released");
    let refused = host.gpus.lease(ask("k2", 1, Duration::from_millis(500))).await;
    assert_eq!(refused.expect_err("too early").code(), "NB0702");
    host.gpus
        .lease(ask("k2", 1, Duration::from_secs(2)))
        .await
        .expect("granted");
    host.supervisor.stop().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn faults_are_for_devices_that_are_there() {
    let host = host(1).await;
    assert_eq!(host.gpus.inject(1, Fault::Leak).expect_err("one only").code(), "NB0717");
    assert_eq!(host.gpus.repair(7).expect_err("one only").code(), "NB0717");
    host.supervisor.stop().await.expect("stops");
}

#[tokio::test]
async fn host_without_a_driver_says_so() {
    let tree = Tree::new("n1");
    let supervisor = Supervisor::start(&tree, None, "host", Options::one_for_one())
        .await
        .expect("starts");
    let (options, dir) = (nbos_gpu::Options::default(), std::env::temp_dir());
    match Gpus::start(GpuOptions::Nvml, &options, &dir, &tree, &supervisor).await {
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
    let Host {
        supervisor,
        gpus,
        dir: _dir,
        ..
    } = host(2).await;
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
