//! Real actors under real supervisors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nbos_supervision::{
    BackOff, ChildSpec, Error, Intensity, Options, Restart, Status, Strategy, Supervisor, SupervisorHandle, Tree,
    TreeNode,
};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};

struct Worker;

#[derive(Debug)]
enum Order {
    Fail,
    Panic,
}
impl ractor::Message for Order {}

impl Actor for Worker {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Order>, order: Order, (): &mut ()) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Fail => Err("as told".into()),
            Order::Panic => panic!("as told, loudly"),
        }
    }
}

fn options(strategy: Strategy, max_restarts: u32) -> Options {
    Options {
        strategy,
        intensity: Intensity {
            max_restarts,
            window: Duration::from_secs(10),
        },
        backoff: BackOff {
            first: Duration::from_millis(1),
            max: Duration::from_millis(5),
        },
    }
}

fn worker(name: &str, restart: Restart) -> ChildSpec {
    ChildSpec::new(name, "worker", restart, |supervisor: ActorCell| async move {
        let (actor, _) = Actor::spawn_linked(None, Worker, (), supervisor).await?;
        Ok(actor.get_cell())
    })
}

fn order(supervisor: &SupervisorHandle, name: &str, order: Order) {
    let child = supervisor.child(name).expect("child should run");
    ActorRef::<Order>::from(child)
        .send_message(order)
        .expect("child should take orders");
}

fn find<'a>(node: &'a TreeNode, path: &str) -> Option<&'a TreeNode> {
    if node.path == path {
        return Some(node);
    }
    node.children.iter().find_map(|child| find(child, path))
}

/// Waits until the tree looks as expected; the deadline is far above what any case needs.
async fn until(tree: &Tree, what: &str, condition: impl Fn(&TreeNode) -> bool) {
    let wait = async {
        while !condition(&tree.snapshot()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(10), wait).await.is_err() {
        panic!("{what}: {:#?}", tree.snapshot());
    }
}

fn is(root: &TreeNode, path: &str, status: Status, restarts: u32) -> bool {
    find(root, path).is_some_and(|node| node.status == status && node.restarts == restarts)
}

#[tokio::test]
async fn failures_panics_and_kills_are_restarted_and_recorded() {
    let tree = Tree::new("n1");
    let sup = Supervisor::start(&tree, None, "", options(Strategy::OneForOne, 10))
        .await
        .unwrap();
    for name in ["fails", "panics", "killed", "stops"] {
        sup.add(worker(name, Restart::Permanent)).await.unwrap();
    }
    order(&sup, "fails", Order::Fail);
    order(&sup, "panics", Order::Panic);
    sup.child("killed").unwrap().kill();
    sup.child("stops").unwrap().stop(None);
    until(&tree, "all four come back", |root| {
        ["n1/fails", "n1/panics", "n1/killed", "n1/stops"]
            .iter()
            .all(|path| is(root, path, Status::Running, 1))
    })
    .await;
    let root = tree.snapshot();
    assert_eq!(root.kind, "node");
    assert_eq!(find(&root, "n1/fails").unwrap().last_error.as_deref(), Some("as told"));
    assert!(
        find(&root, "n1/panics")
            .unwrap()
            .last_error
            .as_deref()
            .unwrap()
            .contains("loudly")
    );
    assert_eq!(find(&root, "n1/fails").unwrap().kind, "worker");
    sup.stop().await.unwrap();
    assert_eq!(tree.snapshot().status, Status::Stopped);
    assert!(sup.child("fails").is_none());
}

#[tokio::test]
async fn transient_rests_temporary_leaves_and_names_are_checked() {
    let tree = Tree::new("n1");
    let sup = Supervisor::start(&tree, None, "room", options(Strategy::OneForOne, 10))
        .await
        .unwrap();
    sup.add(worker("transient", Restart::Transient)).await.unwrap();
    sup.add(worker("temporary", Restart::Temporary)).await.unwrap();
    assert!(matches!(
        sup.add(worker("transient", Restart::Transient)).await,
        Err(Error::AlreadyThere(_))
    ));
    assert!(matches!(
        sup.add(worker("a/b", Restart::Permanent)).await,
        Err(Error::BadName(_))
    ));
    sup.child("transient").unwrap().stop(None);
    order(&sup, "temporary", Order::Fail);
    until(&tree, "one rests and one leaves", |root| {
        is(root, "n1/room/transient", Status::Stopped, 0) && find(root, "n1/room/temporary").is_none()
    })
    .await;
    tree.restart("n1/room/transient").await.unwrap();
    assert!(sup.child("transient").is_some());
    assert!(matches!(
        tree.restart("n1/room/nobody").await,
        Err(Error::NoSuchChild(_))
    ));
    assert!(matches!(tree.restart("n1").await, Err(Error::NoSuchChild(_))));
    sup.remove("transient").await.unwrap();
    sup.remove("transient").await.unwrap();
    assert!(find(&tree.snapshot(), "n1/room/transient").is_none());
}

#[tokio::test]
async fn rest_for_one_replaces_the_later_children_too() {
    let tree = Tree::new("n1");
    let sup = Supervisor::start(&tree, None, "", options(Strategy::RestForOne, 10))
        .await
        .unwrap();
    let mut before = Vec::new();
    for name in ["a", "b", "c"] {
        before.push(sup.add(worker(name, Restart::Permanent)).await.unwrap().get_id());
    }
    order(&sup, "b", Order::Fail);
    until(&tree, "b and c are restarted", |root| {
        is(root, "n1/a", Status::Running, 0)
            && is(root, "n1/b", Status::Running, 1)
            && is(root, "n1/c", Status::Running, 1)
    })
    .await;
    let after: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|name| sup.child(name).unwrap().get_id())
        .collect();
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
    assert_ne!(before[2], after[2]);
}

