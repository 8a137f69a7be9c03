//! The node's side: a mesh with a few endpoints, driven by lines on standard input.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nbos_mesh::{Delivery, Fault, Mesh, MeshOptions, NodeName, Options, PeerState, Responder, Secret, Tls, codec};
use nbos_supervision::{Options as SupervisorOptions, Supervisor, Tree};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::node::NODE;

/// Becomes a node if this process was started as one.
pub(crate) fn run() {
    let Ok(plan) = std::env::var(NODE) else { return };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(serve(&plan));
    // The harness must not add its own lines.
    std::process::exit(0);
}

fn say(line: &str) {
    println!("\n@{line}");
}

async fn serve(plan: &str) {
    let mut parts = plan.split('|');
    let mut next = || parts.next().unwrap().to_owned();
    let (name, secret, addresses, tls) = (next(), next(), next(), next());
    let mut peers: BTreeMap<NodeName, SocketAddr> = addresses
        .split(',')
        .map(|entry| entry.split_once('=').unwrap())
        .map(|(name, address)| (NodeName::from(name), address.parse().unwrap()))
        .collect();
    let local = NodeName::from(name.as_str());
    let listen = peers.remove(&local).unwrap();
    let tls = (!tls.is_empty()).then(|| Tls {
        cert: format!("{tls}/{name}.pem").into(),
        key: format!("{tls}/{name}.key").into(),
        ca: format!("{tls}/ca.pem").into(),
        server_name: "nbos".to_owned(),
    });
    let options = Options {
        tls,
        ..Options::default()
    };
    let tree = Tree::new(&name);
    let root = Supervisor::start(&tree, None, "", SupervisorOptions::one_for_one())
        .await
        .unwrap();
    let start = MeshOptions {
        local,
        listen,
        peers,
        secret: Secret::new(secret.into_bytes()),
        options,
    };
    let mesh = match Mesh::start(start, &tree, &root).await {
        Ok(mesh) => mesh,
        Err(error) => return say(&format!("ready {} {error}", error.code())),
    };
    let (endpoint, _) = Actor::spawn(None, Endpoint(Kind::Echo), ()).await.unwrap();
    mesh.register("echo", endpoint.get_derived());
    let (endpoint, _) = Actor::spawn(None, Endpoint(Kind::Count), ()).await.unwrap();
    mesh.register("count", endpoint.get_derived());
    let (endpoint, _) = Actor::spawn(None, Endpoint(Kind::Refuse), ()).await.unwrap();
    mesh.register("refuse", endpoint.get_derived());
    let (endpoint, _) = Actor::spawn(None, Endpoint(Kind::Silent), ()).await.unwrap();
    mesh.register("silent", endpoint.get_derived());
    let (endpoint, _) = Actor::spawn(None, Endpoint(Kind::Hold), ()).await.unwrap();
    mesh.register("hold", endpoint.get_derived());
    let (endpoint, _) = Actor::spawn(None, Endpoint(Kind::Ended), ()).await.unwrap();
    mesh.register("ended", endpoint.get_derived());
    endpoint.stop_and_wait(None, None).await.unwrap();
    tokio::spawn(report(mesh.clone()));
    say("ready");

    let (sender, mut commands) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    while let Some(command) = commands.recv().await {
        if let Some(command) = command.strip_prefix("later ").map(str::to_owned) {
            let (mesh, tree) = (mesh.clone(), tree.clone());
            tokio::spawn(async move { say(&format!("later {}", obey(&mesh, &tree, &command).await)) });
            continue;
        }
        let answer = obey(&mesh, &tree, &command).await;
        say(&format!("answer {answer}"));
    }
}

