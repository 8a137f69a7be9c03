//! The way of one process from running to suspended or back: a pure state machine.
//!
//! The driver knows `running → locked → checkpointed → locked → running`, and `failed`. After every call the machine
//! asks for the state again and trusts only that. What fails, or comes too late, is taken back as far as the driver
//! allows: a process that was to be suspended runs on, one that was to run stays suspended and off the devices.

use std::fmt;
use std::time::{Duration, Instant};

/// What the driver says of a process (`CUprocessState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// Uses CUDA freely.
    Running,
    /// Its CUDA calls block; its memory is on the devices.
    Locked,
    /// Its memory is in the host's RAM, and it holds no device.
    Checkpointed,
    /// Cannot be used any more; only its end helps.
    Failed,
}

impl ProcessState {
    /// By its number in `cuda.h`.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Running),
            1 => Some(Self::Locked),
            2 => Some(Self::Checkpointed),
            3 => Some(Self::Failed),
            _ => None,
        }
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Locked => "locked",
            Self::Checkpointed => "checkpointed",
            Self::Failed => "failed",
        })
    }
}

/// Where a process is to be brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Off the devices.
    Suspended,
    /// On the devices, using them.
    Running,
}

/// One question to the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Where the process is.
    State,
    /// Stop its CUDA calls.
    Lock,
    /// Bring its memory to the host and give its devices back.
    Checkpoint,
    /// Take devices and bring its memory there.
    Restore,
    /// Let its CUDA calls go on.
    Unlock,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::State => "state",
            Self::Lock => "lock",
            Self::Checkpoint => "checkpoint",
            Self::Restore => "restore",
            Self::Unlock => "unlock",
        })
    }
}

/// Why a step did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The driver's error number, a `CUresult`.
    Driver(u32),
    /// There was no time left for it.
    TooLate,
    /// The driver reported success, or nothing, and the process is somewhere else.
    Unexpected(ProcessState),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(code) => match name(*code) {
                Some(name) => f.write_str(name),
                None => write!(f, "driver error {code}"),
            },
            Self::TooLate => f.write_str("no time was left"),
            Self::Unexpected(state) => write!(f, "the process is {state} afterwards"),
        }
    }
}

/// The `CUresult`s that the checkpoint functions are documented to return, and those of a dead process or card.
fn name(code: u32) -> Option<&'static str> {
    Some(match code {
        1 => "CUDA_ERROR_INVALID_VALUE",
        2 => "CUDA_ERROR_OUT_OF_MEMORY",
        3 => "CUDA_ERROR_NOT_INITIALIZED",
        46 => "CUDA_ERROR_DEVICE_UNAVAILABLE",
        100 => "CUDA_ERROR_NO_DEVICE",
        101 => "CUDA_ERROR_INVALID_DEVICE",
        304 => "CUDA_ERROR_OPERATING_SYSTEM",
        401 => "CUDA_ERROR_ILLEGAL_STATE",
        600 => "CUDA_ERROR_NOT_READY",
        800 => "CUDA_ERROR_NOT_PERMITTED",
        801 => "CUDA_ERROR_NOT_SUPPORTED",
        999 => "CUDA_ERROR_UNKNOWN",
        _ => return None,
    })
}

/// What the driver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To [`Step::State`].
    State(ProcessState),
    /// To [`Step::State`]: an error number.
    NoState(u32),
    /// To any other step.
    Done,
    /// To any other step: an error number.
    Refused(u32),
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask the driver, in no more than this time.
    Call(Step, Duration),
    End(Result<(), Failure>),
}

/// What went wrong, and what it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) why: Why,
    /// None when the driver does not even say that.
    pub(crate) left: Option<ProcessState>,
}

#[derive(Debug)]
pub(crate) struct Course {
    goal: Goal,
    deadline: Instant,
    /// A call whose effect was not seen yet.
    pending: Option<Step>,
    /// The first thing that went wrong.
    failed: Option<(Step, Why)>,
    undo: Undo,
}

/// Going back is tried once: what refuses twice refuses for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undo {
    Untried,
    Tried,
}

impl Course {
    pub(crate) fn new(now: Instant, goal: Goal, within: Duration) -> Self {
        Self {
            goal,
            deadline: now + within,
            pending: None,
            failed: None,
            undo: Undo::Untried,
        }
    }

    /// The first question.
    pub(crate) fn first(&self) -> Step {
        Step::State
    }

    /// Takes the answer to the last question and says what follows.
    pub(crate) fn step(&mut self, now: Instant, answer: Answer) -> Next {
        match answer {
            Answer::State(state) => self.seen(now, state),
            // Neither going on nor back is safe where the process is unknown.
            Answer::NoState(code) => {
                self.fail(Step::State, Why::Driver(code));
                self.end(None)
            }
            Answer::Done => self.call(now, Step::State),
            Answer::Refused(code) => {
                let step = self.pending.take().unwrap_or(Step::State);
                self.fail(step, Why::Driver(code));
                self.call(now, Step::State)
            }
        }
    }

