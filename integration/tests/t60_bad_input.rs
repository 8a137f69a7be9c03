//! What is wrong gets one clear error with its code, and nobody else notices.

use std::fs;
use std::net::TcpListener;

use nbos::client::{Execute, Framing};
use nbos_integration::{Cluster, Http, Seed, Shape};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Starts a cluster from a changed configuration; it must refuse with this code and these words.
async fn refused(change: impl Fn(&str) -> String, code: &str, words: &[&str]) {
    let cluster = Cluster::prepared(&Shape::default());
    let file = cluster.path("cluster.toml");
    let text = fs::read_to_string(&file).expect("cluster.toml");
    fs::write(&file, change(&text)).expect("cluster.toml");
    let ended = cluster.nbos(&["up", "--config", "cluster.toml"]).await;
    assert!(
        ended.code.is_some_and(|status| status != 0),
        "exit code {:?}",
        ended.code
    );
    assert_eq!(
        ended.stderr.matches("error NB").count(),
        1,
        "one error: {}",
        ended.stderr
    );
    for word in [code].iter().chain(words) {
        assert!(ended.stderr.contains(word), "`{word}` is missing in: {}", ended.stderr);
    }
    assert_eq!(ended.stdout, "", "no `ready`");
    cluster.all_gone().await;
}

#[tokio::test]
async fn a_broken_configuration_is_refused_with_its_place() {
    refused(
        |text| format!("colour = 1\n{text}"),
        "NB0102",
        &["colour", "cluster.toml"],
    )
    .await;
    refused(
        |text| text.replacen("gpus =", "gpu =", 1),
        "NB0102",
        &["gpu", "[[node]]"],
    )
    .await;
    refused(|text| text.replace("\"h2\"", "\"h1\""), "NB0106", &["h1"]).await;
    refused(|text| text.replace("[[node]]", "[[node]"), "NB0101", &["line"]).await;
    refused(
        |text| text.replacen("127.0.0.1:", "127.0.0.1:9", 1),
        "NB0108",
        &["mesh"],
    )
    .await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let onto_taken = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with("gateway"))
            .expect("a gateway")
            .to_owned();
        text.replacen(&line, &format!("gateway = \"{address}\""), 1)
    };
    refused(onto_taken, "NB0120", &["h1", "gateway", &address]).await;
}

/// Another user's kernel, which must not notice; and the processes, which must stay the same.
struct Undisturbed {
    cells: nbos_integration::Cells,
    done: u64,
    pids: Vec<u32>,
}

impl Undisturbed {
    async fn new(cluster: &Cluster) -> Self {
        let mut cells = cluster.kernel().await.open(Framing::V1).await;
        cells.ok("count = 0").await;
        Self {
            cells,
            done: 0,
            pids: pids(cluster),
        }
    }

    async fn check(&mut self, cluster: &Cluster, after: &str) {
        self.done += 1;
        let outcome = self.cells.run(&Execute::new("count += 1; print(count)")).await;
        assert_eq!(outcome.stdout(), format!("{}\n", self.done), "after {after}");
        assert_eq!(pids(cluster), self.pids, "a node died after {after}");
    }
}

