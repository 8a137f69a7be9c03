//! Brings chunks here from whoever has them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nbos_mesh::{Duplex, NodeName};
use parking_lot::Mutex;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cold::Cold;
use crate::dial::Dialer;
use crate::hunt::{Hunt, Source};
use crate::store::{Bringer, Store, Turn};
use crate::wire::{self, Answer, Broken, Request};
use crate::{BlobId, Error, back, receive};

/// Chunks asked of one peer and not yet here: it reads the next while one travels and one is stored.
const WINDOW: usize = 3;
/// Longest silence of a peer that owes a chunk; another peer is asked then.
const SILENCE: Duration = Duration::from_secs(5);
/// How long nothing may arrive of what others bring here before it is fetched all the same. Longer than a peer takes to
/// answer a hint, and than a busy disk stalls.
const ELSEWHERE: Duration = Duration::from_secs(3);
/// First pause after a failure, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the workers of one call share.
pub(crate) struct Fetching {
    store: Arc<Store>,
    bringer: Bringer,
    dialer: Dialer,
    hunt: Mutex<Hunt>,
    /// Bytes of content that have arrived; changes at every event.
    arrived: watch::Sender<u64>,
    /// Bytes as they travelled, of all calls.
    travelled: Arc<AtomicU64>,
    /// What ends the whole call: the own disk.
    failed: Mutex<Option<Error>>,
    /// What each peer said last, for people.
    reasons: Mutex<BTreeMap<NodeName, String>>,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.store.retire(self.bringer);
    }
}

