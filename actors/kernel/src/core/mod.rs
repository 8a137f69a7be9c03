//! What a replica does about everything that happens to it: a pure state machine.
//!
//! [`Core::step`] takes one [`Event`] with the time it happened at and returns the [`Action`]s to perform. It knows nothing of
//! tokio, sockets or clocks, so that thousands of schedules of three replicas sharing one log run in a second.
//!
//! A replica owns its view of the session ([`KernelState`], fed by the log), at most one running cell, a bounded queue
//! of cells, and the picture of its Python child: which cell's effect the child holds.

mod action;
mod cell;
mod child;
mod clients;
mod deferred;
mod election;
mod ending;
mod event;
mod leftover;
mod line;
mod membership;
mod needs;
mod requests;
mod routing;
mod scrub;
mod takeover;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use nbos_mesh::NodeName;
use nbos_objects::BlobId;

pub(crate) use action::{Action, Apply, ChildCommand, ProposalId, Recipients};
pub(crate) use deferred::FIRST_DEFERRABLE_RANK;
pub use event::Member;
pub(crate) use event::{
    Arrival, Captured, ChildEvent, Event, Failure, FetchFailure, GpuUse, Liveness, RawDelta, RawPinned, Released,
    Ticket,
};
pub(crate) use leftover::Leftover;
pub use membership::{Membership, Replacement};

use crate::id::KernelId;
use crate::message::JupyterMessage;
use crate::protocol::{Channel, ElectionId, KernelSpec, Origin};
use crate::state::{Applied, Command, Executor, KernelState};
use cell::{Cell, Queued};
use child::{Child, RecentDelta};
use election::{Election, Offer};
use scrub::{Barrier, Scrub};
use takeover::{Handover, Passing};

/// Unix time in microseconds.
pub(crate) type Micros = u64;

/// A taker over waits this long before it runs user code when the old executor's host is only silent, not known to be gone: the
/// old one ends its own cell after [`FENCE_SILENCE_US`] without a quorum, and clocks of silence differ by a heartbeat.
const TAKE_OVER_PAUSE_US: Micros = 500_000;

/// An executor that has heard from no quorum for this long ends its own cell. Equal to the mesh's suspicion threshold.
const FENCE_SILENCE_US: Micros = 1_200_000;

/// A proposal whose fate is unknown is made again after this pause.
const PROPOSAL_PAUSE_US: Micros = 30_000;

/// What the core needs of the `[kernel]` table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Groups with more stored bytes go to a child when a cell needs them, or when it has nothing to do.
    pub defer_above: u64,
    /// A cell waits this long for GPUs.
    pub gpu_wait: Micros,
    pub leftover: Leftover,
}

pub(crate) struct Core {
    settings: Settings,
    kernel: KernelId,
    me: Executor,
    host: NodeName,
    spec: KernelSpec,
    membership: Membership,
    liveness: BTreeMap<NodeName, Liveness>,
    state: KernelState,
    child: Child,
    /// Processes started so far.
    children: u64,
    recent: VecDeque<RecentDelta>,
    recent_bytes: u64,
    /// Finds of full passes, oldest first.
    scrubs: VecDeque<Scrub>,
    /// Changes that came from children so far.
    arrivals: Arrival,
    /// Chunks of the change that is being captured or stored.
    arriving: BTreeSet<BlobId>,
    /// A full pass that the child was asked for and has yet to answer.
    open_order: Option<u64>,
    /// The process that left memory on a GPU and is to go.
    condemned: Option<leftover::Condemned>,
    /// The process whose client was told what it left on a GPU.
    told_left: u64,
    /// One that was made while a cell stood in line.
    ahead: Option<scrub::Ahead>,
    /// Who waits for a full pass.
    barriers: Vec<Barrier>,
    /// No cell starts before: another replica is to become the executor.
    yield_until: Micros,
    /// The old executor's full pass before this replica takes its role.
    passing: Option<Passing>,
    /// Questions to children and other replicas so far.
    next_order: u64,
    cell: Option<Cell>,
    /// The cell waits for GPUs.
    election: Option<Election>,
    /// GPUs for a cell of another replica.
    offer: Option<Offer>,
    /// No cell of this election, or an earlier one, waits here any more.
    left: ElectionId,
    queue: VecDeque<Queued>,
    queue_bytes: usize,
    /// Messages for the child that arrived while it was not ready.
    backlog: VecDeque<(Channel, JupyterMessage)>,
    /// Who asked what, to route replies: by `msg_id`, oldest dropped first.
    origins: clients::Origins,
    proposal: Option<Proposal>,
    /// Commands to be proposed after it, in this order.
    unproposed: VecDeque<Command>,
    next_proposal: u64,
    next_apply: u64,
    /// Not before this time may a cell start here (pause after a take-over from a silent host).
    run_after: Micros,
    handovers: Vec<Handover>,
    restarts: Vec<Ticket>,
    /// `Restarted` is to be proposed.
    restart_requested: bool,
    /// Messages of our own so far, to tell them apart.
    messages: u64,
    last_activity: Micros,
    /// When anything was last asked of this replica, or its role changed.
    asked_at: Micros,
    now: Micros,
    actions: Vec<Action>,
}

