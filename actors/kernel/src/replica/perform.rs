//! Performs the core's actions. Nothing here decides; whatever takes time runs beside the actor and comes back as an event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nbos_gpu::{LeaseRequest, Terms};
use nbos_mesh::{NodeName, codec};
use serde_json::{Value, json};

use nbos_supervision::Status;

use super::actor::{State, now};
use super::message::Message;
use crate::child::{self, Given, Incarnation, Order, Start};
use crate::core::{Action, Apply, ChildCommand, ChildEvent, Event, Failure, Micros, ProposalId, Recipients};
use crate::protocol::{
    Channel, Cursor, EventBody, GATEWAY_PATH, KernelEvent, Place, RELOCATE_PATH, Relocate, ReplicaReply,
    ReplicaRequest, replica_path, to_bytes,
};
use crate::state::Command;

/// After this a proposal's fate counts as unknown and it is made again.
const PROPOSE_WITHIN: Duration = Duration::from_secs(2);

/// Above this an event is not cast: a cast takes its whole size from the link's budget at once.
const CAST_BYTES: usize = 512 << 10;

/// The largest event over a slow link.
const LARGE_WITHIN: Duration = Duration::from_secs(30);

/// Three times within the ledger's term of ten seconds.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// Another replica answers at once, or after the time that it was given.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Above the deadline of a hand-over at the other replica.
const MOVE_WITHIN: Duration = Duration::from_secs(34);

