//! The core against a model of three replicas whose calls get lost, whose executors die and whose events go missing.

use std::collections::{BTreeMap, VecDeque};

use nbos_kernel::protocol::{CellOutput, Cursor};
use nbos_kernel::{Epoch, JupyterMessage, KernelId};
use proptest::prelude::*;

use super::super::super::event::Health;
use super::super::*;
use super::{CLIENT, child_of, host, limits, msg_id, request};

/// What happens next in the model.
#[derive(Clone, Debug)]
enum Happening {
    Execute,
    /// The oldest call in flight is carried out and answered.
    Answer,
    /// It is carried out and the answer is lost.
    LoseAnswer,
    /// It never arrives.
    LoseCall,
    /// The executor runs its next cell.
    Run,
    DeliverEvent,
    LoseEvent,
    /// The executor's process is replaced; its queue is lost, the log is not.
    KillExecutor,
    Later(u16),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        4 => Just(Happening::Execute),
        10 => Just(Happening::Answer),
        1 => Just(Happening::LoseAnswer),
        1 => Just(Happening::LoseCall),
        6 => Just(Happening::Run),
        12 => Just(Happening::DeliverEvent),
        1 => Just(Happening::LoseEvent),
        1 => Just(Happening::KillExecutor),
        3 => (1u16..400).prop_map(Happening::Later),
    ];
    prop::collection::vec(one, 0..250)
}

struct Model {
    core: Core,
    now: Millis,
    calls: VecDeque<Action>,
    events: VecDeque<KernelEvent>,
    incarnations: [u64; 3],
    executor: usize,
    epoch: u64,
    /// The executor's memory.
    queue: VecDeque<(Origin, JupyterMessage)>,
    /// Events of this epoch for this gateway, numbered from 1 when it subscribed.
    history: Vec<EventBody>,
    subscribed: bool,
    /// Cells in the order the log took them.
    log: Vec<String>,
    sent: Vec<String>,
    replies: BTreeMap<String, u32>,
    outputs: BTreeMap<String, Vec<u64>>,
    notices: u32,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut model = Self {
            core: Core::new(NodeName::from("gateway"), limits(), seed),
            now: 1_000,
            calls: VecDeque::new(),
            events: VecDeque::new(),
            incarnations: [1; 3],
            executor: 0,
            epoch: 1,
            queue: VecDeque::new(),
            history: Vec::new(),
            subscribed: false,
            log: Vec::new(),
            sent: Vec::new(),
            replies: BTreeMap::new(),
            outputs: BTreeMap::new(),
            notices: 0,
        };
        model.step(Event::Placed((0..3).map(host).collect()));
        model.step(Event::Peers(model.peers()));
        let (client, actions) = model.core.attach(model.now, "s", CLIENT, SocketId(1));
        assert_eq!(client, CLIENT);
        model.perform(actions);
        model
    }

    fn peers(&self) -> BTreeMap<NodeName, Health> {
        (0..3)
            .map(|index| {
                (
                    host(index),
                    Health::Up {
                        incarnation: self.incarnations[index],
                    },
                )
            })
            .collect()
    }

    fn step(&mut self, event: Event) {
        let actions = self.core.step(self.now, event);
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Submit { .. } | Action::Subscribe { .. } => self.calls.push_back(action),
                Action::Deliver {
                    channel: Channel::Iopub,
                    message,
                    ..
                } => {
                    let number = message.content.len() as u64;
                    self.outputs
                        .entry(message.parent_fields().msg_id)
                        .or_default()
                        .push(number);
                }
                Action::Deliver { message, .. } => {
                    *self.replies.entry(message.parent_fields().msg_id).or_default() += 1;
                }
                Action::Notice { .. } => self.notices += 1,
                Action::Unsubscribe { .. } | Action::Forget { .. } => {}
                Action::Fail { .. } | Action::CloseAll | Action::Stop => panic!("not in this model: {action:?}"),
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Execute => {
                let id = format!("m{}", self.sent.len());
                self.sent.push(id.clone());
                self.step(Event::FromClient {
                    client: CLIENT,
                    inbound: request(&id, "execute_request"),
                });
            }
            Happening::Answer => self.next_call(true, true),
            Happening::LoseAnswer => self.next_call(true, false),
            Happening::LoseCall => self.next_call(false, false),
            Happening::Run => self.run(),
            Happening::DeliverEvent => {
                if let Some(event) = self.events.pop_front() {
                    self.step(Event::FromKernel(event));
                }
            }
            Happening::LoseEvent => drop(self.events.pop_front()),
            Happening::KillExecutor => self.kill(),
            Happening::Later(millis) => {
                let until = self.now + Millis::from(millis);
                while let Some(at) = self.core.next_wake(self.now).filter(|at| *at <= until) {
                    self.now = at;
                    self.step(Event::Wake);
                }
                self.now = until;
            }
        }
    }

    fn next_call(&mut self, arrives: bool, answered: bool) {
        let Some(call) = self.calls.pop_front() else { return };
        match call {
            Action::Submit {
                ticket,
                host,
                origin,
                message,
                ..
            } => {
                let reply = arrives.then(|| self.on_submit(&host, origin, message));
                let answer = reply.filter(|_| answered).map_or(Answer::Lost, Answer::Reply);
                self.step(Event::Submitted { ticket, answer });
            }
            Action::Subscribe { ticket, host, seen, .. } => {
                let reply = arrives.then(|| self.on_subscribe(&host, seen));
                let answer = reply.filter(|_| answered).map_or(Answer::Lost, Answer::Reply);
                self.step(Event::Subscribed { ticket, answer });
            }
            _ => unreachable!("only calls are queued"),
        }
    }

    fn redirect(&self, to: &NodeName) -> Option<ReplicaReply> {
        (*to != host(self.executor)).then(|| ReplicaReply::Redirect {
            executor: host(self.executor),
        })
    }

    fn on_submit(&mut self, to: &NodeName, origin: Origin, message: JupyterMessage) -> ReplicaReply {
        if let Some(redirect) = self.redirect(to) {
            return redirect;
        }
        self.subscribed = true;
        if self.log.contains(&msg_id(&message)) {
            self.publish(&message);
            self.reply(origin, &message);
        } else if !self.queue.iter().any(|(_, queued)| queued.header == message.header) {
            self.queue.push_back((origin, message));
        }
        ReplicaReply::Accepted
    }

    fn on_subscribe(&mut self, to: &NodeName, seen: Option<Cursor>) -> ReplicaReply {
        if let Some(redirect) = self.redirect(to) {
            return redirect;
        }
        self.subscribed = true;
        if let Some(seen) = seen.filter(|seen| seen.epoch.0 == self.epoch) {
            for number in seen.number..self.history.len() as u64 {
                self.cast(number + 1);
            }
        }
        let status = if self.queue.is_empty() {
            ExecutionState::Idle
        } else {
            ExecutionState::Busy
        };
        ReplicaReply::Subscribed {
            epoch: Epoch(self.epoch),
            status,
        }
    }

    fn run(&mut self) {
        if let Some((origin, message)) = self.queue.pop_front() {
            self.log.push(msg_id(&message));
            self.publish(&message);
            self.reply(origin, &message);
        }
    }

    /// Two outputs a cell, told apart by the length of their content.
    fn publish(&mut self, request: &JupyterMessage) {
        for number in 1..=2_u64 {
            let mut message = child_of(request, "stream");
            message.content = Bytes::from(vec![b'x'; number as usize]);
            let cell = Some(CellOutput {
                msg_id: msg_id(request),
                number,
            });
            self.emit(EventBody::Iopub { cell, message });
        }
    }

    fn reply(&mut self, origin: Origin, request: &JupyterMessage) {
        let message = child_of(request, "execute_reply");
        self.emit(EventBody::Reply {
            origin,
            channel: Channel::Shell,
            message,
        });
    }

    fn emit(&mut self, body: EventBody) {
        if self.subscribed {
            self.history.push(body);
            self.cast(self.history.len() as u64);
        }
    }

    fn cast(&mut self, number: u64) {
        let body = self.history[number as usize - 1].clone();
        let cursor = Cursor {
            epoch: Epoch(self.epoch),
            number,
        };
        self.events.push_back(KernelEvent {
            kernel: KernelId::random(),
            host: host(self.executor),
            cursor,
            body,
        });
    }

    fn kill(&mut self) {
        self.incarnations[self.executor] += 1;
        // The mesh fences by incarnation: what was under way to the old process never reaches the new one.
        let dead = host(self.executor);
        self.calls.retain(
            |call| !matches!(call, Action::Submit { host, .. } | Action::Subscribe { host, .. } if *host == dead),
        );
        self.executor = (self.executor + 1) % 3;
        self.epoch += 1;
        self.queue.clear();
        self.history.clear();
        self.subscribed = false;
        self.step(Event::Peers(self.peers()));
    }

    /// No more faults: everything in flight arrives, time passes.
    fn calm(&mut self) {
        for _ in 0..400 {
            while !self.calls.is_empty() {
                self.happen(Happening::Answer);
            }
            self.happen(Happening::Run);
            while !self.events.is_empty() {
                self.happen(Happening::DeliverEvent);
            }
            self.happen(Happening::Later(100));
        }
    }
}

