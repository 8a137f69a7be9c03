use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers each connection with the same bytes; gives the requests it saw.
async fn server(answer: &'static str) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"}") {
                let mut buffer = [0; 1024];
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend(&buffer[..read]);
            }
            let _ = sender.send(String::from_utf8(request).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, seen)
}

/// An address that nobody listens on.
async fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn sends_the_token_and_reads_json() {
    let (url, mut seen) = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"a\": 1} ").await;
    let client = Client::at(&format!("{url}/base/"), "secret").unwrap();
    assert_eq!(client.get("/api/x", SOON).await.unwrap()["a"], 1);
    let request = seen.recv().await.unwrap().to_lowercase();
    assert!(request.starts_with("get /base/api/x http/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: token secret\r\n"), "{request}");
}

#[tokio::test]
async fn reads_chunked_answers() {
    let (url, _seen) =
        server("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n").await;
    let client = Client::at(&url, "t").unwrap();
    assert_eq!(
        client.post("/x", &serde_json::json!({}), SOON).await.unwrap(),
        serde_json::json!([1, 2])
    );
}

#[tokio::test]
async fn the_next_gateway_is_tried_and_remembered() {
    let (url, _seen) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    let gone = dead().await;
    let client = Client::new([gone.as_str(), url.as_str()], "t").unwrap();
    client.get("/x", SOON).await.unwrap();
    assert_eq!(client.preferred.load(Ordering::Relaxed), 1);
    client.get("/x", SOON).await.unwrap();
}

#[tokio::test]
async fn all_gateways_gone() {
    let gone = [dead().await, dead().await];
    let client = Client::new(gone.iter().map(String::as_str), "t").unwrap();
    let error = client.get("/x", SOON).await.unwrap_err();
    assert_eq!(error.code(), "NB0132");
    assert!(error.to_string().contains(&gone[0]), "{error}");
}

#[tokio::test]
async fn refusals_show_the_servers_message() {
    let (url, _seen) =
        server("HTTP/1.1 404 Not Found\r\ncontent-length: 39\r\n\r\n{\"message\": \"Kernel does not exist: x\"}").await;
    let error = Client::at(&url, "t").unwrap().get("/x", SOON).await.unwrap_err();
    assert_eq!((error.code(), error.status()), ("NB0133", Some(404)));
    assert!(error.to_string().contains("Kernel does not exist: x"), "{error}");
}

#[tokio::test]
async fn a_silent_or_babbling_gateway_is_an_error() {
    let (silent, _seen) = server("").await;
    let error = Client::at(&silent, "t")
        .unwrap()
        .get("/x", Duration::from_millis(50))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "NB0132");
    let (babbling, _seen) = server("SSH-2.0-OpenSSH_9.2\r\n").await;
    let error = Client::at(&babbling, "t").unwrap().get("/x", SOON).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    let (html, _seen) = server("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>").await;
    let error = Client::at(&html, "t").unwrap().get("/x", SOON).await.unwrap_err();
    assert_eq!(error.code(), "NB0134");
}
