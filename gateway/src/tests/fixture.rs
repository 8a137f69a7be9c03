//! One gateway for all tests of a process (a process has one mesh), and the replicas that play opposite it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use nbos_kernel::protocol::{
    CellOutput, Channel, Cursor, EventBody, ExecutionState, GATEWAY_PATH, KernelEvent, KernelSpec, ReplicaReply,
    ReplicaRequest, replica_path, to_bytes,
};
use nbos_kernel::{Epoch, JupyterMessage, KernelId};
use nbos_mesh::{Delivery, Mesh, MeshOptions, NodeName, Secret, codec};
use nbos_scheduler::{Command, ControlHandle, ControlState, SessionRecord};
use nbos_supervision::{Supervisor, SupervisorHandle, Tree};
use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::{Gateway, GatewayHandle, GatewayOptions, Options};

pub(super) const TOKEN: &str = "0123456789abcdef";
pub(super) const MAX_MESSAGE: usize = 1024 * 1024;

pub(super) struct Fixture {
    runtime: Runtime,
    mesh: Mesh,
    control: watch::Sender<Arc<ControlState>>,
    gateway: GatewayHandle,
    root: SupervisorHandle,
}

/// Runs a test on the shared gateway's runtime.
pub(super) fn run<F: Future<Output = ()>>(test: impl FnOnce(&'static Fixture) -> F) {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    let fixture = FIXTURE.get_or_init(Fixture::start);
    let limited = async { tokio::time::timeout(Duration::from_secs(20), test(fixture)).await };
    fixture.runtime.block_on(limited).expect("the test ends in time");
}

impl Fixture {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (mesh, control, gateway, root) = runtime.block_on(async {
            let tree = Tree::new("n1");
            let root = Supervisor::start(&tree, None, "", nbos_supervision::Options::one_for_one())
                .await
                .unwrap();
            let options = MeshOptions {
                local: NodeName::from("n1"),
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                peers: [].into(),
                secret: Secret::new(*b"a secret of the tests, 32 bytes!"),
                options: nbos_mesh::Options::default(),
            };
            let mesh = Mesh::start(options, &tree, &root).await.unwrap();
            let mut state = ControlState::default();
            state.apply(Command::RegisterHost {
                host: NodeName::from("n1"),
                incarnation: 1,
                gpus: 4,
            });
            let (control, view) = watch::channel(Arc::new(state));
            let handle = ControlHandle::local(mesh.clone(), Vec::new(), view);
            let options = GatewayOptions {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                token: TOKEN.to_owned(),
                options: Options {
                    max_message_bytes: MAX_MESSAGE,
                    max_body_bytes: 4_096,
                    ..Options::default()
                },
            };
            let gateway = Gateway::start(options, mesh.clone(), handle, &tree, &root)
                .await
                .unwrap();
            (mesh, control, gateway, root)
        });
        Self {
            runtime,
            mesh,
            control,
            gateway,
            root,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// What the control group would have committed.
    pub(super) fn commit(&self, command: Command) {
        self.control.send_modify(|state| {
            Arc::make_mut(state).apply(command);
        });
    }

    /// A kernel with one replica, on this node, that does what [`Replica`] does.
    pub(super) async fn kernel(&self) -> (KernelId, Arc<Mutex<Script>>) {
        let id = KernelId::random();
        let spec = KernelSpec {
            name: "python3".to_owned(),
            ..KernelSpec::default()
        };
        self.commit(Command::CreateKernel {
            id,
            spec,
            hosts: vec![NodeName::from("n1")],
            at_us: 1,
        });
        let script = Arc::<Mutex<Script>>::default();
        let replica = Replica {
            kernel: id,
            mesh: self.mesh.clone(),
            script: Arc::clone(&script),
            last: Mutex::new(0),
        };
        let (actor, _) = Actor::spawn_linked(None, replica, (), self.root.cell()).await.unwrap();
        self.mesh.register(&replica_path(id), actor.get_derived());
        (id, script)
    }

    pub(super) fn session(&self, kernel: KernelId, path: &str) -> String {
        let id = KernelId::random().to_string();
        let (name, kind) = (String::new(), "notebook".to_owned());
        let session = SessionRecord {
            id: id.clone(),
            path: path.to_owned(),
            name,
            kind,
            kernel,
        };
        self.commit(Command::PutSession { session });
        id
    }
}

/// How a replica is to misbehave, and what it was asked.
#[derive(Default)]
pub(super) struct Script {
    /// Answers to the next `Submit`s instead of taking them.
    pub(super) refusals: Vec<ReplicaReply>,
    pub(super) received: Vec<JupyterMessage>,
    pub(super) restarts: u32,
}

/// Answers every execute request with one output, a reply and `idle`; everything else with a reply.
struct Replica {
    kernel: KernelId,
    mesh: Mesh,
    script: Arc<Mutex<Script>>,
    last: Mutex<u64>,
}

pub(super) struct Asked(Delivery);

impl ractor::Message for Asked {}

impl From<Delivery> for Asked {
    fn from(delivery: Delivery) -> Self {
        Self(delivery)
    }
}

impl TryFrom<Asked> for Delivery {
    type Error = ();

    fn try_from(asked: Asked) -> Result<Self, ()> {
        Ok(asked.0)
    }
}

impl Actor for Replica {
    type Msg = Asked;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Asked>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Asked>, Asked(delivery): Asked, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let request = codec::decode::<ReplicaRequest>(&delivery.body)?;
        let reply = match &request {
            ReplicaRequest::Submit { .. } if !self.script.lock().refusals.is_empty() => {
                self.script.lock().refusals.remove(0)
            }
            ReplicaRequest::Submit { .. } => ReplicaReply::Accepted,
            ReplicaRequest::Subscribe { .. } => ReplicaReply::Subscribed {
                epoch: Epoch(1),
                status: ExecutionState::Idle,
            },
            ReplicaRequest::Restart => {
                self.script.lock().restarts += 1;
                ReplicaReply::Done
            }
            _ => ReplicaReply::Done,
        };
        let accepted = matches!(reply, ReplicaReply::Accepted);
        if let Some(responder) = delivery.reply {
            responder.send(Ok(to_bytes(&reply)));
        }
        if let ReplicaRequest::Submit {
            origin,
            channel,
            message,
        } = request
            && accepted
        {
            self.script.lock().received.push(message.clone());
            let fields = message.header_fields().unwrap();
            let child = |msg_type: &str, content: serde_json::Value| {
                let header =
                    json!({"msg_id": format!("{}-{msg_type}", fields.msg_id), "msg_type": msg_type, "session": "k"});
                let mut child = JupyterMessage::build(&header, message.header.clone(), &content);
                child.buffers = message.buffers.clone();
                child
            };
            if fields.msg_type == "execute_request" {
                let cell = Some(CellOutput {
                    msg_id: fields.msg_id.clone(),
                    number: 1,
                });
                let output = child("stream", json!({"name": "stdout", "text": "hello"}));
                self.cast(EventBody::Iopub { cell, message: output });
            }
            let reply = child(&fields.msg_type.replace("_request", "_reply"), json!({"status": "ok"}));
            self.cast(EventBody::Reply {
                origin,
                channel,
                message: reply,
            });
            let idle = child("status", json!({"execution_state": "idle"}));
            self.cast(EventBody::Iopub {
                cell: None,
                message: idle,
            });
        }
        Ok(())
    }
}

impl Replica {
    fn cast(&self, body: EventBody) {
        let mut last = self.last.lock();
        *last += 1;
        let cursor = Cursor {
            epoch: Epoch(1),
            number: *last,
        };
        let event = KernelEvent {
            kernel: self.kernel,
            host: NodeName::from("n1"),
            cursor,
            body,
        };
        self.mesh
            .cast(&NodeName::from("n1"), GATEWAY_PATH, to_bytes(&event))
            .unwrap();
    }
}

/// An execute request as a client would write it.
pub(super) fn execute(msg_id: &str) -> JupyterMessage {
    let header = json!({"msg_id": msg_id, "msg_type": "execute_request", "session": "s", "extra": 1});
    JupyterMessage::build(&header, Bytes::from_static(b"{}"), &json!({"code": "print('hello')"}))
}

pub(super) const SHELL: Channel = Channel::Shell;
