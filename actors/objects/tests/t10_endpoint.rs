//! The handle on a real mesh of one node: the endpoint answers through codec and mesh, survives a restart of its actor,
//! and the bulk port refuses strangers. Transfers between nodes are tested in one process beside `Node`, and across
//! processes in `t20_processes`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use nbos_mesh::{Mesh, MeshOptions, NodeName, Options, Secret, codec};
use nbos_objects::{BlobId, Error, Objects};
use nbos_supervision::{Supervisor, Tree};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoint_answers_and_survives_a_restart() {
    let dir = tempfile::TempDir::new().expect("temporary directory");
    let tree = Tree::new("n1");
    let root = Supervisor::start(&tree, None, "", nbos_supervision::Options::one_for_one())
        .await
        .expect("starts");
    let options = MeshOptions {
        local: NodeName::from("n1"),
        listen: "127.0.0.1:0".parse().expect("an address"),
        peers: BTreeMap::new(),
        secret: Secret::new(*b"for this test only"),
        options: Options::default(),
    };
    let mesh = Mesh::start(options, &tree, &root).await.expect("starts");
    let objects = Objects::open(dir.path(), &mesh, &root).await.expect("opens");
    let me = NodeName::from("n1");

    let state = Bytes::from_static(b"state");
    let id = BlobId::of(&state);
    objects.ingest(id, state, &[]).await.expect("ingests");
    objects.settle(&[id], &[], 0, SOON).await.expect("is on the disk");
    assert!(objects.contains(&id) && objects.missing(&[id]).is_empty());
    assert_eq!(objects.read(id).await.expect("is here"), "state");
    let stats = objects.stats();
    assert_eq!((stats.blobs, stats.stored_bytes, stats.in_flight_bytes), (1, 5, 0));

    let large = Bytes::from(vec![0; (4 << 20) + 1]);
    let refused = objects
        .ingest(BlobId::of(&large), large, &[])
        .await
        .expect_err("too large");
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
    let nowhere = objects.fetch(&[BlobId::of(b"else")], &[], SOON, |_| {}).await;
    assert!(matches!(nowhere, Err(Error::NotFound(_))), "{nowhere:?}");
    let few = objects
        .settle(&[id], &[NodeName::from("n9")], 1, Duration::from_millis(300))
        .await;
    let few = few.expect_err("n9 does not exist");
    assert!(
        few.code() == "NB0804" && few.to_string().contains("n9: NB0210"),
        "{few}"
    );

    let ask = |body: Bytes| mesh.call(&me, "objects", body, SOON);
    let garbage = ask(Bytes::from_static(&[0xff; 40])).await.expect_err("unreadable");
    assert!(matches!(garbage, nbos_mesh::Error::Remote(_)), "{garbage}");
    tree.restart("objects").await.expect("restarts");
    let port: u16 = codec::decode(&ask(Bytes::new()).await.expect("answers again")).expect("a port");

    // Strangers are told so and shut out, whatever they say.
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], b"NBOS"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
        stream.write_all(garbage).await.expect("writes");
        let mut answer = String::new();
        let read = tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await;
        read.expect("it ends").expect("reads");
        assert!(answer.starts_with("NB020"), "{answer}");
    }
    let crowd: Vec<TcpStream> =
        futures_util::future::join_all((0..100).map(|_| TcpStream::connect(("127.0.0.1", port))))
            .await
            .into_iter()
            .filter_map(Result::ok)
            .collect();
    assert!(
        objects.contains(&id) && crowd.len() == 100,
        "silent strangers do no harm"
    );

    // Young chunks stay, whatever is kept.
    assert_eq!(objects.retain(&BTreeSet::new()).await.expect("retains"), 0);
    assert!(objects.contains(&id));
    root.stop().await.expect("stops");
}
