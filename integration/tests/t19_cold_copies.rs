//! Cold copies in an S3-compatible store bring a session back whose large variables every host has lost.
//!
//! Needs `--features s3` and `NBOS_S3_SERVER`, the path of a server that takes `-H HOST -p PORT`, as `moto_server` of the Python package
//! `moto[server]` does; `just cold-copies` brings both.
#![cfg(feature = "s3")]

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use nbos::client::Framing;
use nbos_integration::{Cluster, LONG, SHORT, Shape, holds};
use serde_json::json;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_session_whose_large_variables_every_host_lost_has_them_again() {
    let Some(program) = std::env::var_os("NBOS_S3_SERVER") else {
        println!("skipped: NBOS_S3_SERVER names no S3-compatible server");
        return;
    };
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        assert!(
            std::env::var_os(variable).is_some(),
            "{variable} has to be set, to anything"
        );
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = listener.local_addr().expect("has an address");
    drop(listener);
    let server = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _server = Server(server.expect("the server starts"));
    let makes_bucket = async || ask(address, "PUT /cold").starts_with("HTTP/1.1 200");
    holds("the server makes a bucket", SHORT, makes_bucket).await;

    let mut cluster = Cluster::shaped(Shape {
        extra: format!("[objects]\ns3 = {{ bucket = \"cold\", endpoint = \"http://{address}\" }}\n"),
        ..Shape::default()
    })
    .await;
    let kernel = cluster.kernel().await;
    let mut cells = kernel.open(Framing::V1).await;
    cells
        .ok("import hashlib, os; big = bytearray(os.urandom(20_000_000)); small = 1")
        .await;
    let digest = cells.value("hashlib.sha256(big).hexdigest()").await;
    kernel.settled().await;
    let executor = kernel.executor().await;
    let chunks = chunks(&cluster, &executor);
    assert!(chunks.len() >= 5, "{chunks:?}");
    let all_copied = async || {
        // Up to a thousand names.
        let copies = ask(address, "GET /cold?list-type=2");
        chunks
            .iter()
            .all(|chunk| copies.contains(&format!("<Key>nbos/{chunk}</Key>")))
    };
    holds("every chunk has a cold copy", LONG, all_copied).await;

    cluster.kill_9_everything().await;
    for node in ["h1", "h2", "h3"] {
        std::fs::remove_dir_all(cluster.node_dir(node).join("objects")).expect("its disk is lost");
    }
    cluster.up().await;
    let mut notebook = kernel.notebook(cluster.client());
    assert_eq!(
        notebook.value("[small, hashlib.sha256(big).hexdigest()]").await,
        json!([1, digest])
    );
    let back = cluster
        .nodes()
        .any(|node| cluster.log(node.name()).contains("came back from its cold copy"));
    assert!(back, "no host said that it took a cold copy");
}

/// One request without a body to the server; its whole answer, empty while there is none.
fn ask(address: SocketAddr, what: &str) -> String {
    let answer = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SHORT))?;
        let headers = format!("Host: {address}\r\nContent-Length: 0\r\nConnection: close");
        write!(stream, "{what} HTTP/1.1\r\n{headers}\r\n\r\n")?;
        std::io::read_to_string(stream)
    };
    answer().unwrap_or_default()
}

/// Names of the chunks on a node's disk.
fn chunks(cluster: &Cluster, node: &str) -> Vec<String> {
    let objects = cluster.node_dir(node).join("objects");
    let folders = ["fresh", "blobs"].map(|folder| std::fs::read_dir(objects.join(folder)).expect("a directory"));
    let names = folders.into_iter().flatten().flatten();
    let names = names.map(|file| file.file_name().to_string_lossy().into_owned());
    // What follows the name says how it is stored.
    names.filter_map(|name| Some(name.get(..64)?.to_owned())).collect()
}
