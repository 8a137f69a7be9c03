//! The HTTP server as a supervised actor. It runs on threads of its own: actix's actors need actix's runtime.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{HttpServer, web};
use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use crate::app::App;
use crate::error::Error;
use crate::rest;

/// Requests under way get this long when the server stops.
const SHUTDOWN_SECONDS: u64 = 2;

/// A client that was told to go may finish sending for this long, so that it reads the reason before the reset.
const LINGER: Duration = Duration::from_secs(5);

/// After a restart the old server closes its listener first; this is ample.
const REBIND_WITHIN: Duration = Duration::from_secs(5);
const REBIND_PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Http;

#[derive(Clone)]
pub(crate) struct HttpArguments {
    pub(crate) address: SocketAddr,
    /// Bound before the first start, so that a port in use is the caller's error; bound again at a restart.
    pub(crate) listener: Arc<Mutex<Option<TcpListener>>>,
    pub(crate) app: Arc<App>,
}

pub(crate) enum Message {
    /// The server's thread has ended.
    Ended(String),
}

impl ractor::Message for Message {}

/// Stops the server when it goes.
pub(crate) struct State(ServerHandle);

impl Actor for Http {
    type Msg = Message;
    type State = State;
    type Arguments = HttpArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        HttpArguments { address, listener, app }: HttpArguments,
    ) -> Result<State, ActorProcessingErr> {
        let bound = listener.lock().take();
        let listener = match bound {
            Some(listener) => listener,
            None => bind_again(address).await?,
        };
        let (started, handle) = oneshot::channel();
        thread::Builder::new().name("gateway-http".to_owned()).spawn(move || {
            let ended = actix::System::new().block_on(serve(listener, app, started));
            let reason = ended.map_or_else(|error| error.to_string(), |()| "stopped".to_owned());
            // After a stop nobody is there to be told.
            let _ = myself.cast(Message::Ended(reason));
        })?;
        let handle = handle.await.map_err(|_| Error::Server("it did not start".to_owned()))?;
        Ok(State(handle))
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        Message::Ended(reason): Message,
        _: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Err(Error::Server(reason).into())
    }
}

/// The server before this one may not have let go of the port yet.
async fn bind_again(address: SocketAddr) -> Result<TcpListener, Error> {
    let deadline = Instant::now() + REBIND_WITHIN;
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(_) if Instant::now() < deadline => tokio::time::sleep(REBIND_PAUSE).await,
            Err(source) => return Err(Error::Bind { addr: address, source }),
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // The command is sent at once; the future only waits for its completion.
        drop(self.0.stop(true));
    }
}

async fn serve(listener: TcpListener, app: Arc<App>, started: oneshot::Sender<ServerHandle>) -> std::io::Result<()> {
    let workers = app.options.workers.max(1);
    let data = web::Data::from(app);
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(data.clone())
            .app_data(web::QueryConfig::default().error_handler(|error, _| rest::unreadable(error)))
            .app_data(web::PathConfig::default().error_handler(|error, _| rest::unreadable(error)))
            .configure(rest::configure)
            .wrap(from_fn(rest::guard))
    })
    .workers(workers)
    // Nagle's algorithm costs an ordinary WebSocket client 40 ms a cell.
    .tcp_nodelay(true)
    .client_disconnect_timeout(LINGER)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    let _ = started.send(server.handle());
    server.await
}
