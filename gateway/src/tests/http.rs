use actix_web::http::Method;
use nbos_kernel::KernelId;
use nbos_scheduler::Command;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::{Fixture, TOKEN, run};
use crate::rest::routes;

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

/// One request on a connection of its own, headers given line by line.
async fn ask(fixture: &Fixture, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(fixture.address()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A refused upload may end with a reset; what was read before counts.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_ascii_lowercase(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

async fn with_token(fixture: &Fixture, method: &str, path: &str, body: &str) -> Answer {
    ask(
        fixture,
        method,
        path,
        &format!("authorization: token {TOKEN}\r\n"),
        body,
    )
    .await
}

fn filled(path: &str) -> String {
    path.replace("{id}", &KernelId::random().to_string())
        .replace("{name}", "python3")
        .replace("{file}", "logo.png")
}

#[test]
fn every_route_and_every_unknown_path_wants_the_token() {
    run(|fixture| async {
        let unknown = [(Method::GET, "/".to_owned()), (Method::POST, "/api/nothing".to_owned())];
        let table = routes().into_iter().map(|route| (route.method, filled(route.path)));
        for (method, path) in table.chain(unknown) {
            let refused = ask(fixture, method.as_str(), &path, "", "").await;
            assert_eq!(refused.status, 401, "{method} {path}");
            assert_eq!(refused.body["code"], "NB0502", "{method} {path}");
            let wrong = ask(fixture, method.as_str(), &format!("{path}?token=wrong"), "", "").await;
            assert_eq!(wrong.status, 401, "{method} {path}");
            let foreign = ask(fixture, method.as_str(), &path, "origin: https://evil.example\r\n", "").await;
            assert_eq!(
                (foreign.status, &foreign.body["code"]),
                (403, &json!("NB0503")),
                "{method} {path}"
            );
            let options = ask(fixture, "OPTIONS", &path, "", "").await;
            assert_eq!(options.status, 200, "{method} {path}");
            assert!(options.head.contains("access-control-allow-methods"), "{method} {path}");
        }
    });
}

#[test]
fn plain_pages_answer() {
    run(|fixture| async {
        assert!(with_token(fixture, "GET", "/api", "").await.body["version"].is_string());
        let specs = with_token(fixture, "GET", "/api/kernelspecs", "").await.body;
        assert_eq!(specs["kernelspecs"]["python3"]["spec"]["language"], "python");
        assert_eq!(
            with_token(fixture, "GET", "/api/kernelspecs/python3", "").await.body["name"],
            "python3"
        );
        let me = ask(fixture, "GET", &format!("/api/me?token={TOKEN}"), "", "").await;
        assert_eq!(me.body["identity"]["username"], "nbos");
        let status = with_token(fixture, "GET", "/api/status", "").await.body;
        assert!(status["started"].as_str().is_some_and(|at| at.ends_with('Z')));
        let metrics = with_token(fixture, "GET", "/metrics", "").await;
        assert!(metrics.head.contains("text/plain"));
        let hosts = with_token(fixture, "GET", "/api/cluster/hosts", "").await.body;
        assert_eq!(hosts[0]["name"], "n1");
        let tree = with_token(fixture, "GET", "/api/cluster/tree", "").await.body;
        assert_eq!(tree["children"][0]["node"], "n1");
    });
}

#[test]
fn what_is_wrong_is_said_once_with_its_code() {
    run(|fixture| async {
        let unknown = KernelId::random();
        let kernel = format!("/api/kernels/{unknown}");
        let large = "x".repeat(5_000);
        let cases = [
            ("GET", "/nowhere", "", 404, "NB0509"),
            ("PUT", "/api/kernels", "", 405, "NB0510"),
            ("GET", kernel.as_str(), "", 404, "NB0506"),
            ("GET", "/api/kernels/not-an-id", "", 404, "NB0506"),
            ("DELETE", kernel.as_str(), "", 404, "NB0506"),
            ("POST", "/api/kernels", "{", 400, "NB0504"),
            ("POST", "/api/kernels", "{\"env\": []}", 400, "NB0504"),
            ("POST", "/api/kernels", "{\"kernel_id\": \"x\"}", 400, "NB0504"),
            ("POST", "/api/kernels", "{\"name\": \"julia\"}", 404, "NB0507"),
            (
                "POST",
                "/api/kernels",
                "{\"env\": {\"KERNEL_X\": \"`id`\"}}",
                400,
                "NB0516",
            ),
            ("POST", "/api/kernels", large.as_str(), 413, "NB0505"),
            ("GET", "/api/kernelspecs/julia", "", 404, "NB0507"),
            ("GET", "/kernelspecs/python3/logo-64x64.png", "", 404, "NB0509"),
            ("POST", "/api/sessions", "{}", 400, "NB0504"),
            (
                "POST",
                "/api/sessions",
                "{\"path\": \"a\", \"kernel\": {\"name\": \"julia\"}}",
                501,
                "NB0507",
            ),
            ("GET", "/api/sessions/none", "", 404, "NB0508"),
            ("GET", "/api/me?permissions=x", "", 400, "NB0504"),
            (
                "POST",
                "/api/cluster/hosts/n9/gpus/0/fault",
                "{\"fault\": \"leak\"}",
                404,
                "NB0518",
            ),
            (
                "POST",
                "/api/cluster/hosts/n9/gpus/0/fault",
                "{\"fault\": \"fire\"}",
                400,
                "NB0504",
            ),
            ("POST", "/api/cluster/restart", "{\"path\": \"n9/mesh\"}", 404, "NB0518"),
        ];
        for (method, path, body, status, code) in cases {
            let answer = with_token(fixture, method, path, body).await;
            assert_eq!(
                (answer.status, answer.body["code"].as_str()),
                (status, Some(code)),
                "{method} {path} {}",
                answer.body
            );
            assert!(
                answer.body["message"].is_string() && answer.body["reason"].is_string(),
                "{method} {path}"
            );
            assert_eq!(answer.body["traceback"], "");
            assert!(
                answer.head.contains("content-type: application/json"),
                "{method} {path}"
            );
        }
    });
}

#[test]
fn a_kernel_is_listed_described_and_restarted() {
    run(|fixture| async {
        let (id, script) = fixture.kernel().await;
        let listed = with_token(fixture, "GET", "/api/kernels", "").await.body;
        assert!(
            listed
                .as_array()
                .unwrap()
                .iter()
                .any(|kernel| kernel["id"] == id.to_string())
        );
        // No host actor answers for it, and it is older than a start may take: it is failing over.
        let described = with_token(fixture, "GET", &format!("/api/kernels/{id}"), "").await;
        assert_eq!((described.status, &described.body["code"]), (503, &json!("NB0511")));
        let record = with_token(fixture, "GET", &format!("/api/cluster/kernels/{id}"), "")
            .await
            .body;
        assert_eq!(record["replicas"][0]["role"], "joining");
        let interrupted = with_token(fixture, "POST", &format!("/api/kernels/{id}/interrupt"), "{}").await;
        assert_eq!(interrupted.status, 204);
        with_token(fixture, "POST", &format!("/api/kernels/{id}/restart"), "").await;
        assert_eq!(script.lock().restarts, 1);
        let not_a_socket = with_token(fixture, "GET", &format!("/api/kernels/{id}/channels"), "").await;
        assert_eq!(
            (not_a_socket.status, &not_a_socket.body["code"]),
            (400, &json!("NB0520"))
        );
    });
}

#[test]
fn sessions_come_from_the_control_state() {
    run(|fixture| async {
        let (kernel, _) = fixture.kernel().await;
        let id = fixture.session(kernel, "work/a.ipynb");
        let session = with_token(fixture, "GET", &format!("/api/sessions/{id}"), "")
            .await
            .body;
        assert_eq!(session["kernel"]["id"], kernel.to_string());
        assert_eq!(session["notebook"]["path"], "work/a.ipynb");
        let body = json!({"path": "work/a.ipynb", "type": "notebook"}).to_string();
        let same = with_token(fixture, "POST", "/api/sessions", &body).await;
        assert_eq!((same.status, &same.body["id"]), (201, &json!(id)));
        fixture.commit(Command::DeleteKernel { id: kernel });
        assert_eq!(
            with_token(fixture, "GET", &format!("/api/sessions/{id}"), "")
                .await
                .status,
            404
        );
    });
}

#[test]
fn events_tell_of_a_new_kernel() {
    run(|fixture| async {
        let mut stream = TcpStream::connect(fixture.address()).await.unwrap();
        let request = format!("GET /api/cluster/events?token={TOKEN} HTTP/1.1\r\nhost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        let mut chunk = [0; 4_096];
        while !text.contains("\r\n\r\n") {
            let count = stream.read(&mut chunk).await.unwrap();
            text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
        assert!(text.contains("text/event-stream"), "{text}");
        let (id, _) = fixture.kernel().await;
        let wanted = format!("\"kernel\":\"{id}\"");
        while !text.contains(&wanted) {
            let count = stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "the stream goes on");
            text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
        assert!(text.contains("event: kernel_created"), "{text}");
    });
}
