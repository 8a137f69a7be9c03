//! The port for bulk connections: lets peers in, each on a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nbos_mesh::{Channel, Mesh};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::serve;
use crate::store::Store;
use crate::wire::PURPOSE;

/// Connections that have not proved anything yet.
const MAX_STRANGERS: usize = 32;
/// Proved ones: two that push and a few that fetch for each of some dozen peers.
const MAX_CONNECTIONS: usize = 128;
/// Pause after a failed accept: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Door {
    listener: TcpListener,
    mesh: Mesh,
    store: Arc<Store>,
    strangers: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    ended: CancellationToken,
}

impl Door {
    /// Binds the port, on the address of the mesh; 0 lets the system choose one.
    pub(crate) async fn open(mesh: &Mesh, port: u16, store: Arc<Store>, ended: CancellationToken) -> io::Result<Self> {
        let address = SocketAddr::new(mesh.address()?.ip(), port);
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            mesh: mesh.clone(),
            store,
            strangers: Arc::new(Semaphore::new(MAX_STRANGERS)),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            ended,
        })
    }

    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Lets connections in until the token ends it.
    pub(crate) async fn run(self: Arc<Self>) {
        let accepting = async {
            loop {
                match self.listener.accept().await {
                    Ok((stream, from)) => self.accept(stream, from),
                    Err(error) => {
                        tracing::warn!(%error, "bulk port cannot accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        self.ended.run_until_cancelled(accepting).await;
    }

    fn accept(self: &Arc<Self>, stream: TcpStream, from: SocketAddr) {
        // Beyond the limits the connection is dropped at once; a peer tries again.
        let Ok(stranger) = Arc::clone(&self.strangers).try_acquire_owned() else {
            return;
        };
        let Ok(connection) = Arc::clone(&self.connections).try_acquire_owned() else {
            tracing::warn!(%from, "bulk connection refused, there are too many");
            return;
        };
        let door = Arc::clone(self);
        tokio::spawn(async move {
            let accepted = door.mesh.accept_channel(stream, PURPOSE).await;
            drop(stranger);
            match accepted {
                Ok(channel) => door.serve(channel, connection),
                Err(error) => tracing::debug!(%from, code = error.code, %error, "bulk connection refused"),
            }
        });
    }

    fn serve(&self, channel: Channel, permit: OwnedSemaphorePermit) {
        let (store, ended, runtime) = (Arc::clone(&self.store), self.ended.clone(), Handle::current());
        let Channel { peer, stream } = channel;
        let serving = move || {
            let broken = runtime.block_on(ended.run_until_cancelled(serve::connection(store, stream)));
            if let Some(reason) = broken {
                tracing::debug!(%peer, %reason, "bulk connection ended");
            }
            drop(permit);
        };
        let thread = std::thread::Builder::new().name("objects-bulk".to_owned());
        if let Err(error) = thread.spawn(serving) {
            tracing::warn!(%error, "bulk connection refused, no thread can be started");
        }
    }
}
