//! The warm pool's actor: keeps as many kernels started ahead as the policy wants, out of everybody's way.

use std::time::{Duration, Instant};

use nbos_kernel::{PoolPolicy, WarmPool};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::sizing::{Sizing, Step};

/// Those that ended by themselves are found, and a rate that fell is noticed, this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After a kernel started its first cells have the machine to themselves.
const REST: Duration = Duration::from_millis(250);

/// Longest wait for a calm moment: a host that is never calm needs its pool most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Pause between two looks for a calm moment.
const CALM_AGAIN: Duration = Duration::from_millis(25);

/// Longest pause after starts that failed; one failure is a second, each more doubles it.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub struct Warm;

pub struct State {
    pool: WarmPool,
    sizing: Sizing,
    /// Of kernels that started so far.
    wanted: u64,
    /// One is being started.
    making: bool,
    failures: u32,
    not_before: Instant,
    began: Instant,
    watch: tokio::task::JoinHandle<()>,
}

pub enum Message {
    /// So many kernels have started on this host.
    Wanted(u64),
    Made(Result<Duration, String>),
    Look,
}

impl ractor::Message for Message {}

impl Actor for Warm {
    type Msg = Message;
    type State = State;
    type Arguments = (WarmPool, PoolPolicy);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (pool, policy): (WarmPool, PoolPolicy),
    ) -> Result<State, ActorProcessingErr> {
        pool.open();
        let mut wanted = pool.wanted();
        let (so_far, told) = (*wanted.borrow_and_update(), myself.clone());
        let watch = tokio::spawn(async move {
            while wanted.changed().await.is_ok() {
                let count = *wanted.borrow_and_update();
                if told.cast(Message::Wanted(count)).is_err() {
                    return;
                }
            }
        });
        myself.send_interval(LOOK_EVERY, || Message::Look);
        myself.cast(Message::Look)?;
        Ok(State {
            pool,
            sizing: Sizing::new(policy),
            wanted: so_far,
            making: false,
            failures: 0,
            not_before: Instant::now(),
            began: Instant::now(),
            watch,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Wanted(count) => {
                let now = state.began.elapsed();
                state.sizing.wanted(now, count.saturating_sub(state.wanted));
                state.wanted = count;
            }
            Message::Made(made) => state.made(made),
            Message::Look => {
                let lost = state.pool.keep(usize::MAX).await;
                state.sizing.lost(lost);
            }
        }
        state.step(&myself).await;
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.watch.abort();
        state.pool.close().await;
        Ok(())
    }
}

impl State {
    async fn step(&mut self, myself: &ActorRef<Message>) {
        match self.sizing.step(self.began.elapsed(), self.pool.idle()) {
            Step::Keep => {}
            Step::Shrink(most) => {
                self.pool.keep(most).await;
            }
            Step::StartOne if self.making || Instant::now() < self.not_before => {}
            Step::StartOne => {
                self.making = true;
                let (pool, myself) = (self.pool.clone(), myself.clone());
                tokio::spawn(async move {
                    calm(&pool).await;
                    let made = pool.add().await;
                    let _ = myself.cast(Message::Made(made));
                });
            }
        }
    }

    fn made(&mut self, made: Result<Duration, String>) {
        self.making = false;
        match made {
            Ok(took) => {
                self.failures = 0;
                self.sizing.made(took);
            }
            Err(why) => {
                tracing::warn!(why, "kernel not started ahead");
                let pause = LOOK_EVERY.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
                self.failures += 1;
                self.not_before = Instant::now() + pause;
            }
        }
    }
}

/// Returns when no kernel has started for a moment and none is starting.
async fn calm(pool: &WarmPool) {
    let mut wanted = pool.wanted();
    let began = Instant::now();
    let mut quiet_since = began;
    let waits = |quiet_since: Instant| {
        let disturbs = quiet_since.elapsed() < REST || !pool.is_calm();
        // The zygote has a deadline of its own.
        pool.is_coming() || (disturbs && began.elapsed() < PATIENCE)
    };
    while waits(quiet_since) {
        if wanted.has_changed().unwrap_or(false) {
            wanted.mark_unchanged();
            quiet_since = Instant::now();
        }
        tokio::time::sleep(CALM_AGAIN).await;
    }
}
