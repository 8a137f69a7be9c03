//! Carries out the moves that the control state names, on the control group's leader. Nothing of a move is kept in memory alone: each
//! step is found again from the control state and from what the replicas say, by whoever leads next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use nbos_kernel::KernelId;
use nbos_kernel::protocol::{Known, ReplicaInfo, ReplicaReply, ReplicaRequest, Role, replica_path, to_bytes};
use nbos_mesh::{NodeName, PeerState, codec};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::actor::{Arguments, unix_us};
use crate::moves::{Move, Phase, Step, Why};
use crate::state::{Command, KernelRecord, Placement};

/// Between two looks at what there is to do, when nothing changes meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Between two questions to a replica that is not ready yet.
const PAUSE: Duration = Duration::from_millis(10);

/// A replica answers from memory.
const INFO_WITHIN: Duration = Duration::from_millis(500);

/// One change of a group's members, election included.
const RESHAPE_WITHIN: Duration = Duration::from_secs(5);

/// Above what a hand-over may take at the replica.
const HANDOVER_WITHIN: Duration = Duration::from_secs(35);

/// This node's view shows what the group has agreed on within a heartbeat.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// A new replica that has not come so far in this time is given up, and so is an old one that a cell still runs on: ten minutes carry
/// 60 GB over 1 Gbit/s.
const MOVE_WITHIN_US: u64 = 600_000_000;

/// A replica on its way back that does not answer for so long, though its host does, is not waited for.
const SILENT: Duration = Duration::from_secs(10);

/// Runs until it is aborted; then its moves stop where they are.
pub(crate) async fn keep_moving(around: Arguments) {
    let mut view = around.view.clone();
    let mut tasks: JoinSet<(KernelId, u64)> = JoinSet::new();
    let mut running: BTreeSet<(KernelId, u64)> = BTreeSet::new();
    loop {
        while let Some(ended) = tasks.try_join_next() {
            match ended {
                Ok(key) => drop(running.remove(&key)),
                // Which one panicked is not known: all are looked at again.
                Err(error) => {
                    tracing::error!(%error, "a move failed");
                    tasks.abort_all();
                    running.clear();
                }
            }
        }
        if around.leads() {
            let state = view.borrow_and_update().clone();
            for (kernel, moving) in state.moves() {
                let key = (kernel, moving.to.replica);
                if running.insert(key) {
                    let around = around.clone();
                    tasks.spawn(async move {
                        Mover {
                            around,
                            kernel,
                            replica: key.1,
                        }
                        .run()
                        .await;
                        key
                    });
                }
            }
        }
        // A closed channel ends with the node.
        let _ = timeout(LOOK_EVERY, view.changed()).await;
    }
}

/// One move.
struct Mover {
    around: Arguments,
    kernel: KernelId,
    /// The new replica's id.
    replica: u64,
}