    fn seen(&mut self, now: Instant, state: ProcessState) -> Next {
        if let Some(step) = self.pending.take()
            && after(step) != Some(state)
        {
            self.fail(step, Why::Unexpected(state));
        }
        if self.failed.is_some() {
            return self.go_back(now, state);
        }
        match towards(self.goal, state) {
            Way::Arrived => Next::End(Ok(())),
            Way::None => {
                self.fail(Step::State, Why::Unexpected(state));
                self.end(Some(state))
            }
            Way::By(step) if now >= self.deadline => {
                self.fail(step, Why::TooLate);
                self.go_back(now, state)
            }
            Way::By(step) => {
                self.pending = Some(step);
                self.call(now, step)
            }
        }
    }

    /// Out of the state in which a process holds devices and cannot use them.
    fn go_back(&mut self, now: Instant, state: ProcessState) -> Next {
        let back = match self.goal {
            Goal::Suspended => Step::Unlock,
            Goal::Running => Step::Checkpoint,
        };
        if state != ProcessState::Locked || self.undo == Undo::Tried {
            return self.end(Some(state));
        }
        self.undo = Undo::Tried;
        self.pending = Some(back);
        self.call(now, back)
    }

    fn call(&self, now: Instant, step: Step) -> Next {
        Next::Call(step, self.deadline.saturating_duration_since(now))
    }

    fn fail(&mut self, step: Step, why: Why) {
        self.failed.get_or_insert((step, why));
    }

    fn end(&mut self, left: Option<ProcessState>) -> Next {
        let (step, why) = self.failed.take().expect("invariant: ends so after a failure only");
        Next::End(Err(Failure { step, why, left }))
    }
}

enum Way {
    Arrived,
    By(Step),
    /// From nowhere to nowhere.
    None,
}

fn towards(goal: Goal, state: ProcessState) -> Way {
    match (goal, state) {
        (Goal::Suspended, ProcessState::Running) => Way::By(Step::Lock),
        (Goal::Suspended, ProcessState::Locked) => Way::By(Step::Checkpoint),
        (Goal::Suspended, ProcessState::Checkpointed) => Way::Arrived,
        (Goal::Running, ProcessState::Checkpointed) => Way::By(Step::Restore),
        (Goal::Running, ProcessState::Locked) => Way::By(Step::Unlock),
        (Goal::Running, ProcessState::Running) => Way::Arrived,
        (_, ProcessState::Failed) => Way::None,
    }
}

