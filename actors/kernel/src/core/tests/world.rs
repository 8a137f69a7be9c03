//! The world around three cores: a log, Python children, one gateway, and chance.

mod chance;
mod counts;
mod hosts;
mod node;
mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nbos_mesh::NodeName;
use nbos_objects::BlobId;

use chance::Chance;
pub(in crate::core::tests) use counts::Counts;
use hosts::{Call, Errand, What};
use node::Node;
use requests::{gpus_in, request_message};

use super::gpus::Gpus;
use super::python::WORDS;
use super::view::View;
use crate::core::{Action, ChildEvent, Event, Failure, Leftover, Liveness, ProposalId, Settings, Ticket};
use crate::id::KernelId;
use crate::message::JupyterMessage;
use crate::protocol::{Channel, EventBody, Origin, ReplicaReply, ReplicaRequest};
use crate::state::Command;

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
    gentle: bool,
    next_ticket: u64,
    handover: Option<usize>,
    /// `msg_id` → code.
    codes: BTreeMap<String, String>,
    contents: BTreeMap<BlobId, String>,
    /// Work that hosts have begun and not ended.
    errands: VecDeque<Errand>,
    /// Requests of one replica to another that wait for an answer.
    calls: BTreeMap<Ticket, Call>,
    settings: Settings,
    pub(super) counts: Counts,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let kernel = KernelId::random();
        let settings = Settings {
            defer_above: if seed.is_multiple_of(2) { 0 } else { 1_000 },
            // Longer than any schedule: nobody starves.
            gpu_wait: 1_000_000_000,
            leftover: if seed.is_multiple_of(3) {
                Leftover::Stays
            } else {
                Leftover::Respawns
            },
        };
        let nodes = (0..3).map(|index| Node::new(kernel, index, 0, settings)).collect();
        let mut world = Self {
            seed,
            chance: Chance::new(seed),
            now: 1_000_000,
            kernel,
            log: Vec::new(),
            nodes,
            proposals: VecDeque::new(),
            pending: VecDeque::new(),
            replies: BTreeMap::new(),
            order: Vec::new(),
            calm: false,
            gentle: false,
            next_ticket: 0,
            handover: None,
            codes: BTreeMap::new(),
            contents: BTreeMap::new(),
            errands: VecDeque::new(),
            calls: BTreeMap::new(),
            settings,
            counts: Counts::default(),
        };
        world.tell_liveness();
        world
    }

    /// No faults, only hand-overs: then not even what only a full pass finds may be lost.
    pub(super) fn run_gently(mut self) -> u64 {
        self.calm = true;
        self.gentle = true;
        for _ in 0..CALM_STEPS {
            self.random_step();
            if self.chance.one_in(100) {
                let node = self.chance.below(3);
                self.ask_handover(node);
            }
        }
        self.settle();
        self.check();
        let missed: Vec<&String> = self
            .order
            .iter()
            .filter(|id| self.codes[*id].contains("miss") && self.replies.get(*id).is_some_and(|status| status == "ok"))
            .collect();
        for node in &self.nodes {
            let hidden = View::of(node.core.state(), &self.contents).hidden;
            assert_eq!(
                hidden.iter().collect::<Vec<_>>(),
                missed,
                "seed {}: a hand-over lost a change",
                self.seed
            );
        }
        missed.len() as u64
    }

    /// Runs one schedule; returns what it met.
    pub(super) fn run(mut self) -> Counts {
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
        self.counts.acknowledged = self.replies.values().filter(|status| *status == "ok").count() as u64;
        self.counts
    }

    fn random_step(&mut self) {
        // What takes a hundred steps here takes a moment in real life.
        self.now += if self.gentle {
            1_000
        } else {
            5_000 + self.chance.next() % 20_000
        };
        let node = self.chance.below(3);
        match self.chance.below(if self.calm { 14 } else { 19 }) {
            0 => self.submit_something(),
            1 | 2 => self.commit_one(),
            3 | 4 => self.apply_one(node),
            5 | 6 => self.child_step(node),
            7 => self.tick(node),
            8 | 9 => self.run_errand(),
            10 => self.child_step(node),
            11 => self.scrub(node),
            12 => self.serve_gpus(node),
            13 => self.others_come_and_go(node),
            14 => self.lose_one(),
            15 if self.chance.one_in(6) => self.crash(node),
            16 => self.restart(node),
            17 if self.chance.one_in(4) => self.suspect(node),
            18 if self.chance.one_in(4) => self.ask_handover(node),
            _ => self.tell_liveness(),
        }
    }

    fn submit_something(&mut self) {
        let submitted = self.replies.len() + self.pending.len();
        if submitted < CELLS && (self.pending.len() < 2 || self.chance.one_in(3)) {
            let id = format!("cell-{submitted}");
            let mut words: Vec<&str> = WORDS.into_iter().filter(|_| self.chance.one_in(4)).collect();
            words.extend([None, Some("gpus=0"), Some("gpus=1"), Some("gpus=2")][self.chance.below(4)]);
            self.codes.insert(id.clone(), words.join(" "));
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
            let message = request_message(&id, &self.codes[&id]);
            for _ in 0..3 {
                let request = ReplicaRequest::Submit {
                    origin: origin.clone(),
                    channel: Channel::Shell,
                    message: message.clone(),
                };
                match self.ask(target, request) {
                    Some(ReplicaReply::Redirect { executor }) => {
                        target = position(&executor);
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
            let before = View::of(self.nodes[node].core.state(), &self.contents);
            self.step(node, Event::Applied(command));
            let after = View::of(self.nodes[node].core.state(), &self.contents);
            before.check_step(&after, &format!("seed {}, {} at {applied}", self.seed, HOSTS[node]));
            self.counts.scrubs += u64::from(after.hidden.len() > before.hidden.len());
            self.counts.large += u64::from(after.big != before.big);
        }
    }

    fn child_step(&mut self, node: usize) {
        if !self.nodes[node].up {
            return;
        }
        if let Some(python) = self.nodes[node].child.as_mut().filter(|python| !python.ready) {
            python.ready = true;
            self.step(node, Event::Child(ChildEvent::Ready { pid: 7 }));
            return;
        }
        let Some(python) = self.nodes[node].child.as_mut() else {
            return;
        };
        if let Some(event) = python.inbox.pop_front() {
            self.counts.needs += u64::from(matches!(event, ChildEvent::Need { .. }));
            self.counts.touched += u64::from(matches!(&event, ChildEvent::Touched { names, .. } if !names.is_empty()));
            return drop(self.step(node, Event::Child(event)));
        }
        let worked = python.work(&self.contents);
        for (chunk, content) in std::mem::take(&mut python.made) {
            self.contents.insert(chunk, content);
            self.nodes[node].chunks.insert(chunk);
        }
        if !worked && !self.calm && self.chance.one_in(60) && self.nodes[node].child.take().is_some() {
            self.step(
                node,
                Event::Child(ChildEvent::Exited {
                    why: "killed".to_owned(),
                }),
            );
        }
    }

    fn scrub(&mut self, node: usize) {
        if let Some(python) = self.nodes[node].child.as_mut().filter(|python| python.ready) {
            python.idle_scrub();
        }
    }

    /// The ledger looks at its line.
    fn serve_gpus(&mut self, node: usize) {
        self.nodes[node].gpus.expire(self.now);
        if let Some((msg_id, result)) = self.nodes[node].gpus.serve(self.now) {
            let result = result.map_err(|code| Failure {
                code: code.to_owned(),
                message: "no room".to_owned(),
            });
            self.step(node, Event::Leased { msg_id, result });
        }
    }

    fn others_come_and_go(&mut self, node: usize) {
        let most = self.nodes[node].gpus.others + self.nodes[node].gpus.free();
        self.nodes[node].gpus.others = self.chance.below(most as usize + 1) as u32;
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
        self.nodes[node].gpus = Gpus::default();
        let lost: Vec<Ticket> = self
            .calls
            .iter()
            .filter(|(_, call)| call.to == node)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in lost {
            self.answered(ticket, None);
        }
        self.proposals.retain(|(proposer, _, _)| *proposer != node);
        self.tell_liveness();
    }

    fn restart(&mut self, node: usize) {
        if !self.nodes[node].up {
            let chunks = std::mem::take(&mut self.nodes[node].chunks);
            self.nodes[node] = Node::new(self.kernel, node, self.now, self.settings);
            self.nodes[node].chunks = chunks;
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
        for _ in 0..400 {
            self.now += 50_000;
            self.commit_one();
            self.run_errand();
            for node in 0..3 {
                self.apply_one(node);
                self.child_step(node);
                self.scrub(node);
                self.tick(node);
                self.serve_gpus(node);
            }
        }
    }

    fn step(&mut self, node: usize, event: Event) -> Vec<(Ticket, ReplicaReply)> {
        let heard = traced().then(|| format!("{event:?}"));
        let actions = self.nodes[node].core.step(self.now, event);
        if let Some(heard) = heard {
            println!("{} {}: {heard}\n    {actions:?}", self.now, HOSTS[node]);
        }
        let mut answers = Vec::new();
        for action in actions {
            match action {
                Action::Propose { id, command } => self.proposals.push_back((node, id, command)),
                Action::Answer { ticket, reply } => answers.push((ticket, reply)),
                Action::Publish {
                    body: EventBody::Reply { message, .. },
                    ..
                } => self.reply_arrived(&message),
                Action::Child(command) => self.command(node, command),
                Action::Store { change, chunks, .. } => self.begin(node, What::Store { change, chunks }),
                Action::Fetch { key, chunks } => self.begin(node, What::Fetch { key, chunks }),
                Action::Pull(chunks) => self.begin(node, What::Pull(chunks)),
                Action::AskScrub { asked, host, .. } => self.ask_other(node, &host, ReplicaRequest::Scrub, asked),
                Action::AskMove { host, msg_id, lent } => {
                    self.ask_other(node, &host, ReplicaRequest::Take { msg_id, lent }, 0);
                }
                Action::AskRoom { host, room } => {
                    self.ask_other(node, &host, ReplicaRequest::Room(room), 0);
                }
                Action::LeaveRoom { host, election } => {
                    self.ask_other(node, &host, ReplicaRequest::LeaveRoom { election }, 0);
                }
                Action::AskPlace { host, election } => {
                    let place = self.nodes[position(&host)].gpus.place();
                    self.begin(
                        node,
                        What::Answer {
                            event: Event::Place { election, host, place },
                        },
                    );
                }
                Action::Lease {
                    msg_id,
                    gpus,
                    within,
                    on_condition,
                } => {
                    let now = self.now;
                    self.nodes[node].gpus.ask(now, msg_id, gpus, within, on_condition);
                }
                Action::LeaveLine => self.nodes[node].gpus.leave_line(),
                Action::ReleaseLease => self.nodes[node].gpus.release(),
                Action::ConfirmLease => {
                    if !self.nodes[node].gpus.confirm() {
                        self.begin(
                            node,
                            What::Answer {
                                event: Event::LeaseLost {
                                    why: "its time was over".to_owned(),
                                },
                            },
                        );
                    }
                }
                Action::Publish { .. }
                | Action::Forward { .. }
                | Action::StopStoring
                | Action::AskRelocation { .. }
                | Action::Subscribe { .. }
                | Action::Unsubscribe { .. }
                | Action::NewEpoch(_)
                | Action::ForwardInterrupt { .. } => {}
            }
        }
        for (ticket, reply) in &answers {
            self.answered(*ticket, Some(reply.clone()));
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
            assert!(
                node.gpus.is_idle(),
                "seed {}: GPUs stay lent or asked for on {host}",
                self.seed
            );
            let view = View::of(node.core.state(), &self.contents);
            let list = view.list.clone();
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
                view.check_child(python, &node.core, &context);
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

/// `NBOS_TRACE=1` shows all that happens.
fn traced() -> bool {
    std::env::var("NBOS_TRACE").is_ok()
}

fn position(host: &NodeName) -> usize {
    HOSTS
        .iter()
        .position(|known| *known == host.as_str())
        .expect("a known host")
}
