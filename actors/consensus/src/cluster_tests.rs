//! Groups of three in one process, each node with its own log.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use nbos_mesh::codec;
use tokio::time::Instant;

use crate::testing::{Cluster, Journal, LONG, leader, name, options, three, until};
use crate::wire::{Ask, Letter, Work};
use crate::{CallError, Error, Group, GroupId, GroupOptions, Newcomers, ReplicaId, Rest, Role, Shape};

fn command(n: usize) -> Bytes {
    Bytes::from(format!("command {n}"))
}

fn commands(n: usize) -> Vec<Bytes> {
    (0..n).map(command).collect()
}

async fn propose(group: &Group, n: usize) {
    group.propose(command(n), LONG).await.unwrap();
}

async fn all_equal(replicas: &[(Group, Journal)], expected: &[Bytes]) {
    for (group, journal) in replicas {
        group.linearize(LONG).await.unwrap();
        assert_eq!(journal.commands(), expected, "replica {}", group.replica());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_applied_everywhere_in_one_order_whoever_is_asked() {
    let cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    for n in 0..12 {
        let answer = replicas[n % 3].0.propose(command(n), LONG).await.unwrap();
        assert_eq!(answer, Bytes::from((n + 1).to_string()));
    }
    all_equal(&replicas, &commands(12)).await;
    let status = replicas[0].0.status();
    assert_eq!(status.members.len(), 3);
    assert!(status.members.values().all(|member| member.role == Role::Voter));
    assert!(!status.parked && !status.members_changing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_may_be_founded_again() {
    let cluster = Cluster::start(3).await;
    let mut replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    let id = replicas[1].0.id().clone();
    for node in 1..=3 {
        cluster.groups(node).stop(&id).await.unwrap();
        replicas[node as usize - 1] = cluster.found(&id, node, options()).await;
    }
    propose(&replicas[1].0, 1).await;
    all_equal(&replicas, &commands(2)).await;
    let other = GroupId::new("other").unwrap();
    let stranger = cluster.groups(1);
    let refused = stranger
        .found(other, ReplicaId(7), &three(), Box::new(Journal::default()), options())
        .await;
    assert_eq!(refused.map(|_| ()).unwrap_err().code(), "NB0307");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_founder_leads_whoever_comes_late() {
    let cluster = Cluster::start(3).await;
    // Nobody's election timeout ends before the test's own patience, and no round follows the one that finds nobody.
    let slow = GroupOptions {
        election_min: 4 * LONG,
        election_max: 5 * LONG,
        ..options()
    };
    for order in [[1, 2, 3], [2, 3, 1], [3, 1, 2]] {
        let id = GroupId::new(format!("late-{}", order[0])).unwrap();
        let mut replicas = BTreeMap::new();
        for node in order {
            replicas.insert(node, cluster.found(&id, node, slow).await);
        }
        let replicas: Vec<_> = replicas.into_values().collect();
        assert_eq!(leader(&replicas).await, 0);
        propose(&replicas[2].0, 0).await;
        all_equal(&replicas, &commands(1)).await;
        assert_eq!(replicas[0].0.status().term, 1, "one round was enough");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_dies_a_survivor_leads_within_a_second_and_a_half() {
    let mut cluster = Cluster::start(3).await;
    let mut replicas = cluster.group("g", options()).await;
    for n in 0..20 {
        propose(&replicas[n % 3].0, n).await;
    }
    let lost = leader(&replicas).await;
    replicas.remove(lost);
    let lost = lost as u64 + 1;
    let started = Instant::now();
    cluster.kill(lost).await;
    for node in (1..=3).filter(|node| *node != lost) {
        cluster.groups(node).node_lost(&name(lost));
    }
    propose(&replicas[0].0, 20).await;
    let took = started.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    all_equal(&replicas, &commands(21)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_falls_silent_the_others_go_on_and_it_catches_up_later() {
    let cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    let old = leader(&replicas).await;
    cluster.net.silence(&name(old as u64 + 1));
    let survivor = &replicas[(old + 1) % 3].0;
    let (by_itself, ()) = tokio::join!(
        replicas[old].0.propose(command(99), Duration::from_secs(3)),
        propose(survivor, 1)
    );
    assert!(
        matches!(by_itself, Err(Error::Timeout { .. } | Error::NoLeader { .. })),
        "{by_itself:?}"
    );
    cluster.net.heal();
    propose(&replicas[old].0, 2).await;
    replicas[old].0.linearize(LONG).await.unwrap();
    let found = replicas[old].1.commands();
    assert_eq!(
        found
            .iter()
            .filter(|found| **found != command(99))
            .cloned()
            .collect::<Vec<_>>(),
        commands(3)
    );
    all_equal(&replicas, &found).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_answers_nothing() {
    let mut cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    cluster.kill(2).await;
    cluster.kill(3).await;
    let error = replicas[0]
        .0
        .propose(command(1), Duration::from_secs(2))
        .await
        .unwrap_err();
    assert!(["NB0305", "NB0306"].contains(&error.code()), "{error}");
    assert!(replicas[0].0.linearize(Duration::from_millis(500)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_follower_resumes_from_its_log_and_catches_up() {
    let mut cluster = Cluster::start(3).await;
    let mut replicas = cluster.group("g", options()).await;
    for n in 0..5 {
        propose(&replicas[0].0, n).await;
    }
    let down = (leader(&replicas).await + 1) % 3;
    let node = down as u64 + 1;
    cluster.kill(node).await;
    replicas.remove(down);
    for n in 5..40 {
        propose(&replicas[0].0, n).await;
    }
    cluster.boot(node).await;
    let id = GroupId::new("g").unwrap();
    assert_eq!(cluster.groups(node).known(), [(id.clone(), ReplicaId(node))]);
    replicas.push(cluster.run(&id, node, options()).await);
    all_equal(&replicas, &commands(40)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_all_nodes_were_down_every_acknowledged_command_is_there() {
    let mut cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    for n in 0..30 {
        propose(&replicas[n % 3].0, n).await;
    }
    drop(replicas);
    for node in 1..=3 {
        cluster.kill(node).await;
    }
    let id = GroupId::new("g").unwrap();
    let mut replicas = Vec::new();
    for node in 1..=3 {
        cluster.boot(node).await;
        replicas.push(cluster.run(&id, node, options()).await);
    }
    propose(&replicas[0].0, 30).await;
    all_equal(&replicas, &commands(31)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_far_behind_gets_a_snapshot() {
    let mut cluster = Cluster::start(3).await;
    let mut replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    let down = (leader(&replicas).await + 1) % 3;
    let node = down as u64 + 1;
    cluster.kill(node).await;
    replicas.remove(down);
    let (leader, led) = replicas[leader(&replicas).await].clone();
    // In order, but sixteen at once: they share the syncs.
    let mut under_way = futures_util::stream::iter((1..1300).map(|n| propose(&leader, n))).buffered(16);
    while under_way.next().await.is_some() {}
    drop(under_way);
    leader.linearize(LONG).await.unwrap();
    let expected = led.commands();
    assert_eq!(expected.len(), 1300);
    // The log no longer begins where the lost follower stopped.
    let mut purged = leader.replica.raft().unwrap().metrics();
    tokio::time::timeout(LONG, async {
        use openraft::async_runtime::watch::WatchReceiver;
        while purged.borrow_watched().purged.is_none() {
            purged.changed().await.unwrap();
        }
    })
    .await
    .unwrap();
    cluster.boot(node).await;
    let id = GroupId::new("g").unwrap();
    replicas.push(cluster.run(&id, node, options()).await);
    all_equal(&replicas, &expected).await;
    // And what it got survives its next restart.
    let (group, _) = replicas.pop().unwrap();
    drop(group);
    cluster.kill(node).await;
    cluster.boot(node).await;
    replicas.push(cluster.run(&id, node, options()).await);
    all_equal(&replicas, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_group_sends_nothing_and_wakes_on_a_command_anywhere() {
    let cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    let at = leader(&replicas).await;
    for (n, asked) in [(1, at), (2, (at + 1) % 3)] {
        all_equal(&replicas, &commands(n)).await;
        park(&replicas).await;
        let before = cluster.net.calls.load(Ordering::Relaxed);
        let term = replicas[at].0.status().term;
        // Longer than any election timeout: this is what is observed, not what is waited for.
        tokio::time::sleep(Duration::from_millis(1800)).await;
        assert_eq!(
            cluster.net.calls.load(Ordering::Relaxed),
            before,
            "a parked group sent something"
        );
        let started = Instant::now();
        propose(&replicas[asked].0, n).await;
        let took = started.elapsed();
        assert!(took < Duration::from_millis(500), "waking took {took:?}");
        for (group, _) in &replicas {
            let status = until(group, "woke", |status| !status.parked).await;
            assert_eq!(status.term, term, "waking must not need an election");
        }
    }
    all_equal(&replicas, &commands(3)).await;
}

async fn park(replicas: &[(Group, Journal)]) {
    let at = leader(replicas).await;
    // A follower learns of the last commit a moment after the leader.
    tokio::time::timeout(LONG, async {
        while !replicas[at].0.park().await.unwrap() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    for (group, _) in replicas {
        until(group, "was parked", |status| status.parked).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_group_parks_by_itself() {
    let cluster = Cluster::start(3).await;
    let idle = GroupOptions {
        rest: Rest::After(Duration::from_millis(300)),
        ..options()
    };
    let replicas = cluster.group("g", idle).await;
    propose(&replicas[0].0, 0).await;
    for (group, _) in &replicas {
        until(group, "was parked", |status| status.parked).await;
    }
    propose(&replicas[0].0, 1).await;
    all_equal(&replicas, &commands(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_group_whose_leader_is_lost_elects_on_the_next_command() {
    let mut cluster = Cluster::start(3).await;
    let mut replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    park(&replicas).await;
    let lost = leader(&replicas).await;
    replicas.remove(lost);
    cluster.kill(lost as u64 + 1).await;
    propose(&replicas[0].0, 1).await;
    all_equal(&replicas, &commands(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over_when_asked() {
    let cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    let to = &replicas[(leader(&replicas).await + 1) % 3].0;
    replicas[0].0.transfer_to(to.replica(), LONG).await.unwrap();
    until(to, "led", |status| {
        status.leader.as_ref().is_some_and(|(id, _)| *id == to.replica())
    })
    .await;
    propose(&replicas[0].0, 1).await;
    all_equal(&replicas, &commands(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_replica_and_then_the_leader_are_replaced() {
    let mut cluster = Cluster::start(5).await;
    let mut replicas = cluster.group("g", options()).await;
    for n in 0..10 {
        propose(&replicas[0].0, n).await;
    }
    let id = GroupId::new("g").unwrap();
    let dead = (leader(&replicas).await + 1) % 3;
    let (group, _) = replicas.remove(dead);
    let dead = group.replica();
    cluster.kill(dead.0).await;
    replicas.push(cluster.run(&id, 4, options()).await);
    // Asked of a replica that need not be the leader; asked twice, as after a lost answer.
    for _ in 0..2 {
        let wanted = shape([1, 2, 3, 4].into_iter().filter(|id| *id != dead.0), []);
        replicas[0].0.reshape(wanted, LONG).await.unwrap();
    }
    propose(&replicas[0].0, 10).await;

    let at = leader(&replicas).await;
    let old = replicas[at].0.replica();
    replicas.push(cluster.run(&id, 5, options()).await);
    let voters: Vec<u64> = replicas.iter().map(|(group, _)| group.replica().0).collect();
    let wanted = shape(voters.iter().copied().filter(|id| *id != old.0), []);
    replicas[(at + 1) % 3].0.reshape(wanted, LONG).await.unwrap();
    replicas.remove(at);
    propose(&replicas[0].0, 11).await;
    all_equal(&replicas, &commands(12)).await;
    for (group, _) in &replicas {
        let settled = until(group, "had three voters", |status| {
            status.members.len() == 3 && !status.members_changing && !status.members.contains_key(&old)
        });
        assert!(settled.await.members.values().all(|member| member.role == Role::Voter));
    }
    let elsewhere = Shape {
        learners: BTreeMap::from([(ReplicaId(4), name(1))]),
        ..shape(voters, [])
    };
    let refused = replicas[0].0.reshape(elsewhere, LONG).await.unwrap_err();
    assert_eq!(refused.code(), "NB0310");
}

/// A replica that has joined as a learner is let go again, and one that has voted comes back though another is dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_members_can_be_undone_at_every_stage() {
    let mut cluster = Cluster::start(4).await;
    let replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    let id = GroupId::new("g").unwrap();
    let (fourth, journal) = cluster.run(&id, 4, options()).await;
    replicas[0].0.reshape(shape([1, 2, 3], [4]), LONG).await.unwrap();
    until(&fourth, "was a learner", |status| {
        status
            .members
            .get(&ReplicaId(4))
            .is_some_and(|member| member.role == Role::Learner)
    })
    .await;
    replicas[1].0.reshape(shape([1, 2, 3], []), LONG).await.unwrap();
    let three_voters = |status: &crate::Status| status.members.keys().map(|id| id.0).eq([1, 2, 3]);
    until(&replicas[2].0, "had its first members again", three_voters).await;

    replicas[0].0.reshape(shape([1, 2, 3], [4]), LONG).await.unwrap();
    replicas[0].0.reshape(shape([1, 2, 4], []), LONG).await.unwrap();
    propose(&replicas[0].0, 1).await;
    until(&fourth, "applied both", |status| status.applied == status.last_log).await;
    assert!(!journal.commands().is_empty(), "it learnt the log as it came");
    cluster.kill(4).await;
    for node in 1..=3 {
        cluster.groups(node).node_lost(&name(4));
    }
    // The third was told to leave, and has all it had.
    let back = Shape {
        newcomers: Newcomers::Known,
        ..shape([1, 2, 3], [])
    };
    replicas[1].0.reshape(back, LONG).await.unwrap();
    propose(&replicas[0].0, 2).await;
    until(&replicas[2].0, "had its first members again", three_voters).await;
    all_equal(&replicas, &commands(3)).await;
}

fn shape(voters: impl IntoIterator<Item = u64>, learners: impl IntoIterator<Item = u64>) -> Shape {
    let on_node = |id| (ReplicaId(id), name(id));
    Shape {
        voters: voters.into_iter().map(on_node).collect(),
        learners: learners.into_iter().map(on_node).collect(),
        newcomers: Newcomers::CaughtUp,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_for_another_incarnation_or_from_another_node_are_refused() {
    let cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    let letter = |to: u64, from: u64| {
        let ask = Ask::Work {
            work: Work::Propose(command(7)),
            within_ms: 1000,
        };
        let group = replicas[0].0.id().clone();
        codec::encode(&Letter {
            group,
            to: ReplicaId(to),
            from: ReplicaId(from),
            ask,
        })
        .unwrap()
    };
    let code = |answer: Result<Bytes, CallError>| match answer {
        Err(CallError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    let groups = cluster.groups(1);
    assert_eq!(
        code(groups.deliver(&name(2), &letter(9, 2)).await),
        "NB0307",
        "not this replica"
    );
    assert_eq!(
        code(groups.deliver(&name(3), &letter(1, 2)).await),
        "NB0307",
        "replica 2 is not on n3"
    );
    assert_eq!(code(groups.deliver(&name(2), b"garbage").await), "NB0219");
    assert!(groups.deliver(&name(2), &letter(1, 2)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_replica_is_forgotten() {
    let mut cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    drop(replicas);
    let id = GroupId::new("g").unwrap();
    cluster.groups(1).destroy(&id, ReplicaId(1)).await.unwrap();
    assert!(cluster.groups(1).get(&id).is_none());
    cluster.kill(1).await;
    cluster.boot(1).await;
    assert!(cluster.groups(1).known().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_runs_once_on_a_node_and_large_commands_are_refused() {
    let cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    let id = replicas[0].0.id().clone();
    let again = cluster
        .groups(1)
        .start(id, ReplicaId(9), Box::new(Journal::default()), options())
        .await;
    assert_eq!(again.map(|_| ()).unwrap_err().code(), "NB0313");
    let large = Bytes::from(vec![0; crate::MAX_COMMAND + 1]);
    assert_eq!(replicas[0].0.propose(large, LONG).await.unwrap_err().code(), "NB0312");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_groups_share_one_log() {
    let cluster = Cluster::start(3).await;
    // Three hundred replicas of an unoptimised openraft are more than two cores tick at the default rate.
    let slow = GroupOptions {
        heartbeat: Duration::from_millis(500),
        election_min: Duration::from_secs(2),
        election_max: Duration::from_secs(3),
        ..options()
    };
    let groups = join_all((0..100).map(|n| {
        let cluster = &cluster;
        async move { cluster.group(&format!("g{n}"), slow).await }
    }))
    .await;
    join_all(groups.iter().map(|replicas| async move {
        for n in 0..3 {
            propose(&replicas[n % 3].0, n).await;
        }
        all_equal(replicas, &commands(3)).await;
    }))
    .await;
    assert_eq!(cluster.groups(1).known().len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_panics_stops_its_group_and_no_other() {
    let cluster = Cluster::start(3).await;
    let (bad, good) = (
        cluster.group("bad", options()).await,
        cluster.group("good", options()).await,
    );
    let error = bad[0]
        .0
        .propose(Bytes::from_static(b"panic"), Duration::from_secs(2))
        .await
        .unwrap_err();
    assert!(["NB0305", "NB0306"].contains(&error.code()), "{error}");
    for n in 0..10 {
        propose(&good[n % 3].0, n).await;
    }
    all_equal(&good, &commands(10)).await;
}

/// `cargo test -p nbos-consensus --release -- --ignored --nocapture propose_latency`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn propose_latency() {
    let cluster = Cluster::start(3).await;
    let replicas = cluster.group("g", options()).await;
    propose(&replicas[0].0, 0).await;
    let at = leader(&replicas).await;
    for (asked, what) in [(at, "at the leader"), ((at + 1) % 3, "at a follower")] {
        for size in [100, 10_000] {
            let mut took = Vec::new();
            for _ in 0..1000 {
                let command = Bytes::from(vec![7; size]);
                let started = Instant::now();
                replicas[asked].0.propose(command, LONG).await.unwrap();
                took.push(started.elapsed());
            }
            took.sort();
            println!(
                "{what}, {size} bytes: p50 {:?} p99 {:?} max {:?}",
                took[500], took[990], took[999]
            );
        }
    }
}
