use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::*;
use crate::{Incarnation, Options, Secret};

const SECRET: &[u8] = b"the right one";

fn core(name: &str, peer: &str, secret: &[u8]) -> Core {
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let me = Peer {
        node: name.into(),
        incarnation: Incarnation::fresh(),
    };
    let options = Options {
        handshake_ms: 300,
        ..Options::default()
    };
    let peers = BTreeMap::from([(peer.into(), address)]);
    Core::new(
        me,
        options,
        Secret::new(secret),
        None,
        socket::listen(address).unwrap(),
        peers,
    )
}

/// Lets `near` dial `far` as `to`.
async fn meet(near: &Core, far: &Core, to: &str) -> (Result<Proved, Error>, Result<Proved, Error>) {
    let address = far.listener.local_addr().unwrap();
    let dialing = async {
        let stream = TcpStream::connect(address).await.unwrap();
        dial(near, stream, &to.into(), LINK).await
    };
    let accepting = async {
        let (stream, _) = far.listener.accept().await.unwrap();
        accept(far, stream, LINK).await
    };
    tokio::join!(dialing, accepting)
}

/// Sends bytes to a node's port and returns all it answers.
async fn poke(far: &Core, bytes: &[u8]) -> (String, Error) {
    let address = far.listener.local_addr().unwrap();
    let poking = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let accepting = async {
        let (stream, _) = far.listener.accept().await.unwrap();
        accept(far, stream, LINK).await
    };
    let (answer, result) = tokio::join!(poking, accepting);
    (answer, result.err().unwrap())
}

#[tokio::test]
async fn both_ends_learn_who_the_other_is() {
    let (near, far) = (core("b", "a", SECRET), core("a", "b", SECRET));
    let (dialed, accepted) = meet(&near, &far, "a").await;
    let (dialed, accepted) = (dialed.ok().unwrap(), accepted.ok().unwrap());
    assert_eq!((dialed.peer, accepted.peer), (far.me.clone(), near.me.clone()));
    assert_eq!(dialed.epoch, accepted.epoch);
    let (again, _) = meet(&near, &far, "a").await;
    assert_ne!(
        again.ok().unwrap().epoch,
        dialed.epoch,
        "every session has its own number"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_told_so_and_proves_nothing() {
    let (near, far) = (core("b", "a", b"a wrong one"), core("a", "b", SECRET));
    let (dialed, accepted) = meet(&near, &far, "a").await;
    assert!(matches!(accepted, Err(Error::WrongSecret)));
    let refusal = dialed.err().unwrap();
    assert!(
        matches!(&refusal, Error::Refused(line) if line.starts_with("NB0203 ")),
        "{refusal}"
    );
}

#[tokio::test]
async fn strangers_and_mistaken_addresses_are_refused() {
    let far = core("a", "b", SECRET);
    for (near, to) in [
        (core("c", "a", SECRET), "a"),
        (core("b", "x", SECRET), "x"),
        (core("a", "b", SECRET), "a"),
    ] {
        let (dialed, accepted) = meet(&near, &far, to).await;
        assert!(matches!(accepted, Err(Error::Stranger(_))));
        assert!(dialed.err().unwrap().to_string().contains("NB0207"));
    }
}

#[tokio::test]
async fn garbage_gets_one_line_with_its_code() {
    let far = core("a", "b", SECRET);
    let mut long = MAGIC.to_vec();
    long.extend_from_slice(&VERSION.to_le_bytes());
    long.extend_from_slice(&[0xff, 0xff]);
    let mut bad_hello = MAGIC.to_vec();
    bad_hello.extend_from_slice(&VERSION.to_le_bytes());
    bad_hello.extend_from_slice(&[3, 0, 0xff, 0xff, 0xff]);
    let big = vec![0xa5; 200_000];
    let mut later = MAGIC.to_vec();
    later.extend_from_slice(&[9, 0, 0, 0]);
    for (bytes, code) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "NB0202 "),
        (b"x", "NB0202 "),
        (&big[..50_000], "NB0202 "),
        (&long, "NB0202 "),
        (&bad_hello, "NB0202 "),
        (&later, "NB0204 "),
        // The beginning of something right, then silence.
        (b"NBO", "NB0206 "),
        (b"NBOS\x01\x00", "NB0206 "),
    ] {
        let (answer, error) = poke(&far, bytes).await;
        assert!(
            answer.starts_with(code) && answer.ends_with('\n'),
            "{bytes:?}: {answer:?}"
        );
        assert_eq!(answer.lines().count(), 1);
        assert_eq!(error.code(), code.trim());
    }
}

#[tokio::test]
async fn a_proof_cannot_be_reflected() {
    // An impostor without the secret plays the acceptor and sends the dialer's own proof back.
    let near = core("b", "a", SECRET);
    let listener = socket::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let impostor = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_frame(&mut stream).await.unwrap();
        let hello = Hello {
            from: Peer {
                node: "a".into(),
                incarnation: Incarnation::fresh(),
            },
            to: "b".into(),
            clock: 0,
            nonce: [7; 32],
        };
        write_frame(&mut stream, &codec::encode(&hello).unwrap()).await.unwrap();
        let proof = read_frame(&mut stream).await.unwrap();
        write_frame(&mut stream, &proof).await.unwrap();
    };
    let dialing = async {
        let stream = TcpStream::connect(address).await.unwrap();
        dial(&near, stream, &"a".into(), LINK).await
    };
    let (dialed, ()) = tokio::join!(dialing, impostor);
    assert!(matches!(dialed, Err(Error::WrongSecret)));
}

#[tokio::test]
async fn a_probe_is_no_event() {
    let far = core("a", "b", SECRET);
    drop(TcpStream::connect(far.listener.local_addr().unwrap()).await.unwrap());
    let (stream, _) = far.listener.accept().await.unwrap();
    assert!(matches!(accept(&far, stream, LINK).await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_proof_for_one_purpose_opens_no_connection_for_another() {
    let (near, far) = (core("b", "a", SECRET), core("a", "b", SECRET));
    let address = far.listener.local_addr().unwrap();
    let dialing = async {
        let stream = TcpStream::connect(address).await.unwrap();
        dial(&near, stream, &"a".into(), "blobs").await
    };
    let accepting = async {
        let (stream, _) = far.listener.accept().await.unwrap();
        accept(&far, stream, LINK).await
    };
    let (dialed, accepted) = tokio::join!(dialing, accepting);
    assert_eq!(accepted.err().unwrap().code(), "NB0203");
    assert!(dialed.is_err());
}
