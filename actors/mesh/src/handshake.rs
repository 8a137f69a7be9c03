//! Who is on the other end, settled before `ractor_cluster` sees a byte.
//!
//! Frames: magic `NBOS`, protocol version `u16`, length `u16` (little-endian), body. The dialer sends its hello,
//! the acceptor its own, the dialer proves that it knows the secret, then the acceptor does. A proof is an
//! HMAC-SHA256 over both hellos (with 32 random bytes each) and the TLS session if there is one, under a label that
//! names the role, so that neither proof can be reflected or replayed. A refusal is one line of text that begins
//! with the error code.

use std::io;
use std::time::Duration;

use hmac::Mac;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::clock::PeerClock;
use crate::shared::Core;
use crate::socket::{Duplex, Socket};
use crate::{NodeName, Peer, codec, socket};

const MAGIC: &[u8; 4] = b"NBOS";
/// Raised when nodes of different versions could no longer understand each other.
const VERSION: u16 = 1;
/// A hello with two names of the largest size is under 200 bytes.
const MAX_FRAME: usize = 512;
/// A refusal line, and how much of a stranger's input is swallowed before closing, so that it can read the line.
const MAX_LINE: usize = 256;
const SWALLOW: Duration = Duration::from_millis(200);
const SWALLOW_BYTES: u64 = 64 << 10;

/// What both sides tell first.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    from: Peer,
    /// The node the dialer means to reach; the acceptor repeats the dialer's name.
    to: NodeName,
    /// The sender's clock in microseconds: from the first message on, its age can be judged.
    clock: u64,
    nonce: [u8; 32],
}

/// A connection that has proved itself.
pub(crate) struct Proved {
    pub peer: Peer,
    /// Number of the session, known to both ends and never used again.
    pub epoch: u64,
    /// Has seen the peer's clock once.
    pub clock: PeerClock,
    pub socket: Socket,
}

/// What the exchange of hellos and proofs comes to.
struct Outcome {
    peer: Peer,
    epoch: u64,
    clock: PeerClock,
}

/// Why a connection was refused, or refused us.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("this is the mesh port of a cluster node, not what you were looking for")]
    Garbage,
    #[error("the cluster secret does not match")]
    WrongSecret,
    #[error("this node speaks mesh protocol version {VERSION}, not {0}")]
    Version(u16),
    #[error("too many connections are waiting to prove themselves")]
    TooMany,
    #[error("the handshake was not over in time")]
    TooLate,
    #[error("{0}")]
    Stranger(String),
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error("the peer refused: {0}")]
    Refused(String),
    /// The other side hung up before it said anything: a port probe.
    #[error("the connection was closed")]
    Closed,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

impl Error {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Garbage => "NB0202",
            Self::WrongSecret => "NB0203",
            Self::Version(_) => "NB0204",
            Self::TooMany => "NB0205",
            Self::TooLate => "NB0206",
            Self::Stranger(_) => "NB0207",
            Self::Tls(_) => "NB0208",
            Self::Refused(_) | Self::Closed | Self::Io(_) => "NB0209",
        }
    }

    /// What the other side is told, if anything.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::Refused(_) | Self::Closed | Self::Io(_) => None,
            // What rustls found wrong is for our log only.
            Self::Tls(_) => Some(format!("{} this port needs TLS\n", self.code())),
            Self::Garbage
            | Self::WrongSecret
            | Self::Version(_)
            | Self::TooMany
            | Self::TooLate
            | Self::Stranger(_) => Some(format!("{} {self}\n", self.code())),
        }
    }
}

/// What a connection is for; both ends mean the same one, or the proofs do not match.
pub(crate) const LINK: &str = "";

