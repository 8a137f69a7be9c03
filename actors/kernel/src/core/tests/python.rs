//! A Python process as the model sees it: a few variables, captured, scrubbed, applied and left for later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use nbos_objects::BlobId;
use serde_json::json;

use crate::core::event::LeftOnDevice;
use crate::core::{Apply, Captured, ChildCommand, ChildEvent, GpuUse, RawDelta, RawPinned, Released};
use crate::message::JupyterMessage;
use crate::protocol::{Channel, Pinned};
use crate::state::{Buffer, Group};

/// Small, changed by every cell.
pub(super) const LIST: &str = "var:list";
/// Changed behind the capture's back: only a full pass finds it.
pub(super) const HIDDEN: &str = "var:hidden";
/// What the cell saw: how many hidden changes its process had reported, and the large value.
pub(super) const SEEN: &str = "var:seen";
/// One large buffer.
pub(super) const BIG: &str = "var:big";

/// Words in a cell's code.
pub(super) const WORDS: [&str; 8] = [
    "miss",
    "make-big",
    "use-big",
    "pin",
    "touch",
    "leave",
    "gives-back",
    "gpu-free",
];

#[derive(Default)]
pub(super) struct Python {
    pub(super) ready: bool,
    pub(super) list: Vec<String>,
    hidden: Vec<String>,
    /// The hidden changes that it has reported or was told of.
    pub(super) reported: Vec<String>,
    pub(super) big: Option<String>,
    pub(super) arriving: BTreeSet<String>,
    /// It made the pinned object itself.
    live_pin: bool,
    /// It left memory on a GPU.
    pub(super) left: bool,
    pins: Vec<Pinned>,
    tasks: VecDeque<ChildCommand>,
    /// A cell that waits for what it needs.
    waiting: Option<JupyterMessage>,
    needs: u64,
    pub(super) inbox: VecDeque<ChildEvent>,
    /// Chunks that it made, with their content.
    pub(super) made: Vec<(BlobId, String)>,
}

impl Python {
    pub(super) fn order(&mut self, command: ChildCommand) {
        // Answered by a thread of its own.
        if let ChildCommand::Touches { id, code, of } = &command {
            let names = if code.contains("touch") { of.clone() } else { Vec::new() };
            let may = !code.contains("gpu-free");
            let gpu = GpuUse { may, why: None };
            return self.inbox.push_back(ChildEvent::Touched { id: *id, names, gpu });
        }
        self.tasks.push_back(command);
    }

    /// Does one thing, if there is one it can do now.
    pub(super) fn work(&mut self, contents: &BTreeMap<BlobId, String>) -> bool {
        let position = if self.waiting.is_some() {
            self.tasks
                .iter()
                .position(|task| matches!(task, ChildCommand::Apply(apply) if apply.need.is_some()))
        } else {
            (!self.tasks.is_empty()).then_some(0)
        };
        let Some(task) = position.and_then(|position| self.tasks.remove(position)) else {
            return false;
        };
        match task {
            ChildCommand::Apply(apply) => self.apply(&apply, contents),
            ChildCommand::Send { message, .. } => self.begin_cell(message),
            ChildCommand::Scrub { id } => self.scrub(Some(id)),
            ChildCommand::Start | ChildCommand::Kill | ChildCommand::Interrupt | ChildCommand::Touches { .. } => {}
        }
        true
    }

    /// A full pass while idle: reports only what was missed.
    pub(super) fn idle_scrub(&mut self) {
        if self.tasks.is_empty() && self.waiting.is_none() && self.hidden != self.reported {
            self.scrub(None);
        }
    }

    fn scrub(&mut self, order: Option<u64>) {
        let mut groups = Vec::new();
        if self.hidden != self.reported {
            self.reported.clone_from(&self.hidden);
            groups.push(small(HIDDEN, &self.hidden.join(",")));
        }
        let delta = self.delta(Captured::Scrub { order }, groups);
        self.inbox.push_back(ChildEvent::Delta(delta));
    }

    fn apply(&mut self, apply: &Apply, contents: &BTreeMap<BlobId, String>) {
        for group in &apply.groups {
            match group.key.as_str() {
                LIST => self.list = words(group),
                HIDDEN => {
                    self.hidden = words(group);
                    self.reported.clone_from(&self.hidden);
                }
                BIG => {
                    let chunk = group.chunks().next().expect("one chunk");
                    self.big = Some(contents[chunk].clone());
                }
                _ => {}
            }
            self.arriving.remove(&group.key);
        }
        assert!(
            apply.failed.is_empty(),
            "nothing is ever nowhere here: {:?}",
            apply.failed
        );
        for group in &apply.deferred {
            self.big = None;
            self.arriving.insert(group.key.clone());
        }
        self.pins.clone_from(&apply.pinned);
        self.inbox.push_back(ChildEvent::Applied {
            id: apply.id,
            failed: Vec::new(),
        });
        if self.arriving.is_empty()
            && let Some(message) = self.waiting.take()
        {
            self.run_cell(&message);
        }
    }