impl State {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Propose { id, command } => self.propose(id, &command),
            Action::Answer { ticket, reply } => self.answer(ticket.0, &reply),
            Action::Subscribe {
                ticket,
                gateway,
                connections,
                seen,
            } => {
                self.outbox.subscribe(now(), &gateway, Some(connections), seen);
                let reply = ReplicaReply::Subscribed {
                    epoch: self.outbox.epoch(),
                    status: self.core.execution_state(),
                };
                self.answer(ticket.0, &reply);
            }
            Action::Unsubscribe { gateway } => self.outbox.unsubscribe(&gateway),
            Action::Publish {
                to: Recipients::Subscribers,
                body,
            } => self.outbox.publish(&body),
            Action::Publish {
                to: Recipients::One(gateway),
                body,
            } => self.outbox.publish_to(now(), &gateway, body),
            Action::NewEpoch(epoch) => self.outbox.new_epoch(epoch),
            Action::Child(command) => self.command_child(command),
            Action::Store { change, chunks, bytes } => self.store(change, chunks, bytes),
            Action::StopStoring => {
                if let Some(storing) = self.storing.take() {
                    storing.abort();
                    self.chunks.forget_progress();
                }
            }
            Action::Fetch { key, chunks } => {
                let (here, myself) = (self.chunks.clone(), self.myself.clone());
                tokio::spawn(async move {
                    let result = here.fetch(&chunks).await;
                    let _ = myself.cast(Message::Event(Event::Fetched { key, result }));
                });
            }
            Action::Pull(chunks) => self.chunks.pull(chunks),
            Action::AskScrub { asked, host, within } => {
                let within = Duration::from_micros(within) + ANSWER_WITHIN;
                self.ask(host, &ReplicaRequest::Scrub, within, move |reply| Event::Scrubbed {
                    asked,
                    version: match reply {
                        Some(ReplicaReply::Scrubbed { version }) => Some(version),
                        _ => None,
                    },
                });
            }
            Action::AskMove { host, msg_id, lent } => {
                let request = ReplicaRequest::Take {
                    msg_id: msg_id.clone(),
                    lent,
                };
                self.ask(host, &request, MOVE_WITHIN, move |reply| Event::Moved {
                    msg_id,
                    done: matches!(reply, Some(ReplicaReply::Done)),
                });
            }
            Action::Forward { host, origin, message } => {
                let request = ReplicaRequest::Submit {
                    origin,
                    channel: Channel::Shell,
                    message,
                };
                // Should this fail, its gateway sends it again.
                self.tell(host, &request);
            }
            // Should this fail, its client interrupts again.
            Action::ForwardInterrupt { host } => self.tell(host, &ReplicaRequest::Interrupt),
            Action::AskRoom { host, room } => {
                let (election, within) = (room.election, Duration::from_micros(room.within_us) + ANSWER_WITHIN);
                self.ask(host.clone(), &ReplicaRequest::Room(room), within, move |reply| {
                    let failure = |code: &str, message: &str| {
                        Err(Failure {
                            code: code.to_owned(),
                            message: message.to_owned(),
                        })
                    };
                    Event::Room {
                        election,
                        host,
                        result: match reply {
                            Some(ReplicaReply::Done) => Ok(()),
                            Some(ReplicaReply::Refused { code, message }) => failure(&code, &message),
                            _ => failure("NB0413", "the replica did not answer"),
                        },
                    }
                });
            }
            Action::AskPlace { host, election } if host == *self.around.mesh.local() => {
                let (place, myself) = (self.place(), self.myself.clone());
                tokio::spawn(async move {
                    let place = place.await;
                    let _ = myself.cast(Message::Event(Event::Place { election, host, place }));
                });
            }
            Action::AskPlace { host, election } => {
                self.ask(host.clone(), &ReplicaRequest::Place, ANSWER_WITHIN, move |reply| {
                    let place = match reply {
                        Some(ReplicaReply::Place(place)) => place,
                        _ => None,
                    };
                    Event::Place { election, host, place }
                });
            }
            Action::AskRelocation { gpus, waited } => self.ask_relocation(gpus, waited),
            // Should this fail, what is held there ends by itself.
            Action::LeaveRoom { host, election } => self.tell(host, &ReplicaRequest::LeaveRoom { election }),
            Action::Lease {
                msg_id,
                gpus,
                within,
                on_condition,
            } => self.lease(msg_id, gpus, within, on_condition),
            Action::LeaveLine => {
                if let Some((_, waiting)) = self.leasing.take() {
                    waiting.abort();
                }
            }
            Action::ConfirmLease => self.confirm_lease(),
            Action::ReleaseLease => {
                if let Some(lease) = self.lease.take() {
                    self.account.given_back();
                    self.release(lease.id);
                }
            }
        }
    }

    /// Where a cell of this kernel stands in this host's line.
    pub(super) fn place(&self) -> impl Future<Output = Option<Place>> + use<> {
        let (gpus, holder) = (self.around.gpus.clone(), self.identity.kernel.to_string());
        async move {
            let place = gpus.place(&holder).await.ok()??;
            Some(Place {
                position: place.position,
                waiting: place.waiting,
                reason: reason(&place),
            })
        }
    }

    /// Whoever leads them acts on it; it is told again if none does.
    fn ask_relocation(&self, gpus: u32, waited_us: Micros) {
        let relocate = to_bytes(&Relocate {
            kernel: self.identity.kernel,
            gpus,
            vram: self.identity.spec.vram,
            waited_us,
        });
        for node in &self.around.control {
            if let Err(error) = self.around.mesh.cast(node, RELOCATE_PATH, relocate.clone()) {
                tracing::debug!(%error, %node, "a control node does not hear of a cell without room");
            }
        }
    }

    fn store(&mut self, change: crate::core::Arrival, ids: Vec<nbos_objects::BlobId>, bytes: u64) {
        let (here, myself) = (self.chunks.clone(), self.myself.clone());
        let storing = tokio::spawn(async move {
            let waits = |failure| {
                let _ = myself.cast(Message::Event(Event::StoreWaits { change, failure }));
            };
            let result = here.settle(&ids, bytes, waits).await;
            let _ = myself.cast(Message::Event(Event::Stored { change, result }));
        });
        if let Some(before) = self.storing.replace(storing) {
            before.abort();
        }
    }

    /// Asks another replica of this kernel; what comes of it is an event.
    fn ask(
        &self,
        host: NodeName,
        request: &ReplicaRequest,
        within: Duration,
        event: impl FnOnce(Option<ReplicaReply>) -> Event + Send + 'static,
    ) {
        let (mesh, myself) = (self.around.mesh.clone(), self.myself.clone());
        let (path, body) = (replica_path(self.identity.kernel), to_bytes(request));
        tokio::spawn(async move {
            let reply = match mesh.call(&host, &path, body, within).await {
                Ok(reply) => codec::decode(&reply).ok(),
                Err(error) => {
                    tracing::info!(%error, %host, "a replica did not answer");
                    None
                }
            };
            let _ = myself.cast(Message::Event(event(reply)));
        });
    }

    /// Tells a replica something without waiting for what it says.
    fn tell(&self, host: NodeName, request: &ReplicaRequest) {
        let (mesh, path) = (self.around.mesh.clone(), replica_path(self.identity.kernel));
        let body = to_bytes(request);
        tokio::spawn(async move { mesh.call(&host, &path, body, ANSWER_WITHIN).await });
    }

    /// Hands numbered events to the mesh, in order; what it will not take now is tried again.
    pub(super) fn flush_outbox(&mut self) {
        for gateway in self.outbox.gateways() {
            while let Some((cursor, body)) = self.outbox.pending(&gateway) {
                if self.outbox_large.contains(&gateway) {
                    break;
                }
                let event = KernelEvent {
                    kernel: self.identity.kernel,
                    host: self.around.mesh.local().clone(),
                    cursor,
                    body,
                };
                let event = to_bytes(&event);
                if event.len() > CAST_BYTES {
                    self.send_large(gateway.clone(), cursor, event);
                    break;
                }
                if self.around.mesh.cast(&gateway, GATEWAY_PATH, event).is_err() {
                    self.outbox_stalled = true;
                    break;
                }
                self.outbox.sent(&gateway, cursor);
            }
        }
    }

    /// A large event goes as a call, which the mesh cuts in pieces; what follows waits for it.
    fn send_large(&mut self, gateway: NodeName, cursor: Cursor, event: Bytes) {
        self.outbox_large.insert(gateway.clone());
        let mesh = self.around.mesh.clone();
        let myself = self.myself.clone();
        tokio::spawn(async move {
            let sent = mesh.call(&gateway, GATEWAY_PATH, event, LARGE_WITHIN).await.map(drop);
            let _ = myself.cast(Message::LargeSent { gateway, cursor, sent });
        });
    }

    pub(super) fn large_sent(&mut self, gateway: &NodeName, cursor: Cursor, sent: Result<(), nbos_mesh::Error>) {
        self.outbox_large.remove(gateway);
        match sent {
            Ok(()) => self.outbox.sent(gateway, cursor),
            // Nothing will ever carry it.
            Err(nbos_mesh::Error::TooLarge { .. }) => {
                self.outbox.sent(gateway, cursor);
                self.outbox
                    .publish_to(now(), gateway, EventBody::Gap { upto: cursor.number });
            }
            Err(_) => self.outbox_stalled = true,
        }
        self.flush_outbox();
    }

    /// A link has room again, or may have.
    pub(super) fn outbox_retry(&mut self) {
        if std::mem::take(&mut self.outbox_stalled) {
            self.flush_outbox();
        }
    }

    fn answer(&mut self, ticket: u64, reply: &ReplicaReply) {
        if let Some(responder) = self.tickets.remove(&ticket) {
            responder.send(Ok(to_bytes(reply)));
        }
    }

    fn propose(&self, id: ProposalId, command: &Arc<Command>) {
        let body = to_bytes(&**command);
        let group = self.group.clone();
        let myself = self.myself.clone();
        let kernel = self.identity.kernel;
        tokio::spawn(async move {
            if let Err(error) = group.propose(body, PROPOSE_WITHIN).await {
                tracing::debug!(%error, %kernel, "proposal not confirmed");
                let _ = myself.cast(Message::Event(Event::ProposalFailed(id)));
            }
        });
    }

    fn command_child(&mut self, command: ChildCommand) {
        match command {
            ChildCommand::Start => self.start_child(),
            ChildCommand::Kill => {
                if let Some(child) = self.child.take() {
                    child.kill();
                    self.note_python(
                        Status::Restarting,
                        Some("ended on purpose: it did not hold the session's state"),
                    );
                }
            }
            ChildCommand::Interrupt => {
                if let Some(child) = &self.child {
                    child.interrupt();
                }
            }
            ChildCommand::Send { channel, mut message } => {
                if channel == Channel::Shell && is_cell(&message) {
                    if self.lease.is_none() {
                        self.account.clear();
                    }
                    self.name_devices(&mut message);
                }
                self.send_to_child(channel, message);
            }
            ChildCommand::Apply(apply) => self.apply(*apply),
            ChildCommand::Scrub { id } => self.order(Order::Scrub { id }),
            ChildCommand::Touches { id, code, of } => self.order(Order::Touches { id, code, of }),
        }
    }

    /// Makes the chunks local, as far as that goes in the time given, and hands the change to the child.
    fn apply(&self, mut apply: Apply) {
        let Some(child) = &self.child else {
            return;
        };
        let (orders, incarnation) = (child.orders(), child.incarnation);
        let (here, myself) = (self.chunks.clone(), self.myself.clone());
        tokio::spawn(async move {
            let patience = Duration::from_micros(apply.patience);
            let (groups, left) = here.local(std::mem::take(&mut apply.groups), patience).await;
            apply.groups = groups;
            let event = ChildEvent::Applying {
                id: apply.id,
                left: left.iter().map(|group| group.key.clone()).collect(),
            };
            apply.deferred.extend(left);
            let _ = myself.cast(Message::Child(child::Flow {
                incarnation,
                event,
                permit: None,
            }));
            // A closed channel means that the process is gone, which its own event tells.
            let _ = orders.send(Order::Apply(Box::new(apply))).await;
        });
    }

    fn order(&self, order: Order) {
        if let Some(child) = &self.child {
            let orders = child.orders();
            tokio::spawn(async move { orders.send(order).await });
        }
    }

    fn send_to_child(&mut self, channel: Channel, message: crate::message::JupyterMessage) {
        let Some(child) = &self.child else {
            return;
        };
        if !child.send(channel, message) {
            // A thousand unread messages: the process does not read any more.
            tracing::warn!(kernel = %self.identity.kernel, channel = channel.name(), "python process does not take messages, ending it");
            child.kill();
        }
    }

    /// Tells the cell which GPUs are lent to it, in its request's metadata. Only this replica may say so: what a client wrote
    /// there goes.
    fn name_devices(&self, message: &mut crate::message::JupyterMessage) {
        let mut metadata = serde_json::from_slice::<Value>(&message.metadata).unwrap_or_default();
        let Some(lease) = &self.lease else {
            let nbos = metadata.get_mut("nbos").and_then(Value::as_object_mut);
            if nbos.is_some_and(|nbos| nbos.remove("devices").is_some()) {
                message.metadata = metadata.to_string().into();
            }
            return;
        };
        if !metadata.is_object() {
            metadata = json!({});
        }
        if !metadata["nbos"].is_object() {
            metadata["nbos"] = json!({});
        }
        metadata["nbos"]["devices"] = lease
            .devices
            .iter()
            .map(|device| json!({"index": device.index, "uuid": device.uuid, "simulated": device.path}))
            .collect();
        message.metadata = metadata.to_string().into();
    }

    fn start_child(&mut self) {
        self.next_child += 1;
        let incarnation = Incarnation(self.next_child);
        let spec = &self.identity.spec;
        let asked = spec
            .env
            .get("KERNEL_WORKING_DIR")
            .or(spec.path.as_ref())
            .map(std::path::PathBuf::from);
        let start = Start {
            incarnation,
            warm: self.around.warm.clone(),
            given: Given {
                env: spec.env.clone(),
                cwd: asked
                    .filter(|path| path.is_dir())
                    .or_else(|| self.around.options.working_dir.clone()),
            },
            chunks: self.chunks.clone(),
        };
        let myself = self.myself.clone();
        let sink: child::Sink = Arc::new(move |flow| {
            let _ = myself.cast(Message::Child(flow));
        });
        self.note_python(Status::Starting, None);
        self.child = Some(child::spawn(start, sink));
    }

    fn lease(&mut self, msg_id: String, count: u32, within: Micros, on_condition: bool) {
        let gpus = self.around.gpus.clone();
        let myself = self.myself.clone();
        let request = LeaseRequest {
            holder: self.identity.kernel.to_string(),
            user: self.identity.spec.user().to_owned(),
            epoch: self.core.state().epoch().0,
            count,
            memory: self.identity.spec.vram,
            within: Duration::from_micros(within),
            terms: if on_condition { Terms::Conditional } else { Terms::Firm },
        };
        self.account.asked();
        self.lease_asked += 1;
        let asked = self.lease_asked;
        let waiting = tokio::spawn(async move {
            let lease = gpus.lease(request).await;
            let granted = lease.as_ref().ok().map(|lease| lease.id);
            let told = myself.cast(Message::Leased { asked, msg_id, lease });
            if let (Some(id), Err(_)) = (granted, told) {
                // The replica has ended: nobody else knows of it.
                let _ = gpus.release(id).await;
            }
        });
        if let Some((_, before)) = self.leasing.replace((asked, waiting)) {
            before.abort();
        }
    }

    pub(super) fn release(&self, lease: nbos_gpu::LeaseId) {
        let gpus = self.around.gpus.clone();
        tokio::spawn(async move { gpus.release(lease).await });
    }

    /// What was lent on condition is wanted.
    fn confirm_lease(&mut self) {
        if let Some(past) = Instant::now().checked_sub(RENEW_EVERY) {
            self.lease_renewed = past;
        }
        self.renew_lease();
    }

    /// The running cell keeps its GPUs as long as it runs.
    pub(super) fn renew_lease(&mut self) {
        let Some(lease) = &self.lease else {
            return;
        };
        if self.lease_renewed.elapsed() < RENEW_EVERY {
            return;
        }
        self.lease_renewed = Instant::now();
        let id = lease.id;
        let gpus = self.around.gpus.clone();
        let myself = self.myself.clone();
        tokio::spawn(async move {
            if let Err(error @ nbos_gpu::Error::Refused(_)) = gpus.renew(id).await {
                tracing::warn!(%error, lease = %id, "gpu lease lost");
                let _ = myself.cast(Message::LeaseLost(id, error));
            }
        });
    }

    /// While user code runs, the guard ends it when this node falls silent.
    pub(super) fn update_guard(&mut self) {
        let runs = self.core.runs_cell();
        if runs == self.guarded {
            return;
        }
        self.guarded = runs;
        if let Some(pid) = self.child.as_ref().and_then(child::ChildHandle::pid) {
            let guard = self.around.guard.clone();
            tokio::spawn(async move {
                if runs {
                    guard.arm(pid).await
                } else {
                    guard.disarm(pid).await
                }
            });
        }
    }

    /// What a lease request came to.
    pub(super) fn leased(&mut self, asked: u64, msg_id: String, lease: Result<nbos_gpu::Lease, nbos_gpu::Error>) {
        if self.leasing.take_if(|(current, _)| *current == asked).is_none() {
            // Nobody waits for it any more: it was granted as the line was left.
            if let Ok(lease) = lease {
                self.release(lease.id);
            }
            return;
        }
        let result = match lease {
            Ok(lease) => {
                self.account.lent(lease.devices.len());
                if let Some(before) = self.lease.replace(lease) {
                    self.release(before.id);
                }
                self.lease_renewed = Instant::now();
                Ok(())
            }
            Err(error) => Err(Failure {
                code: error.code().to_owned(),
                message: error.to_string(),
            }),
        };
        self.step(Event::Leased { msg_id, result });
    }
}

/// Why devices of this host do not serve a request, for people.
fn reason(place: &nbos_gpu::Place) -> String {
    let kinds = [
        (place.lent, "lent"),
        (place.clearing, "being cleared"),
        (place.broken, "out of order"),
        (place.free, "free"),
    ];
    let parts: Vec<(u32, &str)> = kinds.into_iter().filter(|(count, _)| *count > 0).collect();
    match parts.as_slice() {
        [(count, what)] => format!("all {count} GPUs {what}"),
        parts => {
            let each: Vec<String> = parts.iter().map(|(count, what)| format!("{count} {what}")).collect();
            format!("of its GPUs {}", each.join(", "))
        }
    }
}

/// Cells run one at a time, and what the lease holds is the running one's.
fn is_cell(message: &crate::message::JupyterMessage) -> bool {
    message
        .header_fields()
        .is_some_and(|fields| fields.msg_type == "execute_request")
}