proptest! {
    #[test]
    fn every_cell_runs_once_in_order_and_is_answered_once(seed in any::<u64>(), happenings in happenings()) {
        let mut model = Model::new(seed);
        for happening in happenings {
            model.happen(happening);
            let calls = model.calls.iter().filter(|call| matches!(call, Action::Submit { .. })).count();
            // A call given up because its host was lost may still be under way.
            prop_assert!(calls <= 1 + model.incarnations.iter().sum::<u64>() as usize - 3);
        }
        model.calm();
        prop_assert_eq!(&model.log, &model.sent, "the log has every cell once, in the order sent");
        for id in &model.sent {
            prop_assert_eq!(model.replies.get(id), Some(&1), "replies to {}", id);
        }
        for (id, numbers) in &model.outputs {
            prop_assert!(numbers.is_sorted_by(|a, b| a < b), "outputs of {}: {:?}", id, numbers);
        }
    }

    #[test]
    fn without_lost_events_no_output_is_missing_and_nothing_is_announced(
        seed in any::<u64>(),
        happenings in happenings(),
    ) {
        let mut model = Model::new(seed);
        let harmless = |happening: &Happening| !matches!(happening, Happening::LoseEvent | Happening::KillExecutor);
        happenings.into_iter().filter(harmless).for_each(|happening| model.happen(happening));
        model.calm();
        prop_assert_eq!(model.notices, 0);
        for id in &model.sent {
            prop_assert_eq!(model.outputs.get(id), Some(&vec![1, 2]), "outputs of {}", id);
        }
    }
}