    fn begin_cell(&mut self, message: JupyterMessage) {
        if code_of(&message).contains("use-big") && !self.arriving.is_empty() {
            self.needs += 1;
            self.inbox.push_back(ChildEvent::Need {
                id: self.needs,
                keys: self.arriving.iter().cloned().collect(),
            });
            self.waiting = Some(message);
        } else {
            self.run_cell(&message);
        }
    }

    fn run_cell(&mut self, message: &JupyterMessage) {
        let code = code_of(message);
        let id = message.header_fields().expect("a header").msg_id;
        let touches_in_vain = code.contains("touch") && !self.pins.is_empty() && !self.live_pin;
        let mut groups = Vec::new();
        if !touches_in_vain {
            self.list.push(id.clone());
            let saw = if code.contains("use-big") {
                self.big.clone().unwrap_or_else(|| "none".to_owned())
            } else {
                "-".to_owned()
            };
            groups.push(small(LIST, &self.list.join(",")));
            groups.push(small(SEEN, &format!("{},{saw}", self.reported.len())));
            if code.contains("make-big") {
                groups.push(self.make_big(&id));
            }
            if code.contains("pin") {
                self.live_pin = true;
                self.pins.clear();
            }
            if code.contains("miss") {
                self.hidden.push(id.clone());
            }
        }
        if code.contains("leave") || code.contains("gives-back") {
            self.left |= code.contains("leave");
            let left = LeftOnDevice {
                index: 0,
                bytes: 1 << 20,
                why: "a graph".to_owned(),
            };
            self.inbox.push_back(ChildEvent::Released(Released {
                msg_id: id.clone(),
                took_us: 1,
                left: if self.left { vec![left] } else { Vec::new() },
            }));
        }
        let delta = self.delta(Captured::Cell { msg_id: id }, groups);
        self.inbox.push_back(ChildEvent::Delta(delta));
        let status = if touches_in_vain { "error" } else { "ok" };
        self.say(message, Channel::Shell, "execute_reply", &json!({"status": status}));
        self.say(message, Channel::Iopub, "status", &json!({"execution_state": "idle"}));
    }

    fn make_big(&mut self, id: &str) -> Group {
        self.big = Some(id.to_owned());
        self.arriving.clear();
        let chunk = BlobId::of(id.as_bytes());
        self.made.push((chunk, id.to_owned()));
        self.inbox.push_back(ChildEvent::Chunk(chunk));
        let mut group = small(BIG, "");
        group.buffers.push(Buffer {
            size: 100,
            chunks: vec![chunk],
        });
        group
    }

    fn delta(&self, of: Captured, groups: Vec<Group>) -> RawDelta {
        let own = self.live_pin.then(|| RawPinned {
            name: "pin".to_owned(),
            type_name: "generator".to_owned(),
            why: "it runs".to_owned(),
            home: None,
            cell: None,
        });
        let inherited = self.pins.iter().filter(|_| !self.live_pin).map(|pin| RawPinned {
            name: pin.name.clone(),
            type_name: pin.type_name.clone(),
            why: pin.why.clone(),
            home: Some(pin.home.clone()),
            cell: Some(pin.cell),
        });
        RawDelta {
            of,
            groups,
            deleted: Vec::new(),
            pinned: own.into_iter().chain(inherited).collect(),
            execution_count: self.list.len() as u64,
        }
    }

    fn say(&mut self, parent: &JupyterMessage, channel: Channel, msg_type: &str, content: &serde_json::Value) {
        let header = json!({"msg_id": "x", "msg_type": msg_type});
        let message = JupyterMessage::build(&header, parent.header.clone(), content);
        self.inbox.push_back(ChildEvent::Message { channel, message });
    }
}

fn small(key: &str, text: &str) -> Group {
    Group {
        key: key.to_owned(),
        names: vec![key.trim_start_matches("var:").to_owned()],
        rank: 3,
        inline: Bytes::from(text.to_owned()),
        buffers: Vec::new(),
    }
}

pub(super) fn words(group: &Group) -> Vec<String> {
    let text = String::from_utf8_lossy(&group.inline);
    text.split(',')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn code_of(message: &JupyterMessage) -> String {
    let content: serde_json::Value = serde_json::from_slice(&message.content).expect("JSON");
    content["code"].as_str().unwrap_or_default().to_owned()
}