impl Mover {
    async fn run(&self) {
        let mut silent_since = None;
        while let Some((record, moving)) = self.current() {
            let step = match moving.phase {
                Phase::Joining => self.join(&record, &moving).await,
                Phase::Leaving => self.leave(&record, &moving).await,
                Phase::Undoing => self.undo(&record, &moving, &mut silent_since).await,
            };
            match step {
                Some(step) => self.advance(moving.phase, step).await,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The move as it is now; none when it is over or somebody else's.
    fn current(&self) -> Option<(KernelRecord, Move)> {
        if !self.around.leads() {
            return None;
        }
        let state = self.around.view.borrow().clone();
        let record = state.kernels.get(&self.kernel)?;
        let moving = record
            .moving
            .as_ref()
            .filter(|moving| moving.to.replica == self.replica)?;
        Some((record.clone(), moving.clone()))
    }

    async fn advance(&self, phase: Phase, step: Step) {
        tracing::info!(kernel = %self.kernel, replica = self.replica, ?step, "replica moves on");
        let command = Command::AdvanceMove {
            kernel: self.kernel,
            replica: self.replica,
            step,
        };
        // Whatever came of it: the state says how it goes on.
        let _ = self.around.propose(command).await;
        let mut view = self.around.view.clone();
        let moved = view.wait_for(|state| {
            let record = state.kernels.get(&self.kernel);
            let moving = record.and_then(|record| record.moving.as_ref());
            moving.is_none_or(|moving| moving.to.replica != self.replica || moving.phase != phase)
        });
        let _ = timeout(SEEN_WITHIN, moved).await;
    }

    /// The new replica learns the log, and then is to be as far as the others were at that moment. Large variables may come later where
    /// the old one is lost: the kernel is short of a voter until then.
    async fn join(&self, record: &KernelRecord, moving: &Move) -> Option<Step> {
        if let Some(why) = self.hopeless(moving) {
            return Some(Step::Undo { why });
        }
        // It is asked only once it is there: a leader that finds nobody tries again later and later.
        self.info(&moving.to).await?;
        self.reshape(&record.replicas, &record.replicas, Some(&moving.to), Known::Nothing)
            .await?;
        let others = self.infos(&record.replicas).await;
        let log = others.iter().map(|info| info.log).max()?;
        let cells = others.iter().map(|info| info.cells).max()?;
        loop {
            if let Some(info) = self.info(&moving.to).await
                && info.pid.is_some()
                && info.log >= log
                && info.applied >= cells
                && (info.lacks == 0 || moving.why == Why::Repair)
            {
                return Some(Step::Leave);
            }
            if let Some(why) = self.hopeless(moving) {
                return Some(Step::Undo { why });
            }
            self.current()?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The old replica gives up its role, the group takes the new one for it.
    async fn leave(&self, record: &KernelRecord, moving: &Move) -> Option<Step> {
        if let Some(why) = self.hopeless(moving) {
            return Some(Step::Undo { why });
        }
        let staying = staying(record, moving);
        if !self.is_down(&moving.from.host) {
            match self.info(&moving.from).await {
                Some(info) if info.retired => {}
                Some(info) if info.role == Role::Executor => {
                    if !self.hand_over(&moving.to).await && self.another_is_lost(record, moving) {
                        let why = "another replica was lost while a cell kept this one from moving".to_owned();
                        return Some(Step::Undo { why });
                    }
                    return None;
                }
                Some(_) | None => return None,
            }
        }
        self.reshape(&staying, &staying, None, Known::Nothing).await?;
        Some(Step::Finish)
    }

    /// The new replica gives up what it has got.
    async fn undo(&self, record: &KernelRecord, moving: &Move, silent: &mut Option<Instant>) -> Option<Step> {
        if !self.is_down(&moving.to.host) {
            match self.info(&moving.to).await {
                Some(info) if info.retired => {}
                Some(info) if info.role == Role::Executor => {
                    let mut to: Vec<&Placement> = record.replicas.iter().collect();
                    to.sort_by_key(|placement| (self.is_down(&placement.host), **placement != moving.from));
                    let to = to.first()?;
                    self.hand_over(to).await;
                    return None;
                }
                Some(_) => return None,
                None if silent.get_or_insert_with(Instant::now).elapsed() > SILENT => {}
                None => return None,
            }
        }
        let asked = staying(record, moving);
        self.reshape(&asked, &record.replicas, None, Known::HasVoted).await?;
        Some(Step::Finish)
    }

    /// Why the new replica is not waited for.
    fn hopeless(&self, moving: &Move) -> Option<String> {
        let to = &moving.to.host;
        if self.is_down(to) {
            return Some(format!("host {to} was lost"));
        }
        if unix_us().saturating_sub(moving.began_us) < MOVE_WITHIN_US {
            return None;
        }
        Some(match moving.phase {
            Phase::Joining => format!("the replica on {to} did not catch up in time"),
            Phase::Leaving | Phase::Undoing => format!("a cell on {} did not end in time", moving.from.host),
        })
    }

    fn another_is_lost(&self, record: &KernelRecord, moving: &Move) -> bool {
        let others = record.replicas.iter().filter(|placement| **placement != moving.from);
        moving.why != Why::Repair && others.into_iter().any(|placement| self.is_down(&placement.host))
    }

    /// Makes the kernel's group consist of these voters, by way of any replica that can be reached.
    async fn reshape(
        &self,
        ask: &[Placement],
        voters: &[Placement],
        learner: Option<&Placement>,
        known: Known,
    ) -> Option<()> {
        let named = |placement: &Placement| (placement.replica, placement.host.clone());
        let request = ReplicaRequest::Reshape {
            voters: voters.iter().map(named).collect(),
            learners: learner.into_iter().map(named).collect::<BTreeMap<_, _>>(),
            known,
            within_us: u64::try_from(RESHAPE_WITHIN.as_micros()).unwrap_or(u64::MAX),
        };
        for placement in ask.iter().filter(|placement| !self.is_down(&placement.host)) {
            match self.ask(placement, &request, RESHAPE_WITHIN + INFO_WITHIN).await {
                Some(ReplicaReply::Done) => return Some(()),
                Some(ReplicaReply::Refused { code, message }) => {
                    tracing::info!(kernel = %self.kernel, code, message, "members not changed yet");
                }
                Some(_) | None => {}
            }
            self.current()?;
        }
        None
    }

    /// True when the replica can run a cell as executor.
    async fn hand_over(&self, to: &Placement) -> bool {
        let asked = self.ask(to, &ReplicaRequest::Handover, HANDOVER_WITHIN).await;
        if let Some(ReplicaReply::Refused { code, message }) = &asked {
            tracing::info!(kernel = %self.kernel, code, message, "executor's role not handed over yet");
        }
        matches!(asked, Some(ReplicaReply::Done))
    }

    async fn infos(&self, replicas: &[Placement]) -> Vec<ReplicaInfo> {
        let up = replicas.iter().filter(|placement| !self.is_down(&placement.host));
        join_all(up.map(|placement| self.info(placement)))
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    /// What this replica knows, and no other that its host may still run.
    async fn info(&self, placement: &Placement) -> Option<ReplicaInfo> {
        match self.ask(placement, &ReplicaRequest::Info, INFO_WITHIN).await? {
            ReplicaReply::Info(info) => Some(*info).filter(|info| info.replica == placement.replica),
            _ => None,
        }
    }

    async fn ask(&self, of: &Placement, request: &ReplicaRequest, within: Duration) -> Option<ReplicaReply> {
        ask(&self.around, self.kernel, &of.host, request, within).await
    }

    fn is_down(&self, host: &NodeName) -> bool {
        self.around.mesh.peer_state(host) == PeerState::Down && host != self.around.mesh.local()
    }
}

/// Asks a replica of a kernel.
pub(crate) async fn ask(
    around: &Arguments,
    kernel: KernelId,
    host: &NodeName,
    request: &ReplicaRequest,
    within: Duration,
) -> Option<ReplicaReply> {
    let path = replica_path(kernel);
    let called = around.mesh.call(host, &path, to_bytes(request), within).await;
    match called.map(|body| codec::decode(&body)) {
        Ok(Ok(reply)) => Some(reply),
        Ok(Err(error)) => {
            tracing::warn!(%kernel, %host, %error, "unreadable answer of a replica");
            None
        }
        Err(_) => None,
    }
}

/// The replicas that the kernel has when the move is done, those that have been there first.
fn staying(record: &KernelRecord, moving: &Move) -> Vec<Placement> {
    let others = record.replicas.iter().filter(|placement| **placement != moving.from);
    others.chain([&moving.to]).cloned().collect()
}
