//! The handle on a real mesh of one node: the endpoint answers through codec and mesh, and survives a restart of its
//! actor. Transfers between nodes are tested across processes elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use nbos_mesh::{Mesh, MeshOptions, NodeName, Options, Secret};
use nbos_objects::{BlobId, Error, Objects};
use nbos_supervision::{Supervisor, Tree};

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
    let me = [NodeName::from("n1")];

    let id = objects.put(Bytes::from_static(b"state")).await.expect("puts");
    assert!(objects.contains(&id));
    // Through the mesh to the own endpoint, which has it.
    objects.replicate(&id, &me, 1, SOON).await.expect("is durable there");
    assert_eq!(objects.get(&id, &[], SOON).await.expect("is here"), "state");

    let nowhere = objects
        .get(&BlobId::of(b"else"), &me, SOON)
        .await
        .expect_err("is nowhere");
    assert!(matches!(nowhere, Error::NotFound(_)), "{nowhere}");
    let garbage = mesh
        .call(&me[0], "objects", Bytes::from_static(&[0xff; 40]), SOON)
        .await
        .expect_err("unreadable");
    assert!(matches!(garbage, nbos_mesh::Error::Remote(_)), "{garbage}");

    tree.restart("objects").await.expect("restarts");
    objects.replicate(&id, &me, 1, SOON).await.expect("answers again");

    let away = [NodeName::from("n1"), NodeName::from("n9")];
    objects.replicate(&id, &away, 1, SOON).await.expect("one is enough");
    let few = objects
        .replicate(&id, &away, 2, Duration::from_millis(300))
        .await
        .expect_err("n9 does not exist");
    assert!(few.code() == "NB0804" && few.to_string().contains("n9"), "{few}");

    // Young blobs stay, whatever is kept.
    assert_eq!(objects.retain(&BTreeSet::new()).await.expect("retains"), 0);
    assert!(objects.contains(&id));
    root.stop().await.expect("stops");
}