async fn report(mesh: Mesh) {
    let mut changes = mesh.subscribe();
    let mut last = BTreeMap::new();
    loop {
        let now = changes.borrow_and_update().clone();
        for (node, status) in now.iter() {
            if last.insert(node.clone(), status.state) != Some(status.state) {
                say(&match status.state {
                    PeerState::Up { incarnation } => format!("state {node} up {incarnation}"),
                    PeerState::Suspected => format!("state {node} suspected"),
                    PeerState::Down => format!("state {node} down"),
                });
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// `later` before a command does not wait for its end. `call NODE PATH BYTES MS`, `cast NODE PATH COUNT BYTES`, `time NODE COUNT`, `restart PATH`, `set NAME=ADDRESS,…`.
async fn obey(mesh: &Mesh, tree: &Tree, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let number = |at: usize| words[at].parse::<usize>().unwrap();
    match words[0] {
        "call" => {
            let body = pattern(number(3));
            let within = Duration::from_millis(number(4) as u64);
            let before = Instant::now();
            match mesh.call(&words[1].into(), words[2], body.clone(), within).await {
                Ok(answer) => format!("ok {} {}", answer.len(), answer == body),
                Err(error) => format!("{} {} {error}", error.code(), before.elapsed().as_millis()),
            }
        }
        "cast" => {
            let (mut busy, mut other) = (0, String::new());
            for index in 0..number(3) {
                let body = codec::encode(&(index as u64, pattern(number(4)))).unwrap();
                match mesh.cast(&words[1].into(), words[2], body) {
                    Ok(()) => {}
                    Err(nbos_mesh::Error::Busy(_)) => busy += 1,
                    Err(error) => other = error.code().to_owned(),
                }
            }
            format!("busy {busy} {other}")
        }
        "time" => {
            let mut times = Vec::new();
            for _ in 0..number(2) {
                let before = Instant::now();
                mesh.call(&words[1].into(), "echo", pattern(100), Duration::from_secs(5))
                    .await
                    .unwrap();
                times.push(before.elapsed().as_micros());
            }
            times.sort_unstable();
            format!("p50 {} p99 {}", times[times.len() / 2], times[times.len() * 99 / 100])
        }
        "set" => {
            let entries = words[1].split(',').filter_map(|entry| entry.split_once('='));
            mesh.set_peers(
                entries
                    .map(|(name, address)| (name.into(), address.parse().unwrap()))
                    .collect(),
            );
            "ok".to_owned()
        }
        "restart" => match tree.restart(words[1]).await {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        },
        other => format!("what is {other}?"),
    }
}

fn pattern(size: usize) -> Bytes {
    let period: Vec<u8> = (0..251).collect();
    let mut bytes = period.repeat(size / period.len() + 1);
    bytes.truncate(size);
    bytes.into()
}

enum Kind {
    /// Answers with the body.
    Echo,
    /// Checks that numbered casts come in order. An empty call is answered with how many came, how many out of
    /// order, and how many other calls there were.
    Count,
    /// Answers with a fault.
    Refuse,
    /// Drops the responder.
    Silent,
    /// Never answers.
    Hold,
    /// Is stopped before anybody calls.
    Ended,
}

struct Endpoint(Kind);

struct Message(Delivery);
impl ractor::Message for Message {}

impl From<Delivery> for Message {
    fn from(delivery: Delivery) -> Self {
        Self(delivery)
    }
}

impl From<Message> for Delivery {
    fn from(message: Message) -> Self {
        message.0
    }
}

#[derive(Default)]
struct Counted {
    count: u64,
    next: u64,
    disorder: u64,
    calls: u64,
    held: Vec<Responder>,
}

impl Actor for Endpoint {
    type Msg = Message;
    type State = Counted;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<Counted, ActorProcessingErr> {
        Ok(Counted::default())
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        Message(delivery): Message,
        state: &mut Counted,
    ) -> Result<(), ActorProcessingErr> {
        match (&self.0, delivery.reply) {
            (Kind::Echo, Some(reply)) => reply.send(Ok(delivery.body)),
            (Kind::Refuse, Some(reply)) => reply.send(Err(Fault::new("NB9999", "not today"))),
            (Kind::Silent | Kind::Ended, Some(reply)) => drop(reply),
            (Kind::Hold, Some(reply)) => state.held.push(reply),
            (Kind::Count, Some(reply)) if delivery.body.is_empty() => {
                let text = format!("{} {} {}", state.count, state.disorder, state.calls);
                reply.send(Err(Fault::new("NB9998", text)));
            }
            (Kind::Count, Some(reply)) => {
                state.calls += 1;
                reply.send(Ok(Bytes::new()));
            }
            (Kind::Count, None) => {
                let (index, body): (u64, Bytes) = codec::decode(&delivery.body)?;
                assert_eq!(body, pattern(body.len()));
                state.count += 1;
                state.disorder += u64::from(index < state.next);
                state.next = index + 1;
            }
            (Kind::Echo | Kind::Refuse | Kind::Silent | Kind::Hold | Kind::Ended, None) => {}
        }
        Ok(())
    }
}
