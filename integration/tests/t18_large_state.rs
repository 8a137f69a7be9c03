//! Large state on its way: it can be watched and interrupted, nobody waits for what no cell touches, and where links are encrypted it is too.

use std::path::Path;
use std::time::{Duration, Instant};

use nbos::client::{Execute, Framing, Replicating};
use nbos_integration::{
    Cells, Cluster, Kernel, LONG, Shape, Wire, answer_to_plain_text, holds, listening_ports, small_disks_work,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;

/// MiB that leave the chunk store no room at all: below `RESERVE` in `actors/objects/src/store.rs`.
const NO_ROOM: u64 = 200;

/// MiB with room for everything.
const ROOMY: u64 = 1_024;

/// Some seconds of replication on two slow cores.
const WATCHED_MIB: u64 = 400;

/// An interrupt cuts the sending of a variable between two chunks of 4 MiB.
const CUT_WITHIN: Duration = Duration::from_secs(5);

/// A cell that makes `name` of so many MiB, of which no two are alike.
fn large(name: &str, mib: u64) -> String {
    format!(
        "import os; {name} = bytearray(os.urandom(1 << 20)) * {mib}\nfor i in range({mib}): {name}[i << 20:(i << 20) + 4] = i.to_bytes(4, 'big')"
    )
}

/// What the variable on the wire is full of, four KiB in each 64: too few for it to be compressed.
const MARKER: u8 = 0xa7;
const MARKED: &str = "import os; big = bytearray((os.urandom(60 << 10) + b'\\xa7' * (4 << 10)) * 1024)\nfor i in range(16): big[i << 22] = i";

/// `[mesh] tls`, with files below this directory for an authority and a certificate of it that all nodes share.
fn encrypted(dir: &Path) -> String {
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (authority_key, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = write("ca.pem", authority.self_signed(&authority_key).expect("signed").pem());
    let issuer = Issuer::new(authority, authority_key);
    let nodes = CertificateParams::new(vec!["nbos".to_owned()]).expect("a name");
    let cert = write("node.pem", nodes.signed_by(&key, &issuer).expect("signed").pem());
    let key = write("node.key", key.serialize_pem());
    format!("[mesh]\ntls = {{ cert = \"{cert}\", key = \"{key}\", ca = \"{ca}\" }}\n")
}

/// An expression that says whether all of it is as it was made.
fn is_whole(name: &str, mib: u64) -> String {
    format!(
        "len({name}) == {mib} << 20 and all({name}[i << 20:(i << 20) + 4] == i.to_bytes(4, 'big') \
         and {name}.startswith({name}[4:1 << 20], (i << 20) + 4) for i in range({mib}))"
    )
}

#[tokio::test]
async fn the_way_of_a_large_variable_to_a_majority_can_be_watched() {
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("small = 1").await;
    let code = large("big", WATCHED_MIB);
    let (mut seen, mut shown) = (Vec::<Replicating>::new(), None);
    {
        let work = cells.ok(&code);
        tokio::pin!(work);
        loop {
            tokio::select! {
                _ = &mut work => break,
                record = kernel.record() => seen.extend(record.replicating),
            }
            if shown.is_none() && !seen.is_empty() {
                shown = Some(cluster.nbos(&["kernel", &kernel.id]).await.stdout);
            }
        }
    }
    seen.dedup();
    let shares: Vec<_> = seen
        .iter()
        .map(|seen| format!("{}/{}", seen.done >> 20, seen.total >> 20))
        .collect();
    println!("MiB: {}", shares.join(" "));
    let shown = shown.expect("seen at least once");
    assert!(shown.contains("replicating the last cell: "), "{shown}");
    assert!(seen.len() >= 5, "progress was seen {} times: {seen:?}", seen.len());
    for pair in seen.windows(2) {
        assert!(
            pair[0].total <= pair[1].total && pair[0].done <= pair[1].done,
            "it never goes back: {seen:?}"
        );
    }
    assert!(seen.iter().all(|seen| seen.done <= seen.total), "{seen:?}");
    let steps = seen.chunk_by(|left, right| left.done == right.done).count();
    assert!(steps >= 5, "what is done grows while more comes: {seen:?}");
    let last = seen.last().expect("there are five");
    assert!(
        last.total <= (WATCHED_MIB + 1) << 20 && last.total > (WATCHED_MIB / 2) << 20,
        "{seen:?}"
    );
    assert_eq!(kernel.record().await.replicating, None, "nothing is left of it");
}

/// Runs a cell that makes `name` of so many MiB and interrupts it while that is captured.
async fn interrupted(kernel: &Kernel, cells: &mut Cells, name: &str, mib: u64) {
    let run = Execute::new(format!("{}\nlog.append('{name}')", large(name, mib)));
    let work = async {
        let outcome = cells.run(&run).await;
        (outcome, Instant::now())
    };
    let interrupt = async {
        let captured = async || {
            let replicating = kernel.record().await.replicating;
            replicating.is_some_and(|replicating| replicating.total > 64 << 20)
        };
        holds("the capture is under way", LONG, captured).await;
        kernel.interrupt().await;
        (Instant::now(), kernel.record().await.replicating)
    };
    let ((outcome, ended), (asked, at)) = tokio::join!(work, interrupt);
    println!("{name}: interrupted at {at:?}, answered after {:?}", ended - asked);
    assert!(ended - asked < CUT_WITHIN, "{:?}", ended - asked);
    assert!(outcome.is_ok(), "its code had ended: {:?}", outcome.reply);
}

#[tokio::test]
async fn an_interrupt_ends_the_capture_of_a_large_variable_and_costs_nothing() {
    let (mib, lost_mib) = (1_024, 512);
    let cluster = Cluster::start().await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells.ok("log = []").await;
    kernel.settled().await;
    interrupted(&kernel, &mut cells, "big", mib).await;
    let before = kernel.executor().await;
    // It takes along all that is there: a full pass comes first.
    assert_ne!(kernel.handover(None).await, before);
    assert_eq!(cells.value("log").await, json!(["big"]));
    assert_eq!(cells.value(&is_whole("big", mib)).await, json!(true));
    let record = kernel.settled().await;
    assert_eq!(
        (record.replicating, record.pinned),
        (None, Vec::new()),
        "nothing is left of it"
    );

    // The host of a variable that is cut goes: nobody has half of it.
    cells.ok("del big").await;
    let home = kernel.executor().await;
    let elsewhere = cluster.client_of(cluster.other_than(&[&home]).name());
    interrupted(&kernel, &mut cells, "lost", lost_mib).await;
    cluster.node(&home).kill_9();
    let mut cells = kernel.open_at(&elsewhere, Framing::V1).await;
    assert_eq!(cells.value("log").await, json!(["big", "lost"]));
    let outcome = cells
        .run(&Execute::new(format!("print({})", is_whole("lost", lost_mib))))
        .await;
    match outcome.error() {
        Some(error) => {
            assert_eq!(error.ename, "PinnedError");
            assert!(
                error.evalue.contains("lost") && error.evalue.contains("NB0906"),
                "{}",
                error.evalue
            );
        }
        // The kernel had been idle for long enough to send it.
        None => assert_eq!(outcome.stdout(), "True\n"),
    }
    println!("{:?}", outcome.error().map(|error| error.evalue));
}

#[tokio::test]
async fn a_new_replica_is_of_use_before_the_large_variables_have_arrived() {
    if !small_disks_work() {
        return;
    }
    let names: Vec<String> = (1..=4).map(|number| format!("h{number}")).collect();
    let cluster = Cluster::shaped(Shape {
        nodes: 4,
        extra: "[kernel]\ndefer_above = 1_000_000\n".to_owned(),
        small_disks: names.iter().map(|name| (name.clone(), ROOMY)).collect(),
        ..Shape::default()
    })
    .await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells
        .ok(&format!("{}\nsmall = [1]; alias = small", large("big", 48)))
        .await;
    let record = kernel.settled().await;
    let members: Vec<&str> = record.replicas.iter().map(|replica| replica.host.as_str()).collect();
    let spare = cluster.other_than(&members).name().to_owned();
    let executor = record.executor.clone().expect("a cell has run");
    let lost = *members.iter().find(|name| **name != executor).expect("a standby");

    // Its chunks cannot arrive: that must not matter to what needs none.
    cluster.leave_room(&spare, NO_ROOM);
    let frozen = cluster.node(lost).freeze().await;
    let moved = async || {
        kernel
            .record()
            .await
            .replicas
            .iter()
            .any(|replica| replica.host == spare)
    };
    holds("another host takes the lost one's place", LONG, moved).await;
    let gateway = cluster.client_of(&spare);
    let mut cells = kernel.open_at(&gateway, Framing::V1).await;
    let joined = async || {
        let record = kernel.record().await;
        let replica = record.replicas.iter().find(|replica| replica.host == spare);
        replica.is_some_and(|replica| replica.role == "standby" && replica.applied == Some(record.cells))
    };
    holds("the new replica has joined", LONG, joined).await;
    assert_eq!(kernel.handover(Some(&spare)).await, spare);
    let began = Instant::now();
    assert_eq!(cells.value("[small, small is alias]").await, json!([[1], true]));
    cells.ok("small.append(2); fresh = 'f'").await;
    println!(
        "two cells took {:?} while the large variable is elsewhere",
        began.elapsed()
    );
    assert_eq!(kernel.executor().await, spare, "they ran on the new replica");
    assert!(
        cluster.log(&spare).contains("no space left"),
        "nothing large can have arrived"
    );

    let touching = is_whole("big", 48);
    let touching = cells.value(&touching);
    let make_room = async {
        let asked = async || cluster.log(&spare).matches("objects not fetched yet").count() > 1;
        holds("the cell asks for it", LONG, asked).await;
        cluster.leave_room(&spare, ROOMY);
    };
    let (whole, ()) = tokio::join!(touching, make_room);
    assert_eq!(whole, json!(true), "a cell that touches it waits until it is there");
    assert_eq!(cells.value("[alias, fresh]").await, json!([[1, 2], "f"]));
    assert_eq!(kernel.executor().await, spare);
    frozen.wake().await;
}

#[tokio::test]
async fn where_links_are_encrypted_large_variables_are_too() {
    let files = tempfile::tempdir().expect("a directory");
    // The first shows that what is looked for would be found.
    for (extra, is_encrypted) in [(String::new(), false), (encrypted(files.path()), true)] {
        let cluster = Cluster::shaped(Shape {
            extra,
            ..Shape::default()
        })
        .await;
        let kernel = cluster.kernel().await;
        let mut cells = kernel.open(Framing::V1).await;
        cells.ok("import hashlib").await;
        let wire = Wire::listen(MARKER);
        cells.ok(MARKED).await;
        let digest = cells.value("hashlib.sha256(big).hexdigest()").await;
        kernel.settled().await;
        kernel.handover(None).await;
        assert_eq!(cells.value("hashlib.sha256(big).hexdigest()").await, digest);
        if let Some(heard) = wire.map(Wire::stop) {
            println!("encrypted: {is_encrypted}, {heard:?}");
            assert!(heard.bytes > 32 << 20, "the variable went over the network: {heard:?}");
            assert_eq!(heard.runs == 0, is_encrypted, "{heard:?}");
        }
        for node in cluster.nodes() {
            let gateway = node.gateway_address();
            let mut others = listening_ports(node.pid());
            others.retain(|port| !gateway.ends_with(&format!(":{port}")));
            assert!(others.len() >= 2, "mesh and bulk: {others:?}");
            for port in others {
                let answer = answer_to_plain_text(port);
                // 0x15 0x03: an alert of TLS.
                assert!(
                    !is_encrypted || answer == [0x15, 0x03],
                    "port {port} of {} answers {answer:?}",
                    node.name()
                );
            }
        }
    }
}