/// The accepting side. The caller sets the deadline and counts strangers.
pub(crate) async fn accept(core: &Core, stream: TcpStream, purpose: &str) -> Result<Proved, Error> {
    socket::tune(&stream)?;
    let mut socket = match &core.tls {
        None => Socket::Plain(stream),
        Some(tls) => {
            let accepting = tls.acceptor.accept(stream).into_fallible();
            match tokio::time::timeout(core.options.handshake(), accepting).await {
                Ok(Ok(stream)) => Socket::Server(Box::new(stream)),
                Ok(Err((error, mut stream))) => {
                    let error = Error::Tls(error);
                    refuse(&mut stream, &error).await;
                    return Err(error);
                }
                Err(_) => return Err(Error::TooLate),
            }
        }
    };
    let binding = bound(&socket, purpose)?;
    let result = tokio::time::timeout(core.options.handshake(), accept_on(core, socket.duplex(), &binding)).await;
    match result.unwrap_or(Err(Error::TooLate)) {
        Ok(Outcome { peer, epoch, clock }) => Ok(Proved {
            peer,
            epoch,
            clock,
            socket,
        }),
        Err(error) => {
            refuse(socket.duplex(), &error).await;
            Err(error)
        }
    }
}

/// The dialing side, with its own deadline.
pub(crate) async fn dial(core: &Core, stream: TcpStream, to: &NodeName, purpose: &str) -> Result<Proved, Error> {
    let work = async {
        socket::tune(&stream)?;
        let mut socket = match &core.tls {
            None => Socket::Plain(stream),
            Some(tls) => {
                let stream = tls
                    .connector
                    .connect(tls.server_name.clone(), stream)
                    .await
                    .map_err(Error::Tls)?;
                Socket::Client(Box::new(stream))
            }
        };
        let binding = bound(&socket, purpose)?;
        let Outcome { peer, epoch, clock } = dial_on(core, socket.duplex(), to, &binding).await?;
        Ok(Proved {
            peer,
            epoch,
            clock,
            socket,
        })
    };
    tokio::time::timeout(core.options.handshake(), work)
        .await
        .unwrap_or(Err(Error::TooLate))
}

/// What both proofs are tied to besides the hellos: the TLS session, and the purpose.
fn bound(socket: &Socket, purpose: &str) -> io::Result<Vec<u8>> {
    let mut binding = socket.binding()?;
    binding.extend_from_slice(purpose.as_bytes());
    Ok(binding)
}

async fn accept_on(core: &Core, stream: &mut dyn Duplex, binding: &[u8]) -> Result<Outcome, Error> {
    let first = read_frame(stream).await?;
    let theirs: Hello = codec::decode(&first).map_err(|_| Error::Garbage)?;
    let clock = PeerClock::seen(core.micros(), theirs.clock);
    let second = hello(core, &theirs.from.node)?;
    write_frame(stream, &second).await?;
    let transcript: [&[u8]; 3] = [&first, &second, binding];
    let proof = read_frame(stream).await?;
    check(core, "nbos mesh dialer", &transcript, &proof)?;
    // Only now: strangers do not learn names.
    if theirs.to != core.me.node {
        return Err(Error::Stranger(format!(
            "this is node `{}`, not `{}`",
            core.me.node, theirs.to
        )));
    }
    if theirs.from.node == core.me.node || !core.knows(&theirs.from.node) {
        return Err(Error::Stranger(format!(
            "node `{}` is no peer of node `{}`",
            theirs.from.node, core.me.node
        )));
    }
    write_frame(
        stream,
        &core
            .secret
            .mac("nbos mesh acceptor", &transcript)
            .finalize()
            .into_bytes(),
    )
    .await?;
    Ok(Outcome {
        peer: theirs.from,
        epoch: epoch(core, &transcript),
        clock,
    })
}

