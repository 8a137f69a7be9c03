//! The world around three cores: a log, Python children, one gateway, and chance.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use nbos_mesh::NodeName;
use serde_json::json;

use crate::core::{
    Action, ChildCommand, ChildEvent, Core, Event, Liveness, Member, ProposalId, RawDelta, RawGroup, Ticket,
};
use crate::id::KernelId;
use crate::message::JupyterMessage;
use crate::protocol::{Channel, EventBody, KernelSpec, Origin, ReplicaReply, ReplicaRequest};
use crate::state::{Command, Executor, Payload};

const HOSTS: [&str; 3] = ["h1", "h2", "h3"];
const CELLS: usize = 8;
const FAULTY_STEPS: usize = 400;
const CALM_STEPS: usize = 6_000;

pub(super) struct World {
    seed: u64,
    chance: Chance,
    now: u64,
    kernel: KernelId,
    log: Vec<Arc<Command>>,
    nodes: Vec<Node>,
    proposals: VecDeque<(usize, ProposalId, Arc<Command>)>,
    /// Requests the gateway has not had a reply to, in order.
    pending: VecDeque<String>,
    /// `msg_id` → status of its reply.
    replies: BTreeMap<String, String>,
    order: Vec<String>,
    calm: bool,
    next_ticket: u64,
    handover: Option<usize>,
}

struct Node {
    core: Core,
    life: u64,
    applied: usize,
    up: bool,
    child: Option<Python>,
    inbox: VecDeque<ChildEvent>,
}

/// A Python process whose whole state is a list of names.
#[derive(Default)]
struct Python {
    list: Vec<String>,
    ready: bool,
}

struct Chance(u64);

