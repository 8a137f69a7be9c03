//! Sockets of the mesh: plain or TLS, and what the kernel is told about them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ractor_cluster::{BoxRead, BoxWrite};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{client, server};

/// Unacknowledged data may sit this long before the kernel ends the connection; Linux would wait for 15 minutes.
/// Below the default `down_after_ms`, so that a blackholed link is redialled before the peer counts as down.
const USER_TIMEOUT: Duration = Duration::from_secs(4);
/// An idle connection is probed by the kernel after this; heartbeats make it a mere second line.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Longest TCP connect. Ten times a slow round trip.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// Binds the mesh port. An address just left by a killed process can be taken at once.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(256)?;
    TcpListener::from_std(socket.into())
}

/// Opens a connection to a peer.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await??;
    Ok(stream)
}

/// Sets what every mesh connection needs.
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 5))
}

/// A connection, encrypted or not.
pub(crate) enum Socket {
    Plain(TcpStream),
    Server(Box<server::TlsStream<TcpStream>>),
    Client(Box<client::TlsStream<TcpStream>>),
}

/// Both directions of a connection.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

impl Socket {
    /// For the handshake.
    pub(crate) fn duplex(&mut self) -> &mut dyn Duplex {
        match self {
            Self::Plain(stream) => stream,
            Self::Server(stream) => stream,
            Self::Client(stream) => stream,
        }
    }

    /// Gives unacknowledged data another time than a link's.
    pub(crate) fn be_patient(&self, patience: Duration) -> io::Result<()> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Server(stream) => stream.get_ref().0,
            Self::Client(stream) => stream.get_ref().0,
        };
        SockRef::from(stream).set_tcp_user_timeout(Some(patience))
    }

    /// For who needs no more than bytes.
    pub(crate) fn boxed(self) -> Box<dyn Duplex> {
        match self {
            Self::Plain(stream) => Box::new(stream),
            Self::Server(stream) => stream,
            Self::Client(stream) => stream,
        }
    }

    /// Bytes only the two ends of this very connection know: ties the proof to the TLS session. Empty without TLS.
    pub(crate) fn binding(&self) -> io::Result<Vec<u8>> {
        let label = b"EXPORTER-nbos-mesh";
        let exported = match self {
            Self::Plain(_) => return Ok(Vec::new()),
            Self::Server(stream) => stream.get_ref().1.export_keying_material([0; 32], label, None),
            Self::Client(stream) => stream.get_ref().1.export_keying_material([0; 32], label, None),
        };
        exported.map(|bytes| bytes.to_vec()).map_err(io::Error::other)
    }

    /// For the session.
    pub(crate) fn split(self) -> (BoxRead, BoxWrite) {
        match self {
            Self::Plain(stream) => {
                let (reader, writer) = stream.into_split();
                (Box::new(reader), Box::new(writer))
            }
            Self::Server(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                (Box::new(reader), Box::new(writer))
            }
            Self::Client(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                (Box::new(reader), Box::new(writer))
            }
        }
    }
}