async fn dial_on(core: &Core, stream: &mut dyn Duplex, to: &NodeName, binding: &[u8]) -> Result<Outcome, Error> {
    let first = hello(core, to)?;
    write_frame(stream, &first).await?;
    let second = read_frame(stream).await?;
    let theirs: Hello = codec::decode(&second).map_err(|_| Error::Garbage)?;
    let clock = PeerClock::seen(core.micros(), theirs.clock);
    let transcript: [&[u8]; 3] = [&first, &second, binding];
    write_frame(
        stream,
        &core.secret.mac("nbos mesh dialer", &transcript).finalize().into_bytes(),
    )
    .await?;
    let proof = read_frame(stream).await?;
    check(core, "nbos mesh acceptor", &transcript, &proof)?;
    if theirs.from.node != *to {
        return Err(Error::Stranger(format!(
            "node `{}` answered in place of `{to}`",
            theirs.from.node
        )));
    }
    Ok(Outcome {
        peer: theirs.from,
        epoch: epoch(core, &transcript),
        clock,
    })
}

fn hello(core: &Core, to: &NodeName) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; 32];
    nonce[..16].copy_from_slice(Uuid::new_v4().as_bytes());
    nonce[16..].copy_from_slice(Uuid::new_v4().as_bytes());
    let hello = Hello {
        from: core.me.clone(),
        to: to.clone(),
        clock: core.micros(),
        nonce,
    };
    Ok(codec::encode(&hello).map_err(io::Error::other)?.to_vec())
}

fn check(core: &Core, role: &str, transcript: &[&[u8]], proof: &[u8]) -> Result<(), Error> {
    let expected = core.secret.mac(role, transcript).finalize().into_bytes();
    if bool::from(expected.ct_eq(proof)) {
        Ok(())
    } else {
        Err(Error::WrongSecret)
    }
}

fn epoch(core: &Core, transcript: &[&[u8]]) -> u64 {
    let digest = core.secret.mac("nbos mesh session", transcript).finalize().into_bytes();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}

async fn write_frame(stream: &mut dyn Duplex, body: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(body.len()).map_err(io::Error::other)?;
    let mut frame = MAGIC.to_vec();
    frame.extend_from_slice(&VERSION.to_le_bytes());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(body);
    stream.write_all(&frame).await?;
    stream.flush().await?;
    Ok(())
}

async fn read_frame(stream: &mut dyn Duplex) -> Result<Vec<u8>, Error> {
    let mut magic = [0; 4];
    let first = stream.read(&mut magic).await?;
    if first == 0 {
        return Err(Error::Closed);
    }
    // Garbage shorter than the magic is garbage at once, not after the deadline.
    if !MAGIC.starts_with(&magic[..first]) && !b"NB02".starts_with(&magic[..first]) {
        return Err(Error::Garbage);
    }
    stream.read_exact(&mut magic[first..]).await?;
    if magic.starts_with(b"NB02") {
        return Err(Error::Refused(read_line(stream, &magic).await?));
    }
    if magic != *MAGIC {
        return Err(Error::Garbage);
    }
    let version = stream.read_u16_le().await?;
    if version != VERSION {
        return Err(Error::Version(version));
    }
    let length = usize::from(stream.read_u16_le().await?);
    if length > MAX_FRAME {
        return Err(Error::Garbage);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn read_line(stream: &mut dyn Duplex, start: &[u8]) -> Result<String, Error> {
    let mut line = start.to_vec();
    while line.len() < MAX_LINE {
        match stream.read_u8().await {
            Ok(b'\n') | Err(_) => break,
            Ok(byte) => line.push(byte),
        }
    }
    // Control characters of whoever answers there stay out of our log.
    Ok(String::from_utf8_lossy(&line)
        .chars()
        .filter(|char| !char.is_control())
        .collect())
}

/// Tells the other side why, and makes sure it can be read: unread input would turn the close into a reset.
pub(crate) async fn refuse(stream: &mut dyn Duplex, error: &Error) {
    let Some(line) = error.line() else { return };
    let work = async {
        stream.write_all(line.as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(SWALLOW_BYTES), &mut tokio::io::sink()).await
    };
    // Whatever happens here, the connection is over.
    let _ = tokio::time::timeout(SWALLOW, work).await;
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
