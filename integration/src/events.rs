//! The cluster's events, as `GET /api/cluster/events` sends them.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::{LONG, SHORT, within};

/// A listener at one gateway.
#[derive(Debug)]
pub struct Events {
    stream: TcpStream,
    /// Read and not looked at yet.
    text: String,
}

impl Events {
    /// Hears of everything from now on.
    pub(crate) async fn listen(address: &str, token: &str) -> Self {
        let request =
            format!("GET /api/cluster/events HTTP/1.1\r\nhost: {address}\r\nauthorization: token {token}\r\n\r\n");
        let connected = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(request.as_bytes()).await?;
            Ok::<_, std::io::Error>(stream)
        };
        let stream = within("events are asked for", SHORT, connected)
            .await
            .expect("the gateway listens");
        let mut events = Self {
            stream,
            text: String::new(),
        };
        within("events begin", SHORT, events.past("\r\n\r\n")).await;
        events
    }

    /// The data of the next event of this name; earlier ones of other names are passed over.
    pub async fn next(&mut self, name: &str) -> Value {
        let wanted = format!("event: {name}\ndata: ");
        within(&format!("event {name}"), LONG, self.past(&wanted)).await;
        let line = within("the event's data", SHORT, self.past("\n")).await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in the data of {name}: {line}"))
    }

    /// Reads on until after this text; gives what was before it.
    async fn past(&mut self, mark: &str) -> String {
        loop {
            if let Some(at) = self.text.find(mark) {
                let rest = self.text.split_off(at + mark.len());
                let mut before = std::mem::replace(&mut self.text, rest);
                before.truncate(at);
                return before;
            }
            let mut chunk = [0; 4_096];
            let count = self.stream.read(&mut chunk).await.expect("the stream can be read");
            assert!(count > 0, "the events end before {mark:?} in {:?}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    }
}