#[tokio::test]
async fn a_child_that_does_not_start_is_reported_or_retried() {
    let tree = Tree::new("n1");
    let sup = Supervisor::start(&tree, None, "", options(Strategy::OneForOne, 10))
        .await
        .unwrap();
    let attempts = Arc::new(AtomicU32::new(0));
    let counter = attempts.clone();
    // Fails on the first and the third to fifth start.
    let spec = ChildSpec::new("moody", "worker", Restart::Permanent, move |supervisor: ActorCell| {
        let attempt = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            if [0, 2, 3, 4].contains(&attempt) {
                return Err(SpawnErr::StartupFailed(format!("attempt {attempt}").into()));
            }
            let (actor, _) = Actor::spawn_linked(None, Worker, (), supervisor).await?;
            Ok(actor.get_cell())
        }
    });
    let error = sup.add(spec.clone()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Start { reason, .. } if reason.contains("attempt 0")),
        "{error}"
    );
    assert!(find(&tree.snapshot(), "n1/moody").is_none());
    sup.add(spec).await.unwrap();
    order(&sup, "moody", Order::Fail);
    until(&tree, "it comes back at the fourth try", |root| {
        is(root, "n1/moody", Status::Running, 1)
    })
    .await;
    assert_eq!(attempts.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn too_many_restarts_escalate_to_the_parent_which_rebuilds_the_room() {
    let tree = Tree::new("n1");
    let root = Supervisor::start(&tree, None, "", options(Strategy::OneForOne, 10))
        .await
        .unwrap();
    let room_tree = tree.clone();
    let room = ChildSpec::new("room", "room", Restart::Permanent, move |supervisor: ActorCell| {
        let tree = room_tree.clone();
        async move {
            let room = Supervisor::start(&tree, Some(supervisor), "room", options(Strategy::OneForOne, 2)).await?;
            room.add(worker("w", Restart::Permanent)).await?;
            Ok(room.cell())
        }
    });
    let first = root.add(room).await.unwrap();
    for restarts in 0..3 {
        until(&tree, "the worker runs", |root| {
            is(root, "n1/room/w", Status::Running, restarts)
        })
        .await;
        let worker: ActorRef<Order> = find_cell(&tree, "room", "w", &root).into();
        worker.send_message(Order::Fail).unwrap();
    }
    until(&tree, "the room is rebuilt", |root| {
        is(root, "n1/room", Status::Running, 1) && is(root, "n1/room/w", Status::Running, 0)
    })
    .await;
    assert_ne!(root.child("room").unwrap().get_id(), first.get_id());
    let snapshot = tree.snapshot();
    let room = find(&snapshot, "n1/room").unwrap();
    assert_eq!(room.kind, "room");
    assert!(
        room.last_error.as_deref().unwrap().contains("more than 2 restarts"),
        "{:?}",
        room.last_error
    );
}

/// The cell of a worker in a room; handles reach below their own children.
fn find_cell(tree: &Tree, room: &str, name: &str, root: &SupervisorHandle) -> ActorCell {
    assert!(find(&tree.snapshot(), &format!("n1/{room}/{name}")).is_some());
    root.child(&format!("{room}/{name}")).expect("worker should run")
}

#[tokio::test]
async fn a_root_that_gives_up_is_noticed() {
    let tree = Tree::new("n1");
    let sup = Supervisor::start(&tree, None, "", options(Strategy::OneForOne, 0))
        .await
        .unwrap();
    sup.add(worker("w", Restart::Permanent)).await.unwrap();
    order(&sup, "w", Order::Fail);
    tokio::time::timeout(Duration::from_secs(10), sup.ended())
        .await
        .unwrap();
    assert_eq!(tree.snapshot().status, Status::Failed);
    assert!(matches!(
        sup.add(worker("x", Restart::Permanent)).await,
        Err(Error::Gone(_))
    ));
}
