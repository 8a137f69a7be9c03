//! The yardstick: bytes of memory sent over a loopback connection and written to a file, by two threads and nothing else.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes a call, for both ends.
const PIECE: usize = 1 << 20;

/// Until the last byte is in the file (not until the disk has it, as with a cluster's `sync = "background"`).
pub(crate) async fn over_loopback(bytes: u64, file: &Path) -> Duration {
    let file = file.to_owned();
    tokio::task::spawn_blocking(move || run(bytes, &file))
        .await
        .expect("the copy ends")
        .expect("a plain copy works")
}

fn run(bytes: u64, path: &Path) -> std::io::Result<Duration> {
    let source = vec![7_u8; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let began = Instant::now();
    let sender = std::thread::spawn(move || -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        source.chunks(PIECE).try_for_each(|piece| stream.write_all(piece))
    });
    let (mut stream, _) = listener.accept()?;
    let mut file = File::create(path)?;
    let mut piece = vec![0_u8; PIECE];
    loop {
        let got = stream.read(&mut piece)?;
        if got == 0 {
            break;
        }
        file.write_all(&piece[..got])?;
    }
    let took = began.elapsed();
    sender.join().expect("the sender does not panic")?;
    drop(file);
    std::fs::remove_file(path)?;
    Ok(took)
}