/// A command on its way to the log.
struct Proposal {
    id: ProposalId,
    command: Arc<Command>,
    /// Set when its fate is unknown: propose again then.
    again_at: Option<Micros>,
}

impl Core {
    pub(crate) fn new(
        kernel: KernelId,
        me: Executor,
        host: NodeName,
        spec: KernelSpec,
        membership: Membership,
        settings: Settings,
    ) -> Self {
        Self {
            settings,
            kernel,
            me,
            host,
            spec,
            membership,
            liveness: BTreeMap::new(),
            state: KernelState::default(),
            child: Child::Off,
            children: 0,
            recent: VecDeque::new(),
            recent_bytes: 0,
            scrubs: VecDeque::new(),
            arrivals: Arrival(0),
            arriving: BTreeSet::new(),
            open_order: None,
            ahead: None,
            condemned: None,
            told_left: 0,
            barriers: Vec::new(),
            yield_until: 0,
            passing: None,
            next_order: 0,
            cell: None,
            election: None,
            offer: None,
            left: ElectionId::default(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            backlog: VecDeque::new(),
            origins: clients::Origins::default(),
            proposal: None,
            unproposed: VecDeque::new(),
            next_proposal: 0,
            next_apply: 0,
            run_after: 0,
            handovers: Vec::new(),
            restarts: Vec::new(),
            restart_requested: false,
            messages: 0,
            last_activity: 0,
            asked_at: 0,
            now: 0,
            actions: Vec::new(),
        }
    }

    /// Takes one event and says what to do about it.
    pub(crate) fn step(&mut self, now: Micros, event: Event) -> Vec<Action> {
        self.now = now.max(self.now);
        match event {
            Event::Restored(state) => self.restored(*state),
            Event::Applied(command) => self.applied(&command),
            Event::ProposalFailed(id) => self.proposal_failed(id),
            Event::Members(membership) => self.set_membership(membership),
            Event::Peers(liveness) => {
                self.liveness = liveness;
                self.drop_orphaned_offer();
            }
            Event::Request { ticket, request } => self.request(ticket, request),
            Event::Child(event) => self.child_event(event),
            Event::Stored { change, result } => self.stored(change, result),
            Event::StoreWaits { change, failure } => self.store_waits(change, &failure),
            Event::Fetched { key, result } => self.fetched(&key, result),
            Event::Scrubbed { asked, version } => self.scrub_answered(asked, version),
            Event::Moved { msg_id, done } => self.moved(&msg_id, done),
            Event::Leased { msg_id, result } => self.leased(&msg_id, result),
            Event::LeaseLost { why } => self.lease_lost(why),
            Event::Room { election, host, result } => self.room_answered(election, host, result),
            Event::Place { election, host, place } => self.place_answered(election, host, place),
            Event::Tick { quorum_silent_us } => self.tick(quorum_silent_us),
        }
        self.advance();
        std::mem::take(&mut self.actions)
    }

    /// The session as this replica knows it.
    pub(crate) fn state(&self) -> &KernelState {
        &self.state
    }

    /// User code runs here now.
    pub(crate) fn runs_cell(&self) -> bool {
        self.cell
            .as_ref()
            .is_some_and(|cell| matches!(cell.phase, cell::Phase::Running { .. }))
    }

    /// Whether a tick is worth while soon: something waits for time to pass.
    pub(crate) fn is_busy(&self) -> bool {
        self.cell.is_some()
            || !self.queue.is_empty()
            || self.proposal.is_some()
            || !self.handovers.is_empty()
            || !self.scrubs.is_empty()
            || !self.barriers.is_empty()
            || !self.restarts.is_empty()
            || self.offer.is_some()
            || self.is_replacing_child()
            || self.child.is_changing()
            || self.deferred_is_due()
    }

    /// Moves on whatever can move. Every event ends here, so no event needs to know what waits for it.
    fn advance(&mut self) {
        self.repeat_proposal();
        self.drop_what_belongs_elsewhere();
        self.take_over_if_needed();
        self.advance_leftover();
        self.sync_child();
        self.advance_scrubs();
        self.advance_cell();
        self.advance_scrubs();
        self.advance_deferred();
        self.settle_barriers();
        if self.cell.is_none() && self.scrubs.is_empty() {
            self.arriving.clear();
        }
        self.settle_handovers();
        self.settle_restarts();
    }

    fn restored(&mut self, state: KernelState) {
        self.state = state;
        self.recent.clear();
        self.recent_bytes = 0;
        self.scrubs.clear();
        let chunks: Vec<BlobId> = self.state.manifest().blobs().into_iter().collect();
        if !chunks.is_empty() {
            self.actions.push(Action::Pull(chunks));
        }
        // Only a fresh process can follow: no kept delta leads to a snapshot.
        if !self.child.is_fresh() {
            self.kill_child();
        }
    }

    fn applied(&mut self, command: &Arc<Command>) {
        let generation = self.state.generation();
        let (executor, epoch, version) = (self.state.executor(), self.state.epoch(), self.state.version());
        let applied = self.state.apply(command);
        let ours = self
            .proposal
            .as_ref()
            .is_some_and(|proposal| proposal.command == *command);
        if ours {
            self.proposal = None;
        }
        if self.state.generation() != generation {
            self.session_restarted();
        } else if self.state.version() != version {
            self.remember_delta(command);
        }
        if self.is_executor() && self.state.epoch() != epoch {
            self.asked_at = self.now;
            self.actions.push(Action::NewEpoch(self.state.epoch()));
        }
        if matches!(applied, Applied::Finished { .. } | Applied::Aborted { .. }) {
            self.asked_at = self.now;
        }
        self.cell_applied(command, applied);
        if matches!(**command, Command::StateScrubbed(_)) {
            self.scrub_applied(ours, applied);
        }
        if self.state.executor() != executor && !self.is_executor() {
            self.lost_executor_role();
        }
        if self.child.is_off() && !matches!(**command, Command::Restarted(_)) {
            // Something happens in this session: be ready to take it over.
            self.start_child();
        }
    }

    fn fetched(&mut self, key: &str, result: Result<(), FetchFailure>) {
        let now = self.now;
        if let Child::Live(live) = &mut self.child {
            live.deferred.fetched(key, result, now);
        }
    }

    fn store_waits(&mut self, change: Arrival, failure: &Failure) {
        if self.cell.as_ref().is_some_and(|cell| cell.arrival == Some(change)) {
            self.tell_waiting(failure);
        }
    }

    /// One command is on its way at a time, so that they reach the log in the order in which they were decided.
    fn propose(&mut self, command: Command) {
        self.unproposed.push_back(command);
        self.propose_next();
    }

    fn propose_next(&mut self) {
        if self.proposal.is_some() {
            return;
        }
        let Some(command) = self.unproposed.pop_front() else {
            return;
        };
        self.next_proposal += 1;
        let id = ProposalId(self.next_proposal);
        let command = Arc::new(command);
        self.actions.push(Action::Propose {
            id,
            command: Arc::clone(&command),
        });
        self.proposal = Some(Proposal {
            id,
            command,
            again_at: None,
        });
    }

    fn proposal_failed(&mut self, id: ProposalId) {
        let again_at = self.now + PROPOSAL_PAUSE_US;
        if let Some(proposal) = self.proposal.as_mut().filter(|proposal| proposal.id == id) {
            proposal.again_at = Some(again_at);
        }
    }

    /// Makes a failed proposal again: commands repeat without harm, the log's state machine takes the first.
    fn repeat_proposal(&mut self) {
        self.propose_next();
        let Some(proposal) = self.proposal.as_mut() else {
            return;
        };
        if proposal.again_at.is_some_and(|at| at <= self.now) {
            self.next_proposal += 1;
            proposal.id = ProposalId(self.next_proposal);
            proposal.again_at = None;
            self.actions.push(Action::Propose {
                id: proposal.id,
                command: Arc::clone(&proposal.command),
            });
        }
    }

    fn tick(&mut self, quorum_silent_us: Micros) {
        if quorum_silent_us > FENCE_SILENCE_US {
            self.fence();
        }
        self.expire_offer();
        self.check_deadlines();
    }

    fn is_executor(&self) -> bool {
        self.state.executor() == Some(self.me)
    }

    fn origin_of(&self, msg_id: &str) -> Option<Origin> {
        self.origins.get(msg_id).cloned()
    }
}

#[cfg(test)]
mod tests;
