//! What the shells of three hosts do: storing, fetching, calls to each other, orders to processes. Each takes its time or fails.

use nbos_mesh::NodeName;
use nbos_objects::BlobId;

use super::{HOSTS, World, gpus_in, position};
use crate::core::tests::python::Python;
use crate::core::{Arrival, ChildCommand, ChildEvent, Event, Failure, FetchFailure, Leftover, Ticket};
use crate::protocol::{ReplicaReply, ReplicaRequest};
use crate::state::Group;

/// Of a node in one life.
pub(super) struct Errand {
    node: usize,
    life: u64,
    what: What,
}

pub(super) enum What {
    Store {
        change: Arrival,
        chunks: Vec<BlobId>,
    },
    Fetch {
        key: String,
        chunks: Vec<BlobId>,
    },
    Pull(Vec<BlobId>),
    Ask {
        host: usize,
        request: ReplicaRequest,
        asked: u64,
    },
    Answer {
        event: Event,
    },
}

pub(super) struct Call {
    node: usize,
    life: u64,
    pub(super) to: usize,
    request: ReplicaRequest,
    asked: u64,
}

impl World {
    /// One of the things that hosts have begun comes to its end.
    pub(super) fn run_errand(&mut self) {
        if self.errands.is_empty() {
            return;
        }
        let at = self.chance.below(self.errands.len());
        let Some(Errand { node, life, what }) = self.errands.remove(at) else {
            return;
        };
        if !self.nodes[node].up || self.nodes[node].life != life {
            return;
        }
        match what {
            What::Store { change, chunks } => self.store(node, change, chunks),
            What::Fetch { key, chunks } => {
                let result = if self.bring(node, &chunks) {
                    Ok(())
                } else if self.nodes.iter().all(|node| node.up) {
                    Err(FetchFailure::Nowhere("no host has it".to_owned()))
                } else {
                    Err(FetchFailure::Later)
                };
                self.step(node, Event::Fetched { key, result });
            }
            What::Pull(chunks) => drop(self.bring(node, &chunks)),
            What::Ask { host, request, asked } => self.call(node, host, request, asked),
            What::Answer { event } => drop(self.step(node, event)),
        }
    }

    fn store(&mut self, node: usize, change: Arrival, chunks: Vec<BlobId>) {
        let failure = Failure {
            code: "NB0802".to_owned(),
            message: "full".to_owned(),
        };
        let peer = (0..3).find(|peer| *peer != node && self.nodes[*peer].up);
        let life = self.nodes[node].life;
        match peer {
            Some(_) if !self.calm && self.chance.one_in(5) => {
                self.counts.not_stored += 1;
                self.step(
                    node,
                    Event::Stored {
                        change,
                        result: Err(failure),
                    },
                );
            }
            Some(peer) if self.calm || !self.chance.one_in(3) => {
                self.nodes[peer].chunks.extend(chunks);
                self.step(node, Event::Stored { change, result: Ok(()) });
            }
            _ => {
                self.errands.push_back(Errand {
                    node,
                    life,
                    what: What::Store { change, chunks },
                });
                self.step(node, Event::StoreWaits { change, failure });
            }
        }
    }

    /// Copies chunks from whoever has them; whether all are there then.
    fn bring(&mut self, node: usize, chunks: &[BlobId]) -> bool {
        for chunk in chunks {
            if self.nodes.iter().any(|node| node.up && node.chunks.contains(chunk)) {
                self.nodes[node].chunks.insert(*chunk);
            }
        }
        chunks.iter().all(|chunk| self.nodes[node].chunks.contains(chunk))
    }

    fn call(&mut self, node: usize, to: usize, request: ReplicaRequest, asked: u64) {
        let life = self.nodes[node].life;
        let reachable = self.nodes[to].up && (self.calm || !self.chance.one_in(10));
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        let call = Call {
            node,
            life,
            to,
            request: request.clone(),
            asked,
        };
        self.calls.insert(ticket, call);
        if reachable {
            self.step(to, Event::Request { ticket, request });
        } else {
            self.answered(ticket, None);
        }
    }

