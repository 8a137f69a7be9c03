//! What passes between the machine's processes, as anybody on the network between real machines could read it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt};
use nix::sys::time::TimeVal;

use crate::wait::SHORT;

/// A packet of the loopback interface with all its headers.
const PACKET: usize = 128 << 10;

/// What the system keeps while this thread does not run.
const BACKLOG: usize = 64 << 20;

/// Bytes in a row that are no accident; looked for at every `STEP`th place, so runs have to be as long as both.
const RUN: usize = 64;
const STEP: usize = 1_024;

/// Reads along until it is stopped.
#[derive(Debug)]
pub struct Wire {
    stop: Arc<AtomicBool>,
    listening: JoinHandle<Heard>,
}

/// What was on the wire meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    pub bytes: usize,
    /// Places with a run of the byte that was looked for.
    pub runs: usize,
}

impl Wire {
    /// Looks for runs of this byte, 2 KiB long at least. `None`, and it says so, where this user may not listen.
    pub fn listen(byte: u8) -> Option<Self> {
        let opened = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        );
        let Ok(packets) = opened else {
            println!("skipped: listening to the network needs the right to (root)");
            return None;
        };
        let _ = setsockopt(&packets, sockopt::RcvBufForce, &BACKLOG);
        setsockopt(&packets, sockopt::ReceiveTimeout, &TimeVal::new(0, 50_000)).expect("a socket option");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let listening = std::thread::spawn(move || {
            let (mut heard, mut packet) = (Heard::default(), vec![0; PACKET]);
            let mut flags = MsgFlags::empty();
            loop {
                // What waits already was said before.
                if stopped.load(Ordering::Relaxed) {
                    flags = MsgFlags::MSG_DONTWAIT;
                }
                match recv(packets.as_raw_fd(), &mut packet, flags) {
                    Ok(length) => heard.add(&packet[..length], byte),
                    Err(Errno::EAGAIN) if flags.is_empty() => {}
                    Err(Errno::EAGAIN) => break,
                    Err(Errno::EINTR) => {}
                    Err(error) => panic!("listening failed: {error}"),
                }
            }
            heard
        });
        Some(Self { stop, listening })
    }

    pub fn stop(self) -> Heard {
        self.stop.store(true, Ordering::Relaxed);
        self.listening.join().expect("listening does not fail")
    }
}

impl Heard {
    fn add(&mut self, packet: &[u8], byte: u8) {
        let places = (0..packet.len().saturating_sub(RUN)).step_by(STEP);
        let is_run = |at: &usize| packet[*at..at + RUN].iter().all(|found| *found == byte);
        self.runs += places.filter(is_run).count();
        self.bytes += packet.len();
    }
}

/// The first bytes that a port answers to a line of plain text; none when it only hangs up.
pub fn answer_to_plain_text(port: u16) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("somebody listens");
    stream.set_read_timeout(Some(SHORT)).expect("a socket option");
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = [0; 2];
    match stream.read_exact(&mut answer) {
        Ok(()) => answer.to_vec(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_heard_and_nothing_else() {
        let Some(wire) = Wire::listen(0xa7) else { return };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut receiver, _) = listener.accept().unwrap();
        let pieces = std::thread::spawn(move || {
            for byte in [0xa6, 0xa7, 0xa8].repeat(20) {
                sender.write_all(&[byte; 8 << 10]).unwrap();
            }
        });
        let mut all = Vec::new();
        receiver.read_to_end(&mut all).unwrap();
        pieces.join().unwrap();
        let heard = wire.stop();
        assert!(heard.bytes >= all.len(), "{heard:?}");
        assert!((20..=640).contains(&heard.runs), "{heard:?}");
    }
}