fn pids(cluster: &Cluster) -> Vec<u32> {
    cluster.nodes().map(|node| node.pid()).collect()
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let cluster = Cluster::start().await;
    let mut other = Undisturbed::new(&cluster).await;
    let address = cluster.node("h2").gateway_address();
    let good = Http::new(address.clone(), &cluster.connection().token);
    let none = "3f2a0000-0000-4000-8000-000000000000";
    let deep = "[".repeat(100_000);
    let huge = vec![b' '; 20 * 1024 * 1024];
    let cases: [(&str, String, &[u8], u16, &str); 10] = [
        ("GET", format!("/api/kernels/{none}"), b"", 404, "NB0506"),
        ("DELETE", format!("/api/kernels/{none}"), b"", 404, "NB0506"),
        ("GET", "/api/kernels/not-an-id".to_owned(), b"", 404, "NB0506"),
        ("POST", "/api/kernels".to_owned(), b"{\"name\": ", 400, "NB0504"),
        ("POST", "/api/kernels".to_owned(), b"\xff\xfe\x00garbage", 400, "NB0504"),
        ("POST", "/api/kernels".to_owned(), deep.as_bytes(), 400, "NB0504"),
        (
            "POST",
            "/api/kernels".to_owned(),
            b"{\"name\": \"cobol\"}",
            404,
            "NB0507",
        ),
        ("POST", "/api/kernels".to_owned(), &huge, 413, "NB0505"),
        ("GET", "/no/such/page".to_owned(), b"", 404, "NB0509"),
        (
            "POST",
            format!("/api/cluster/kernels/{none}/handover"),
            b"{}",
            404,
            "NB0506",
        ),
    ];
    for (method, path, body, status, code) in cases {
        let answer = good.send(method, &path, body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{method} {path}: {:?}",
            answer.body
        );
        assert!(
            answer.body["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{path}: {:?}",
            answer.body
        );
        other.check(&cluster, &format!("{method} {path}")).await;
    }
    let wrong = Http::new(address, "wrong");
    for path in ["/api/kernels", "/api/cluster/tree", "/metrics", "/no/such/page"] {
        let answer = wrong.send("GET", path, b"").await;
        assert_eq!((answer.status, answer.code()), (401, "NB0502"), "{path}");
    }
    let refusal = wrong.socket(none).await.expect_err("no socket without the token");
    assert_eq!((refusal.status, refusal.code()), (401, "NB0502"));
    let refusal = good.socket(none).await.expect_err("no socket to nothing");
    assert_eq!((refusal.status, refusal.code()), (404, "NB0506"));
    other.check(&cluster, "wrong tokens").await;
}

#[tokio::test]
async fn bad_frames_close_their_own_websocket_alone() {
    let mut seed = Seed::announced();
    let cluster = Cluster::start().await;
    let mut other = Undisturbed::new(&cluster).await;
    let kernel = cluster.kernel().await;
    let http = Http::new(cluster.node("h1").gateway_address(), &cluster.connection().token);
    let socket = async || http.socket(&kernel.id).await.expect("a socket");
    for text in ["{\"header\": ", "nonsense", "[1, 2]", "{}", &"[".repeat(50_000)] {
        let closed = socket().await.text(text).await;
        assert!(
            closed.code == 1007 && closed.reason.contains("NB0513"),
            "{closed:?} for {:.40}",
            text
        );
        other.check(&cluster, "malformed text").await;
    }
    for length in [0, 3, 16, 1_000, 100_000] {
        let garbage: Vec<u8> = (0..length).map(|_| seed.between(0, 255) as u8).collect();
        let closed = socket().await.binary(garbage).await;
        assert!(
            closed.code == 1007 && closed.reason.contains("NB0513"),
            "{closed:?} for {length} bytes"
        );
        other.check(&cluster, "binary garbage").await;
    }
    let closed = socket().await.binary(vec![0x20; 100 * 1024 * 1024]).await;
    assert!(
        closed.code == 1009 && closed.reason.contains("NB0514"),
        "{closed:?} for 100 MiB"
    );
    other.check(&cluster, "a frame of 100 MiB").await;
    assert_eq!(kernel.open(Framing::Legacy).await.ok("print('fine')").await, "fine\n");
}

#[tokio::test]
async fn garbage_on_the_mesh_port_is_refused_and_logged() {
    let mut seed = Seed::announced();
    let cluster = Cluster::start().await;
    let mut other = Undisturbed::new(&cluster).await;
    let node = cluster.node("h1");
    for length in [1, 64, 70_000] {
        let mut stream = TcpStream::connect(node.mesh_address()).await.expect("the mesh accepts");
        let garbage: Vec<u8> = (0..length).map(|_| seed.between(0, 255) as u8).collect();
        // It may be cut off before it has said everything.
        let _ = stream.write_all(&garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = nbos_integration::within(
            "the mesh hangs up",
            nbos_integration::SHORT,
            stream.read_to_end(&mut answer),
        )
        .await;
        other.check(&cluster, "garbage on the mesh port").await;
    }
    node.logs("NB02").await;
    cluster.whole().await;
}