impl Chance {
    /// xorshift64*: enough for schedules, and the same everywhere.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let kernel = KernelId::random();
        let nodes = (0..3).map(|index| Node::new(kernel, index, 0)).collect();
        let mut world = Self {
            seed,
            chance: Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            now: 1_000_000,
            kernel,
            log: Vec::new(),
            nodes,
            proposals: VecDeque::new(),
            pending: VecDeque::new(),
            replies: BTreeMap::new(),
            order: Vec::new(),
            calm: false,
            next_ticket: 0,
            handover: None,
        };
        world.tell_liveness();
        world
    }

    /// Runs one schedule; returns how many cells were acknowledged.
    pub(super) fn run(mut self) -> u64 {
        for _ in 0..FAULTY_STEPS {
            self.random_step();
        }
        self.calm_down();
        let mut steps = 0;
        while self.replies.len() < CELLS {
            self.random_step();
            steps += 1;
            assert!(
                steps < CALM_STEPS,
                "seed {}: no progress after faults stopped; pending {:?}\n{}",
                self.seed,
                self.pending,
                self.describe()
            );
        }
        self.settle();
        self.check();
        self.replies.values().filter(|status| *status == "ok").count() as u64
    }

    fn random_step(&mut self) {
        self.now += 5_000 + self.chance.next() % 20_000;
        let node = self.chance.below(3);
        match self.chance.below(if self.calm { 8 } else { 13 }) {
            0 => self.submit_something(),
            1 | 2 => self.commit_one(),
            3 | 4 => self.apply_one(node),
            5 | 6 => self.child_step(node),
            7 => self.tick(node),
            8 => self.lose_one(),
            9 if self.chance.one_in(6) => self.crash(node),
            10 => self.restart(node),
            11 if self.chance.one_in(4) => self.suspect(node),
            12 if self.chance.one_in(4) => self.ask_handover(node),
            _ => self.tell_liveness(),
        }
    }

    fn submit_something(&mut self) {
        let submitted = self.replies.len() + self.pending.len();
        if submitted < CELLS && (self.pending.len() < 2 || self.chance.one_in(3)) {
            let id = format!("cell-{submitted}");
            self.pending.push_back(id.clone());
            self.order.push(id);
        }
        // A gateway sends everything unanswered again, in order, to whomever it believes in: here, to anyone.
        let up: Vec<usize> = (0..3).filter(|node| self.nodes[*node].up).collect();
        if up.is_empty() {
            return;
        }
        let mut target = up[self.chance.below(up.len())];
        let origin = Origin {
            gateway: NodeName::from("g"),
            connection: 1,
        };
        for id in self.pending.clone() {
            let message = request_message(&id);
            for _ in 0..3 {
                let request = ReplicaRequest::Submit {
                    origin: origin.clone(),
                    channel: Channel::Shell,
                    message: message.clone(),
                };
                match self.ask(target, request) {
                    Some(ReplicaReply::Redirect { executor }) => {
                        target = HOSTS
                            .iter()
                            .position(|host| *host == executor.as_str())
                            .expect("a known host");
                        if !self.nodes[target].up {
                            return;
                        }
                    }
                    Some(ReplicaReply::Accepted) => break,
                    _ => return,
                }
            }
        }
    }

    fn ask(&mut self, node: usize, request: ReplicaRequest) -> Option<ReplicaReply> {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let answers = self.step(node, Event::Request { ticket, request });
        answers
            .into_iter()
            .find(|(answered, _)| *answered == ticket)
            .map(|(_, reply)| reply)
    }

    fn ask_handover(&mut self, node: usize) {
        if self.nodes[node].up {
            self.handover = Some(node);
            self.ask(node, ReplicaRequest::Handover);
        }
    }

    fn commit_one(&mut self) {
        if self.nodes.iter().filter(|node| node.up).count() < 2 || self.proposals.is_empty() {
            return;
        }
        let at = self.chance.below(self.proposals.len());
        if let Some((_, _, command)) = self.proposals.remove(at) {
            self.log.push(command);
        }
    }

    fn lose_one(&mut self) {
        if self.proposals.is_empty() {
            return;
        }
        let at = self.chance.below(self.proposals.len());
        let committed = self.chance.one_in(2) && self.nodes.iter().filter(|node| node.up).count() >= 2;
        if let Some((node, id, command)) = self.proposals.remove(at) {
            if committed {
                self.log.push(command);
            }
            if self.nodes[node].up {
                self.step(node, Event::ProposalFailed(id));
            }
        }
    }

    fn apply_one(&mut self, node: usize) {
        let applied = self.nodes[node].applied;
        if self.nodes[node].up && applied < self.log.len() {
            self.nodes[node].applied += 1;
            let command = Arc::clone(&self.log[applied]);
            if std::env::var("NBOS_TRACE").is_ok() {
                println!("{} applies {applied} {command:?}", HOSTS[node]);
            }
            self.step(node, Event::Applied(command));
        }
    }

    fn child_step(&mut self, node: usize) {
        if !self.nodes[node].up {
            return;
        }
        if let Some(python) = self.nodes[node].child.as_mut().filter(|python| !python.ready) {
            python.ready = true;
            self.step(node, Event::Child(ChildEvent::Ready { pid: 7 }));
        } else if let Some(event) = self.nodes[node].inbox.pop_front() {
            self.step(node, Event::Child(event));
        } else if !self.calm && self.chance.one_in(60) && self.nodes[node].child.take().is_some() {
            self.step(
                node,
                Event::Child(ChildEvent::Exited {
                    why: "killed".to_owned(),
                }),
            );
        }
    }

    fn tick(&mut self, node: usize) {
        let silent = self.nodes.iter().filter(|node| node.up).count() < 2;
        if self.nodes[node].up {
            self.step(
                node,
                Event::Tick {
                    quorum_silent_us: if silent { 2_000_000 } else { 0 },
                },
            );
        }
    }

    fn crash(&mut self, node: usize) {
        self.nodes[node].up = false;
        self.nodes[node].child = None;
        self.nodes[node].inbox.clear();
        self.proposals.retain(|(proposer, _, _)| *proposer != node);
        self.tell_liveness();
    }

    fn restart(&mut self, node: usize) {
        if !self.nodes[node].up {
            self.nodes[node] = Node::new(self.kernel, node, self.now);
            self.tell_liveness();
        }
    }

    /// Everyone else takes a living node for silent for a while: two executors may believe in themselves.
    fn suspect(&mut self, suspected: usize) {
        for node in (0..3).filter(|node| *node != suspected) {
            let mut liveness = self.liveness();
            liveness.insert(NodeName::from(HOSTS[suspected]), Liveness::Suspected);
            if self.nodes[node].up {
                self.step(node, Event::Peers(liveness));
            }
        }
    }

    fn tell_liveness(&mut self) {
        for node in 0..3 {
            if self.nodes[node].up {
                let liveness = self.liveness();
                self.step(node, Event::Peers(liveness));
            }
        }
    }

    fn liveness(&self) -> BTreeMap<NodeName, Liveness> {
        let of = |node: &Node| {
            if node.up {
                Liveness::Up { incarnation: node.life }
            } else {
                Liveness::Down
            }
        };
        HOSTS
            .iter()
            .zip(&self.nodes)
            .map(|(host, node)| (NodeName::from(*host), of(node)))
            .collect()
    }

    fn calm_down(&mut self) {
        for node in 0..3 {
            self.restart(node);
        }
        self.calm = true;
        self.tell_liveness();
    }

    /// Everything under way arrives.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.now += 50_000;
            self.commit_one();
            for node in 0..3 {
                self.apply_one(node);
                self.child_step(node);
                self.tick(node);
            }
        }
    }

    fn step(&mut self, node: usize, event: Event) -> Vec<(Ticket, ReplicaReply)> {
        let actions = self.nodes[node].core.step(self.now, event);
        let mut answers = Vec::new();
        for action in actions {
            match action {
                Action::Propose { id, command } if std::env::var("NBOS_TRACE").is_ok() => {
                    println!("{} proposes {command:?}", HOSTS[node]);
                    self.proposals.push_back((node, id, command));
                }
                Action::Propose { id, command } => self.proposals.push_back((node, id, command)),
                Action::Answer { ticket, reply } => answers.push((ticket, reply)),
                Action::Publish {
                    body: EventBody::Reply { message, .. },
                    ..
                } => self.reply_arrived(&message),
                Action::Child(command) => self.nodes[node].command(command),
                Action::Publish { .. }
                | Action::Subscribe { .. }
                | Action::Unsubscribe { .. }
                | Action::NewEpoch(_)
                | Action::Store { .. }
                | Action::Lease { .. }
                | Action::ReleaseLease => {}
            }
        }
        answers
    }

    fn reply_arrived(&mut self, message: &JupyterMessage) {
        let id = message.parent_fields().msg_id;
        let content: serde_json::Value = serde_json::from_slice(&message.content).expect("a reply is JSON");
        let status = content["status"].as_str().expect("a reply has a status").to_owned();
        self.pending.retain(|pending| *pending != id);
        if let Some(before) = self.replies.insert(id.clone(), status.clone()) {
            assert_eq!(before, status, "seed {}: two different replies to {id}", self.seed);
        }
    }

    fn check(&self) {
        let acknowledged: Vec<&String> = self
            .order
            .iter()
            .filter(|id| self.replies.get(*id).is_some_and(|status| status == "ok"))
            .collect();
        for (host, node) in HOSTS.iter().zip(&self.nodes) {
            let list = manifest_list(&node.core);
            let kept: Vec<&String> = list
                .iter()
                .filter(|id| self.replies.get(*id).is_some_and(|status| status == "ok"))
                .collect();
            let context = format!("seed {}, {host}: list {list:?}, replies {:?}", self.seed, self.replies);
            assert_eq!(kept.len(), list.len(), "a refused cell left a trace: {context}");
            assert_eq!(
                kept, acknowledged,
                "an acknowledged cell is lost, doubled or out of order: {context}"
            );
            if let Some(python) = node.child.as_ref().filter(|python| python.ready) {
                assert_eq!(python.list, list, "the child differs from the session: {context}");
            }
        }
    }

    fn describe(&self) -> String {
        let line = |node: &Node| {
            format!(
                "up {} applied {}/{} state {:?} running {:?}\n",
                node.up,
                node.applied,
                self.log.len(),
                node.core.info(),
                node.core.state().running()
            )
        };
        self.nodes.iter().map(line).collect::<String>() + &format!("proposals {:?}", self.proposals)
    }
}

