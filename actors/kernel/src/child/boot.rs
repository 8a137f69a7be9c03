//! From a new process to one that answers: its sockets connected, its first reply seen on every one that matters.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeromq::{DealerSocket, Socket, SocketOptions, SocketRecv, SocketSend, SubSocket};

use super::buffers::Buffers;
use super::connection::{ConnectionFile, Port};
use super::guard::Guard;
use super::launch::{Given, Launcher, Process};
use super::side::{self, Frame};
use super::wire::Signer;
use crate::message::JupyterMessage;

/// Python that imports nothing of ours in this time is broken (a loaded two-core machine needs some seconds).
const START_WITHIN: Duration = Duration::from_secs(55);

/// A process that waits for its first cell does what it is told in a millisecond; a loaded machine takes some tens.
const BEGIN_WITHIN: Duration = Duration::from_secs(2);

/// Pause before a starting kernel whose iopub is not heard yet is asked again, doubled each time: the subscription is on its way to it.
const FIRST_NUDGE: Duration = Duration::from_millis(5);
const LONGEST_NUDGE: Duration = Duration::from_millis(80);

/// `msg_id`s of our own questions begin with this; their answers are not for clients.
pub(super) const NUDGE_PREFIX: &str = "nbos-nudge-";

/// The sockets of one process, connected.
pub(super) struct Sockets {
    pub(super) shell: DealerSocket,
    pub(super) control: DealerSocket,
    pub(super) stdin: DealerSocket,
    pub(super) iopub: SubSocket,
}

/// A process that answers.
pub(super) struct Booted {
    pub(super) process: Process,
    pub(super) files: ConnectionFile,
    pub(super) stream: UnixStream,
    pub(super) sockets: Sockets,
    pub(super) signer: Signer,
    pub(super) guard: Guard,
}

impl Booted {
    pub(super) async fn end(self) {
        let id = self.process.id();
        self.process.end().await;
        self.guard.forget(id).await;
    }

    /// Tells a process that was started ahead for whom it is.
    ///
    /// # Errors
    /// What broke; the process is of no use any more.
    pub(super) async fn begin(&mut self, given: &Given) -> Result<(), String> {
        let cwd: Option<PathBuf> = given.cwd.clone().filter(|cwd| cwd.is_dir());
        let told = async {
            side::begin(&mut self.stream, &given.env, cwd.as_deref()).await?;
            side::read(&mut self.stream, &Buffers::default()).await
        };
        match tokio::time::timeout(BEGIN_WITHIN, told).await {
            Ok(Ok(Frame::Begun)) => Ok(()),
            Ok(Ok(_)) => Err("it did not say that it has begun".to_owned()),
            Ok(Err(error)) => Err(self.files.with_log(format!("its side channel broke: {error}"))),
            Err(_) => Err("it did not begin in time".to_owned()),
        }
    }
}

/// Starts a process and brings it to where it answers.
pub(super) async fn boot(launcher: &Launcher, given: &Given, killed: &CancellationToken) -> Result<Booted, String> {
    let slot = tokio::select! {
        slot = Arc::clone(&launcher.starts).acquire_owned() => slot.map_err(|_| "the host is stopping".to_owned())?,
        () = killed.cancelled() => return Err("it was ended before it started".to_owned()),
    };
    let files = ConnectionFile::create(&launcher.python.socket_dir)
        .map_err(|error| format!("its socket directory cannot be made: {error}"))?;
    let listener =
        UnixListener::bind(&files.side).map_err(|error| format!("its side socket cannot be made: {error}"))?;
    let mut process = launcher.launch(given, &files).await?;
    let id = process.id();
    launcher.guard.watch(id).await;
    let started = tokio::select! {
        started = tokio::time::timeout(START_WITHIN, connect(&listener, &files)) => match started {
            Ok(started) => started,
            Err(_) => Err(format!("it did not come up within {} s", START_WITHIN.as_secs())),
        },
        status = process.wait() => Err(format!("it ended while starting ({status})")),
        () = killed.cancelled() => Err("it was ended on purpose".to_owned()),
    };
    drop(slot);
    match started {
        Ok((stream, sockets, signer)) => Ok(Booted {
            process,
            files,
            stream,
            sockets,
            signer,
            guard: launcher.guard.clone(),
        }),
        Err(why) => {
            process.end().await;
            launcher.guard.forget(id).await;
            Err(files.with_log(why))
        }
    }
}

/// Waits for the child's hello, then connects and asks until answers come on shell and on iopub: from then on no message is lost.
async fn connect(listener: &UnixListener, files: &ConnectionFile) -> Result<(UnixStream, Sockets, Signer), String> {
    let broken = |error: &dyn std::fmt::Display| format!("its sockets cannot be used: {error}");
    let (mut stream, _) = listener.accept().await.map_err(|error| broken(&error))?;
    match side::read(&mut stream, &Buffers::default())
        .await
        .map_err(|error| broken(&error))?
    {
        Frame::Hello => {}
        Frame::Chunk { .. }
        | Frame::Delta(_)
        | Frame::Applied { .. }
        | Frame::Need { .. }
        | Frame::Touched { .. }
        | Frame::Released(_)
        | Frame::Begun
        | Frame::Pong => return Err("it did not say hello first".to_owned()),
    }
    let signer = Signer::new(&files.key);
    let identity = Uuid::new_v4().simple().to_string();
    let mut sockets = Sockets {
        shell: dealer(files, Port::Shell, &identity).await?,
        control: dealer(files, Port::Control, &identity).await?,
        // ipykernel asks for input at the identity that sent the cell.
        stdin: dealer(files, Port::Stdin, &identity).await?,
        iopub: SubSocket::new(),
    };
    sockets
        .iopub
        .connect(&files.endpoint(Port::Iopub))
        .await
        .map_err(|error| broken(&error))?;
    sockets.iopub.subscribe("").await.map_err(|error| broken(&error))?;
    let (mut answered, mut heard, mut asked) = (0_u32, false, 0_u32);
    while !heard || answered < asked {
        if !heard {
            asked += 1;
            let message = nudge(asked);
            sockets
                .shell
                .send(signer.encode(&message))
                .await
                .map_err(|error| broken(&error))?;
        }
        let pause = tokio::time::sleep(FIRST_NUDGE.saturating_mul(1 << asked.min(8)).min(LONGEST_NUDGE));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                reply = sockets.shell.recv() => {
                    reply.map_err(|error| broken(&error))?;
                    answered += 1;
                }
                output = sockets.iopub.recv() => {
                    output.map_err(|error| broken(&error))?;
                    heard = true;
                }
                () = &mut pause => break,
            }
            if heard && answered >= asked {
                break;
            }
        }
    }
    Ok((stream, sockets, signer))
}

fn nudge(number: u32) -> JupyterMessage {
    let header = json!({
        "msg_id": format!("{NUDGE_PREFIX}{number}"), "msg_type": "kernel_info_request",
        "session": "nbos", "username": "nbos", "date": crate::time::iso8601(0), "version": "5.4",
    });
    JupyterMessage::build(&header, Bytes::from_static(b"{}"), &json!({}))
}

async fn dealer(files: &ConnectionFile, port: Port, identity: &str) -> Result<DealerSocket, String> {
    let mut options = SocketOptions::default();
    let identity = identity
        .parse()
        .map_err(|error| format!("a socket identity is not valid: {error}"))?;
    options.peer_identity(identity);
    let mut socket = DealerSocket::with_options(options);
    socket
        .connect(&files.endpoint(port))
        .await
        .map_err(|error| format!("its sockets cannot be used: {error}"))?;
    Ok(socket)
}
