//! Cold copies against a real S3-compatible server, when `NBOS_S3_SERVER` names its program: one that takes
//! `-H HOST -p PORT`, as `moto_server` of the Python package `moto[server]` does. `AWS_ACCESS_KEY_ID` and
//! `AWS_SECRET_ACCESS_KEY` have to be set, to anything.
#![cfg(feature = "s3")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nbos_mesh::{Mesh, MeshOptions, NodeName, Secret};
use nbos_objects::{BlobId, Objects, Options, S3};
use nbos_supervision::{Supervisor, Tree};

const SOON: Duration = Duration::from_secs(60);

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One HTTP request without a body; the whole answer.
fn request(address: SocketAddr, what: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_all_hosts_lost_comes_back_from_the_cold_copy() {
    let Some(program) = std::env::var_os("NBOS_S3_SERVER") else {
        println!("skipped: NBOS_S3_SERVER names no S3-compatible server");
        return;
    };
    assert!(
        std::env::var_os("AWS_ACCESS_KEY_ID").is_some(),
        "AWS_ACCESS_KEY_ID and its secret have to be set"
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = listener.local_addr().expect("has an address");
    drop(listener);
    let server = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _server = Server(server.expect("the server starts"));
    let end = Instant::now() + SOON;
    while !request(address, "PUT /cold").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        assert!(Instant::now() < end, "the server does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let tree = Tree::new("n1");
    let root = Supervisor::start(&tree, None, "", nbos_supervision::Options::one_for_one())
        .await
        .expect("starts");
    let options = MeshOptions {
        local: NodeName::from("n1"),
        listen: "127.0.0.1:0".parse().expect("an address"),
        peers: BTreeMap::new(),
        secret: Secret::new(*b"for this test only"),
        options: nbos_mesh::Options::default(),
    };
    let mesh = Mesh::start(options, &tree, &root).await.expect("starts");
    let options = Options {
        s3: Some(S3 {
            bucket: "cold".to_owned(),
            prefix: "test/chunks".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(format!("http://{address}")),
        }),
        ..Options::default()
    };
    let dir = tempfile::TempDir::new().expect("temporary directory");
    let node = |path: &Path| {
        let (path, options, mesh, root) = (path.to_owned(), options.clone(), mesh.clone(), root.clone());
        async move { Objects::open_with(&path, &options, &mesh, &root).await.expect("opens") }
    };
    let first = node(&dir.path().join("first")).await;
    let noise = Bytes::from(
        (0..100_000u32)
            .flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect::<Vec<u8>>(),
    );
    let contents = [noise, Bytes::from(vec![7; 1_000_000]), Bytes::from_static(b"small")];
    let ids: Vec<BlobId> = contents.iter().map(|bytes| BlobId::of(bytes)).collect();
    for (id, bytes) in ids.iter().zip(&contents) {
        first.ingest(*id, bytes.clone(), &[]).await.expect("ingests");
    }
    first
        .retain(&ids.iter().copied().collect::<BTreeSet<_>>())
        .await
        .expect("retains");
    while first.stats().cold_blobs < ids.len() as u64 {
        assert!(Instant::now() < end, "no cold copies come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Its disk is lost.
    for id in &ids {
        for folder in ["fresh", "blobs"] {
            for file in std::fs::read_dir(dir.path().join("first").join(folder)).expect("readable") {
                let file = file.expect("readable");
                if file.file_name().to_string_lossy().starts_with(&id.to_string()) {
                    std::fs::remove_file(file.path()).expect("removes");
                }
            }
        }
        first.read(*id).await.expect_err("it is gone");
    }
    let away = [NodeName::from("n9")];
    first.fetch(&ids, &away, SOON, |_| {}).await.expect("comes back");
    for (id, bytes) in ids.iter().zip(&contents) {
        assert_eq!(first.read(*id).await.expect("is here"), bytes);
    }
    let nowhere = first.fetch(&[BlobId::of(b"else")], &[], SOON, |_| {}).await;
    assert_eq!(nowhere.expect_err("is nowhere").code(), "NB0801");
    root.stop().await.expect("stops");
}