impl Node {
    fn new(kernel: KernelId, index: usize, life: u64) -> Self {
        let members = HOSTS
            .iter()
            .zip(1..)
            .map(|(host, replica)| Member {
                replica,
                host: NodeName::from(*host),
            })
            .collect();
        let me = Executor {
            replica: index as u64 + 1,
            incarnation: life,
            life,
        };
        let core = Core::new(kernel, me, NodeName::from(HOSTS[index]), KernelSpec::default(), members);
        Self {
            core,
            life,
            applied: 0,
            up: true,
            child: None,
            inbox: VecDeque::new(),
        }
    }

    fn command(&mut self, command: ChildCommand) {
        match command {
            ChildCommand::Start => {
                self.child = Some(Python::default());
                self.inbox.clear();
            }
            ChildCommand::Kill => {
                self.child = None;
                self.inbox.clear();
            }
            ChildCommand::Interrupt => {}
            ChildCommand::Send { message, .. } => self.run_cell(&message),
            ChildCommand::Apply { id, groups, .. } => {
                if let (Some(python), Some(group)) = (self.child.as_mut(), groups.last()) {
                    python.list = list_of(&group.payload);
                }
                self.inbox.push_back(ChildEvent::Applied { id, failed: Vec::new() });
            }
        }
    }