/// Where a process is after a step that worked.
fn after(step: Step) -> Option<ProcessState> {
    match step {
        Step::State => None,
        Step::Lock | Step::Restore => Some(ProcessState::Locked),
        Step::Checkpoint => Some(ProcessState::Checkpointed),
        Step::Unlock => Some(ProcessState::Running),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(10);

    /// A driver that does what it should, except for the calls it is told to refuse or to be slow at.
    struct Model {
        state: ProcessState,
        calls: Vec<Step>,
    }

    impl Model {
        fn call(&mut self, step: Step, refuse: bool) -> Answer {
            self.calls.push(step);
            let from = match step {
                Step::State => {
                    return if refuse {
                        Answer::NoState(999)
                    } else {
                        Answer::State(self.state)
                    };
                }
                Step::Lock => ProcessState::Running,
                Step::Checkpoint | Step::Unlock => ProcessState::Locked,
                Step::Restore => ProcessState::Checkpointed,
            };
            if refuse || self.state != from {
                return Answer::Refused(401);
            }
            self.state = after(step).expect("moves");
            Answer::Done
        }
    }

    fn run(
        from: ProcessState,
        goal: Goal,
        mut refuse: impl FnMut(Step) -> bool,
        mut takes: impl FnMut(Step) -> Duration,
    ) -> (Model, Result<(), Failure>) {
        let mut model = Model {
            state: from,
            calls: Vec::new(),
        };
        let mut now = Instant::now();
        let mut course = Course::new(now, goal, WITHIN);
        let mut step = course.first();
        loop {
            assert!(model.calls.len() < 12, "{:?}", model.calls);
            now += takes(step);
            let answer = model.call(step, refuse(step));
            match course.step(now, answer) {
                Next::Call(next, _) => step = next,
                Next::End(result) => return (model, result),
            }
        }
    }

    fn at_once(_: Step) -> Duration {
        Duration::ZERO
    }

    #[test]
    fn there_and_back() {
        let (model, result) = run(ProcessState::Running, Goal::Suspended, |_| false, at_once);
        assert_eq!((model.state, result), (ProcessState::Checkpointed, Ok(())));
        assert_eq!(
            model.calls,
            [Step::State, Step::Lock, Step::State, Step::Checkpoint, Step::State]
        );
        let (model, result) = run(ProcessState::Checkpointed, Goal::Running, |_| false, at_once);
        assert_eq!((model.state, result), (ProcessState::Running, Ok(())));
        assert_eq!(
            model.calls,
            [Step::State, Step::Restore, Step::State, Step::Unlock, Step::State]
        );
    }

    #[test]
    fn what_is_there_already_needs_no_step() {
        for (state, goal) in [
            (ProcessState::Checkpointed, Goal::Suspended),
            (ProcessState::Running, Goal::Running),
        ] {
            let (model, result) = run(state, goal, |_| false, at_once);
            assert_eq!((model.calls, result), (vec![Step::State], Ok(())));
        }
    }

    #[test]
    fn a_process_that_cannot_be_checkpointed_runs_on() {
        let (model, result) = run(
            ProcessState::Running,
            Goal::Suspended,
            |step| step == Step::Checkpoint,
            at_once,
        );
        let failure = result.expect_err("refused");
        assert_eq!(failure.step, Step::Checkpoint);
        assert_eq!(
            (failure.left, model.state),
            (Some(ProcessState::Running), ProcessState::Running)
        );
    }

    #[test]
    fn a_process_that_cannot_be_unlocked_goes_off_the_devices_again() {
        let (model, result) = run(
            ProcessState::Checkpointed,
            Goal::Running,
            |step| step == Step::Unlock,
            at_once,
        );
        assert_eq!(result.expect_err("refused").left, Some(ProcessState::Checkpointed));
        assert_eq!(model.state, ProcessState::Checkpointed);
    }

    #[test]
    fn what_comes_too_late_is_taken_back() {
        let slow_lock = |step| if step == Step::Lock { WITHIN } else { Duration::ZERO };
        let (model, result) = run(ProcessState::Running, Goal::Suspended, |_| false, slow_lock);
        let failure = result.expect_err("late");
        assert_eq!((failure.step, failure.why), (Step::Checkpoint, Why::TooLate));
        assert_eq!(
            (failure.left, model.state),
            (Some(ProcessState::Running), ProcessState::Running)
        );
    }

    #[test]
    fn a_failed_process_is_left_alone() {
        for goal in [Goal::Suspended, Goal::Running] {
            let (model, result) = run(ProcessState::Failed, goal, |_| false, at_once);
            assert_eq!(model.calls, [Step::State]);
            assert_eq!(result.expect_err("failed").left, Some(ProcessState::Failed));
        }
    }

    fn state() -> impl Strategy<Value = ProcessState> {
        (0..4).prop_map(|number| ProcessState::from_number(number).expect("one of four"))
    }

    proptest! {
        /// Whatever is refused or slow, the course ends, says what is left, and leaves nothing locked but what the
        /// driver refuses to move.
        #[test]
        fn ends_and_tells_the_truth(
            from in state(),
            goal in prop_oneof![Just(Goal::Suspended), Just(Goal::Running)],
            refusals in prop::collection::vec(any::<bool>(), 16),
            slow in prop::collection::vec(0..12u64, 16),
        ) {
            let (mut call, mut pause) = (0, 0);
            let mut refused_move = false;
            let (model, result) = run(
                from,
                goal,
                |step| {
                    call += 1;
                    refused_move |= refusals[call] && step != Step::State;
                    refusals[call]
                },
                |_| {
                    pause += 1;
                    Duration::from_secs(slow[pause])
                },
            );
            match result {
                Ok(()) => {
                    let wanted = match goal {
                        Goal::Suspended => ProcessState::Checkpointed,
                        Goal::Running => ProcessState::Running,
                    };
                    prop_assert_eq!(model.state, wanted);
                }
                Err(Failure { left: Some(left), .. }) => {
                    prop_assert_eq!(left, model.state);
                    prop_assert!(left != ProcessState::Locked || refused_move);
                }
                Err(Failure { left: None, .. }) => prop_assert_eq!(model.calls.last(), Some(&Step::State)),
            }
        }

        /// A driver that answers anything at all does not keep the course going.
        #[test]
        fn ends_with_a_driver_that_makes_no_sense(
            goal in prop_oneof![Just(Goal::Suspended), Just(Goal::Running)],
            states in prop::collection::vec(state(), 16),
        ) {
            let now = Instant::now();
            let mut course = Course::new(now, goal, WITHIN);
            let mut step = course.first();
            let mut calls = 0;
            loop {
                prop_assert!(calls < 12);
                let answer = match step {
                    Step::State => Answer::State(states[calls]),
                    Step::Lock | Step::Checkpoint | Step::Restore | Step::Unlock => Answer::Done,
                };
                calls += 1;
                match course.step(now, answer) {
                    Next::Call(next, _) => step = next,
                    Next::End(_) => break,
                }
            }
        }
    }
}