    pub(super) fn answered(&mut self, ticket: Ticket, reply: Option<ReplicaReply>) {
        let Some(call) = self.calls.remove(&ticket) else {
            return;
        };
        let event = match call.request {
            ReplicaRequest::Scrub => Event::Scrubbed {
                asked: call.asked,
                version: match reply {
                    Some(ReplicaReply::Scrubbed { version }) => Some(version),
                    _ => None,
                },
            },
            ReplicaRequest::Take { msg_id, lent } => {
                let done = matches!(reply, Some(ReplicaReply::Done));
                self.counts.moved += u64::from(done && lent.is_none());
                self.counts.elected += u64::from(done && lent.is_some());
                Event::Moved { msg_id, done }
            }
            ReplicaRequest::Room(room) => Event::Room {
                election: room.election,
                host: NodeName::from(HOSTS[call.to]),
                result: match reply {
                    Some(ReplicaReply::Done) => Ok(()),
                    Some(ReplicaReply::Refused { code, message }) => Err(Failure { code, message }),
                    _ => Err(Failure {
                        code: "NB0413".to_owned(),
                        message: "silent".to_owned(),
                    }),
                },
            },
            _ => return,
        };
        self.errands.push_back(Errand {
            node: call.node,
            life: call.life,
            what: What::Answer { event },
        });
    }

    pub(super) fn begin(&mut self, node: usize, what: What) {
        let life = self.nodes[node].life;
        self.errands.push_back(Errand { node, life, what });
    }

    pub(super) fn ask_other(&mut self, node: usize, host: &NodeName, request: ReplicaRequest, asked: u64) {
        let host = position(host);
        self.begin(node, What::Ask { host, request, asked });
    }

    /// What the shell does with an order for the child.
    pub(super) fn command(&mut self, node: usize, command: ChildCommand) {
        match command {
            ChildCommand::Start => self.nodes[node].child = Some(Python::default()),
            ChildCommand::Kill => {
                let left = self.nodes[node].child.take().is_some_and(|python| python.left);
                self.counts.respawned += u64::from(left);
            }
            ChildCommand::Interrupt => {}
            ChildCommand::Apply(mut apply) => {
                let chunks = &self.nodes[node].chunks;
                let here = |group: &Group| group.chunks().all(|chunk| chunks.contains(chunk));
                let (groups, left): (Vec<Group>, Vec<Group>) = apply.groups.into_iter().partition(here);
                apply.groups = groups;
                let event = ChildEvent::Applying {
                    id: apply.id,
                    left: left.iter().map(|group| group.key.clone()).collect(),
                };
                apply.deferred.extend(left);
                if let Some(python) = self.nodes[node].child.as_mut() {
                    python.inbox.push_back(event);
                    python.order(ChildCommand::Apply(apply));
                }
            }
            ChildCommand::Send { channel, message } => {
                let content: serde_json::Value = serde_json::from_slice(&message.content).expect("a request is JSON");
                let code = content["code"].as_str().unwrap_or_default();
                let needs = gpus_in(code);
                let held = self.nodes[node].gpus.held();
                self.counts.without += u64::from(held == 0 && !code.contains("gpus="));
                let left = self.nodes[node].child.as_ref().is_some_and(|python| python.left);
                let pinned = self.nodes[node].core.state().pinned();
                let pins = pinned.iter().any(|pinned| pinned.home == HOSTS[node]);
                assert!(
                    !left || pins || self.settings.leftover == Leftover::Stays,
                    "seed {}: a cell runs in a process that left memory on a GPU",
                    self.seed
                );
                assert!(
                    held >= needs,
                    "seed {}: a cell runs on {held} GPUs and needs {needs}",
                    self.seed
                );
                if let Some(python) = self.nodes[node].child.as_mut() {
                    python.order(ChildCommand::Send { channel, message });
                }
            }
            command => {
                if let Some(python) = self.nodes[node].child.as_mut() {
                    python.order(command);
                }
            }
        }
    }
}