    fn run_cell(&mut self, message: &JupyterMessage) {
        let Some(python) = self.child.as_mut() else {
            return;
        };
        let id = message.header_fields().expect("a header").msg_id;
        python.list.push(id.clone());
        let payload = Bytes::from(python.list.join(","));
        let group = RawGroup {
            key: "var:list".to_owned(),
            names: vec!["list".to_owned()],
            rank: 3,
            payload,
        };
        let delta = RawDelta {
            msg_id: id,
            groups: vec![group],
            execution_count: python.list.len() as u64,
            ..RawDelta::default()
        };
        let answer = |msg_type: &str, content: serde_json::Value| {
            JupyterMessage::build(
                &json!({"msg_id": "x", "msg_type": msg_type}),
                message.header.clone(),
                &content,
            )
        };
        self.inbox.push_back(ChildEvent::Delta(delta));
        let reply = answer("execute_reply", json!({"status": "ok"}));
        self.inbox.push_back(ChildEvent::Message {
            channel: Channel::Shell,
            message: reply,
        });
        let idle = answer("status", json!({"execution_state": "idle"}));
        self.inbox.push_back(ChildEvent::Message {
            channel: Channel::Iopub,
            message: idle,
        });
    }
}

fn request_message(id: &str) -> JupyterMessage {
    let header = json!({"msg_id": id, "msg_type": "execute_request", "session": "s"});
    JupyterMessage::build(
        &header,
        Bytes::from_static(b"{}"),
        &json!({"code": "", "stop_on_error": false}),
    )
}

fn list_of(payload: &Payload) -> Vec<String> {
    match payload {
        Payload::Inline(bytes) if bytes.is_empty() => Vec::new(),
        Payload::Inline(bytes) => String::from_utf8_lossy(bytes).split(',').map(str::to_owned).collect(),
        Payload::Stored { .. } => panic!("small payloads are inline"),
    }
}

fn manifest_list(core: &Core) -> Vec<String> {
    core.state()
        .manifest()
        .in_order()
        .first()
        .map(|group| list_of(&group.payload))
        .unwrap_or_default()
}
