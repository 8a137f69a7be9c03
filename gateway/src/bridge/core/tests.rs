//! What the core does in single situations; `model` throws everything at it.

mod model;

use std::collections::BTreeMap;

use nbos_kernel::protocol::Cursor;
use nbos_kernel::{Epoch, HeaderFields, JupyterMessage, KernelId};
use serde_json::json;

use super::super::event::Health;
use super::*;

const HOSTS: [&str; 3] = ["h1", "h2", "h3"];
const CLIENT: ClientId = ClientId(7);

fn host(index: usize) -> NodeName {
    NodeName::from(HOSTS[index])
}

fn limits() -> Limits {
    Limits {
        max_pending: 100,
        max_pending_bytes: 1 << 20,
        patience: 60_000,
        kept: 120_000,
    }
}

fn request(msg_id: &str, msg_type: &str) -> Inbound {
    let fields = HeaderFields {
        msg_id: msg_id.to_owned(),
        msg_type: msg_type.to_owned(),
        session: "s".to_owned(),
    };
    let header = json!({"msg_id": msg_id, "msg_type": msg_type, "session": "s"});
    let message = JupyterMessage::build(&header, Bytes::from_static(b"{}"), &json!({"code": msg_id}));
    Inbound {
        channel: Channel::Shell,
        fields,
        message,
    }
}

fn child_of(parent: &JupyterMessage, msg_type: &str) -> JupyterMessage {
    JupyterMessage::build(
        &json!({"msg_id": "r", "msg_type": msg_type}),
        parent.header.clone(),
        &json!({}),
    )
}

fn msg_id(message: &JupyterMessage) -> String {
    message.header_fields().unwrap().msg_id
}

fn submits(actions: &[Action]) -> Vec<(Ticket, NodeName, String)> {
    let submit = |action: &Action| match action {
        Action::Submit {
            ticket, host, message, ..
        } => Some((*ticket, host.clone(), msg_id(message))),
        _ => None,
    };
    actions.iter().filter_map(submit).collect()
}

fn subscribe(actions: &[Action]) -> Option<(Ticket, NodeName)> {
    actions.iter().find_map(|action| match action {
        Action::Subscribe { ticket, host, .. } => Some((*ticket, host.clone())),
        _ => None,
    })
}

fn all_up() -> BTreeMap<NodeName, Health> {
    (0..3)
        .map(|index| (host(index), Health::Up { incarnation: 1 }))
        .collect()
}

/// A bridge that is subscribed at `h1`, epoch 1, idle, with one client.
fn subscribed() -> Core {
    let mut core = Core::new(NodeName::from("gateway"), limits(), 3);
    core.step(0, Event::Placed((0..3).map(host).collect()));
    core.step(0, Event::Peers(all_up()));
    let (_, actions) = core.attach(0, "s", CLIENT, SocketId(1));
    let (ticket, at) = subscribe(&actions).unwrap();
    assert_eq!(at, host(0));
    core.step(
        0,
        Event::Subscribed {
            ticket,
            answer: hello(1),
        },
    );
    core
}

fn hello(epoch: u64) -> Answer {
    Answer::Reply(ReplicaReply::Subscribed {
        epoch: Epoch(epoch),
        status: ExecutionState::Busy,
    })
}

fn send(core: &mut Core, now: Millis, id: &str, msg_type: &str) -> Vec<Action> {
    core.step(
        now,
        Event::FromClient {
            client: CLIENT,
            inbound: request(id, msg_type),
        },
    )
}

#[test]
fn a_message_is_submitted_in_the_step_that_brings_it() {
    let mut core = subscribed();
    assert_eq!(submits(&send(&mut core, 1, "a", "execute_request")).len(), 1);
    assert!(
        submits(&send(&mut core, 1, "b", "execute_request")).is_empty(),
        "one call in flight"
    );
}

#[test]
fn when_the_executor_dies_a_standby_is_sent_the_unanswered_cell_at_once() {
    let mut core = subscribed();
    let (ticket, ..) = submits(&send(&mut core, 1, "a", "execute_request")).remove(0);
    core.step(
        2,
        Event::Submitted {
            ticket,
            answer: Answer::Reply(ReplicaReply::Accepted),
        },
    );
    let mut peers = all_up();
    peers.insert(host(0), Health::Down);
    let actions = core.step(50, Event::Peers(peers));
    let (ticket, at) = subscribe(&actions).unwrap();
    assert_eq!(at, host(1));
    let redirect = Answer::Reply(ReplicaReply::Redirect { executor: host(0) });
    let actions = core.step(
        51,
        Event::Subscribed {
            ticket,
            answer: redirect.clone(),
        },
    );
    let (ticket, at, id) = submits(&actions).remove(0);
    assert_eq!(
        (at, id.as_str()),
        (host(1), "a"),
        "the cell makes the standby take over"
    );
    // It still believes in the dead executor: the other one is asked, then there is a short pause.
    let actions = core.step(
        52,
        Event::Submitted {
            ticket,
            answer: redirect.clone(),
        },
    );
    let (ticket, at) = subscribe(&actions).unwrap();
    assert_eq!(at, host(2));
    let (ticket, ..) = submits(&core.step(
        53,
        Event::Subscribed {
            ticket,
            answer: redirect.clone(),
        },
    ))
    .remove(0);
    core.step(
        54,
        Event::Submitted {
            ticket,
            answer: redirect,
        },
    );
    let wake = core.next_wake(54).unwrap();
    assert!((54 + PAUSE.0..=54 + PAUSE.1).contains(&wake), "asks again at {wake}");
}