impl Fetching {
    pub(crate) fn new(store: &Arc<Store>, dialer: &Dialer, hunt: Hunt, travelled: &Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            bringer: store.bringer(None),
            dialer: Arc::clone(dialer),
            hunt: Mutex::new(hunt),
            arrived: watch::Sender::default(),
            travelled: Arc::clone(travelled),
            failed: Mutex::new(None),
            reasons: Mutex::default(),
        })
    }

    /// Asks the store of cold copies for what no peer gives.
    pub(crate) async fn work_cold(self: Arc<Self>, cold: Arc<Cold>) {
        let mut arrived = self.arrived.subscribe();
        let mut pause = FIRST_PAUSE;
        while let Some(id) = self.next(Source::Reserve, &mut arrived).await {
            match cold.get(id, &self.store).await {
                Ok(bytes) => {
                    tracing::info!(%id, "chunk came back from its cold copy");
                    self.arrived(&id, bytes);
                }
                Err(Error::NotFound(_) | Error::Corrupt(_) | Error::TooLarge { .. }) => {
                    self.without(Source::Reserve, &id);
                }
                Err(error @ (Error::NoSpace { .. } | Error::Storage { .. })) => {
                    *self.failed.lock() = Some(error);
                    self.tell(0);
                }
                Err(error) => {
                    self.reasons
                        .lock()
                        .insert(NodeName::from("cold copies"), error.to_string());
                    self.hunt.lock().lost(Source::Reserve);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Fetches until all is here or cannot be; the caller sets the deadline, and the token ends the workers.
    pub(crate) async fn run(
        self: &Arc<Self>,
        peers: &[NodeName],
        ended: &CancellationToken,
        progress: impl Fn(u64),
    ) -> Result<(), Error> {
        let mut arrived = self.arrived.subscribe();
        let mut arrivals = self.store.arrivals();
        let mut last = Instant::now();
        for (number, name) in peers.iter().enumerate() {
            let (fetching, name, ended) = (Arc::clone(self), name.clone(), ended.clone());
            // Every piece is hashed and written where it is read, which blocks.
            let work = async move {
                let working = fetching.work(Source::Peer(number), &name);
                ended.run_until_cancelled(working).await;
            };
            if let Err(error) = back::run("objects-fetch", work) {
                return Err(Error::Storage {
                    what: "start a thread",
                    source: Arc::new(error),
                });
            }
        }
        loop {
            progress(*arrived.borrow_and_update());
            if let Some(error) = self.failed.lock().take() {
                return Err(error);
            }
            {
                let hunt = self.hunt.lock();
                if hunt.is_over() {
                    return Ok(());
                }
                if let Some(id) = hunt.nowhere() {
                    return Err(Error::NotFound(id));
                }
            }
            tokio::select! {
                // The senders are part of this very value.
                _ = arrived.changed() => {}
                _ = arrivals.changed() => {
                    if self.look_elsewhere() {
                        last = Instant::now();
                    }
                }
                () = tokio::time::sleep(ELSEWHERE.saturating_sub(last.elapsed())) => {
                    last = Instant::now();
                    self.stop_waiting();
                }
            }
        }
    }

    /// Why it is late.
    pub(crate) fn complaint(&self) -> Error {
        let reasons = self.reasons.lock();
        let reasons: Vec<String> = reasons
            .iter()
            .map(|(peer, reason)| format!("{peer}: {reason}"))
            .collect();
        let id = self.hunt.lock().first_open();
        Error::Late {
            id: id.expect("invariant: what is late is not all here"),
            reasons: if reasons.is_empty() {
                "no peer has answered".to_owned()
            } else {
                reasons.join("; ")
            },
        }
    }

    /// Asks one peer for as long as the call lasts.
    async fn work(&self, source: Source, name: &NodeName) {
        let mut pause = FIRST_PAUSE;
        let mut arrived = self.arrived.subscribe();
        loop {
            let Some(first) = self.next(source, &mut arrived).await else {
                return;
            };
            let before = Instant::now();
            let reason = match self.dialer.dial(name).await {
                Err(reason) => reason,
                Ok(stream) => {
                    self.hunt.lock().reached(source);
                    match self.talk(source, stream, first).await {
                        Ok(()) => return,
                        Err(broken) => broken.to_string(),
                    }
                }
            };
            self.reasons.lock().insert(name.clone(), reason);
            self.hunt.lock().lost(source);
            self.tell(0);
            if before.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What to ask the source for; none when all is here.
    async fn next(&self, source: Source, arrived: &mut watch::Receiver<u64>) -> Option<BlobId> {
        loop {
            arrived.borrow_and_update();
            {
                let hunt = self.hunt.lock();
                if hunt.is_over() {
                    return None;
                }
                drop(hunt);
                if let Some(id) = self.pick(source) {
                    return Some(id);
                }
            }
            arrived.changed().await.ok()?;
        }
    }

    /// Until all is here, beginning with one chunk.
    async fn talk(&self, source: Source, stream: Box<dyn Duplex>, first: BlobId) -> Result<(), Broken> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut arrived = self.arrived.subscribe();
        let mut buffer = Vec::new();
        let mut owed = 0;
        let mut next = Some(first);
        loop {
            while owed < WINDOW {
                let Some(id) = next.take().or_else(|| self.pick(source)) else {
                    break;
                };
                wire::write(&mut writer, &Request::Get { id }, &[]).await?;
                owed += 1;
            }
            if owed == 0 {
                // The rest is on its way from others, who may fail.
                next = self.next(source, &mut arrived).await;
                if next.is_none() {
                    return Ok(());
                }
                continue;
            }
            self.take(source, &mut reader, &mut writer, &mut buffer).await?;
            owed -= 1;
        }
    }

    async fn take(
        &self,
        source: Source,
        reader: &mut ReadHalf<Box<dyn Duplex>>,
        writer: &mut WriteHalf<Box<dyn Duplex>>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let answer = tokio::time::timeout(SILENCE, wire::read_head::<Answer>(reader)).await;
        let (answer, body) = answer.unwrap_or(Err(Broken::Silent))?;
        match answer {
            Answer::Chunk { id, encoding } => {
                let taken = receive::chunk(&self.store, reader, buffer, id, encoding, body).await?;
                self.travelled.fetch_add(body as u64, Ordering::Relaxed);
                match taken {
                    Ok(bytes) => self.arrived(&id, bytes),
                    Err(Error::Corrupt(_)) => {
                        tracing::warn!(%id, "a peer's copy of a chunk is damaged");
                        self.without(source, &id);
                        wire::write(writer, &Request::Doubt { id }, &[]).await?;
                    }
                    Err(error) => {
                        *self.failed.lock() = Some(error);
                        self.tell(0);
                    }
                }
            }
            Answer::Refused { id, refusal } if body == 0 => {
                tracing::debug!(%id, ?refusal, "chunk is not to be had there");
                self.without(source, &id);
            }
            Answer::Refused { .. }
            | Answer::Known { .. }
            | Answer::Hurry { .. }
            | Answer::Taken { .. }
            | Answer::Flushed { .. } => {
                return Err(Broken::Nonsense("an answer to no question".to_owned()));
            }
        }
        Ok(())
    }

    /// What to ask the source for now.
    fn pick(&self, source: Source) -> Option<BlobId> {
        let mut hunt = self.hunt.lock();
        while let Some(id) = hunt.next(source) {
            match self.store.turn(&id, self.bringer, Instant::now()) {
                Turn::Own => return Some(id),
                Turn::Another => {
                    hunt.leave(&id);
                    self.store.hurry(&id);
                }
                Turn::Here => {
                    hunt.arrived(&id);
                    self.tell(self.store.len(&id).unwrap_or(0));
                }
            }
        }
        None
    }

    /// Looks at what others bring here; true when some of it came, or is to be fetched after all.
    fn look_elsewhere(&self) -> bool {
        let mut hunt = self.hunt.lock();
        let (mut moved, mut bytes) = (false, 0);
        for id in hunt.left() {
            match self.store.turn(&id, self.bringer, Instant::now()) {
                Turn::Here => {
                    hunt.arrived(&id);
                    bytes += self.store.len(&id).unwrap_or(0);
                }
                Turn::Own => hunt.retry(&id),
                Turn::Another => continue,
            }
            moved = true;
        }
        drop(hunt);
        if moved {
            self.tell(bytes);
        }
        moved
    }

    /// Fetches what others do not bring.
    fn stop_waiting(&self) {
        self.hunt.lock().left().iter().for_each(|id| self.store.overdue(id));
        self.look_elsewhere();
    }

    fn arrived(&self, id: &BlobId, bytes: u64) {
        self.store.ended(id, self.bringer);
        self.hunt.lock().arrived(id);
        self.tell(bytes);
    }

    fn without(&self, source: Source, id: &BlobId) {
        self.hunt.lock().without(source, id);
        self.tell(0);
    }

    fn tell(&self, bytes: u64) {
        self.arrived.send_modify(|arrived| *arrived += bytes);
    }
}