#[test]
fn a_cell_that_nobody_takes_ends_with_an_error() {
    let mut core = Core::new(NodeName::from("gateway"), limits(), 3);
    core.step(0, Event::Placed((0..3).map(host).collect()));
    let (_, mut actions) = core.attach(0, "s", CLIENT, SocketId(1));
    let mut now = 0;
    actions.extend(send(&mut core, now, "a", "execute_request"));
    let mut failed = Vec::new();
    while failed.is_empty() && now < 100_000 {
        for action in std::mem::take(&mut actions) {
            match action {
                Action::Subscribe { ticket, .. } => {
                    actions.extend(core.step(
                        now,
                        Event::Subscribed {
                            ticket,
                            answer: Answer::Lost,
                        },
                    ));
                }
                Action::Fail { failure, .. } => failed.push((now, failure)),
                other => panic!("unexpected {other:?}"),
            }
        }
        if actions.is_empty() {
            now = core.next_wake(now).unwrap();
            actions = core.step(now, Event::Wake);
        }
    }
    assert_eq!(failed, [(limits().patience, Failure::Unreachable)]);
}

#[test]
fn a_comm_message_is_never_sent_twice_and_a_question_is() {
    let mut core = subscribed();
    let (ticket, ..) = submits(&send(&mut core, 1, "c", "comm_msg")).remove(0);
    core.step(
        2,
        Event::Submitted {
            ticket,
            answer: Answer::Lost,
        },
    );
    assert!(!core.pending.has_waiting());
    let mut core = subscribed();
    let (ticket, ..) = submits(&send(&mut core, 1, "q", "kernel_info_request")).remove(0);
    core.step(
        2,
        Event::Submitted {
            ticket,
            answer: Answer::Lost,
        },
    );
    assert!(core.pending.has_waiting());
    let mut core = subscribed();
    let (ticket, ..) = submits(&send(&mut core, 1, "c", "comm_msg")).remove(0);
    core.step(
        2,
        Event::Submitted {
            ticket,
            answer: Answer::Absent,
        },
    );
    assert!(core.pending.has_waiting(), "nobody was there to carry it out");
}

#[test]
fn control_overtakes_waiting_cells() {
    let mut core = subscribed();
    let (ticket, ..) = submits(&send(&mut core, 1, "a", "execute_request")).remove(0);
    send(&mut core, 1, "b", "execute_request");
    let mut interrupt = request("i", "interrupt_request");
    interrupt.channel = Channel::Control;
    core.step(
        1,
        Event::FromClient {
            client: CLIENT,
            inbound: interrupt,
        },
    );
    let actions = core.step(
        2,
        Event::Submitted {
            ticket,
            answer: Answer::Reply(ReplicaReply::Accepted),
        },
    );
    assert_eq!(submits(&actions).remove(0).2, "i");
}

#[test]
fn a_client_that_comes_back_with_its_session_is_the_same_client() {
    let mut core = subscribed();
    core.step(
        5,
        Event::Detach {
            client: CLIENT,
            socket: SocketId(1),
        },
    );
    let (client, _) = core.attach(6, "s", ClientId(8), SocketId(2));
    assert_eq!(client, CLIENT);
    core.step(
        7,
        Event::Detach {
            client: CLIENT,
            socket: SocketId(1),
        },
    );
    assert_eq!(
        core.clients.connected(),
        1,
        "the end of a replaced socket changes nothing"
    );
    core.step(
        8,
        Event::Detach {
            client: CLIENT,
            socket: SocketId(2),
        },
    );
    let actions = core.step(8 + limits().kept, Event::Wake);
    assert!(matches!(
        actions.as_slice(),
        [Action::Forget { .. }, Action::Unsubscribe { .. }, Action::Stop]
    ));
}

#[test]
fn a_bridge_outlives_its_clients_while_a_cell_is_unanswered() {
    let mut core = subscribed();
    let (ticket, ..) = submits(&send(&mut core, 1, "a", "execute_request")).remove(0);
    core.step(
        2,
        Event::Submitted {
            ticket,
            answer: Answer::Reply(ReplicaReply::Accepted),
        },
    );
    core.step(
        3,
        Event::Detach {
            client: CLIENT,
            socket: SocketId(1),
        },
    );
    let actions = core.step(3 + limits().kept, Event::Wake);
    assert!(actions.iter().all(|action| !matches!(action, Action::Stop)));
    let origin = Origin {
        gateway: NodeName::from("gateway"),
        connection: CLIENT.0,
    };
    let message = child_of(&request("a", "execute_request").message, "execute_reply");
    let body = EventBody::Reply {
        origin,
        channel: Channel::Shell,
        message,
    };
    let cursor = Cursor {
        epoch: Epoch(1),
        number: 1,
    };
    let event = KernelEvent {
        kernel: KernelId::random(),
        host: host(0),
        cursor,
        body,
    };
    let actions = core.step(200_000, Event::FromKernel(event));
    assert!(matches!(actions.last(), Some(Action::Stop)));
}

#[test]
fn after_a_restart_nothing_old_is_sent_again_but_its_reply_passes() {
    let mut core = subscribed();
    let (ticket, ..) = submits(&send(&mut core, 1, "a", "execute_request")).remove(0);
    core.step(
        2,
        Event::Submitted {
            ticket,
            answer: Answer::Reply(ReplicaReply::Accepted),
        },
    );
    core.step(3, Event::Restarted);
    let mut peers = all_up();
    peers.insert(host(0), Health::Up { incarnation: 2 });
    assert!(submits(&core.step(4, Event::Peers(peers))).is_empty());
    assert!(core.pending.answered(CLIENT, "a").is_some());
}
