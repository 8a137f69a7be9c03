//! Mistakes that the model can be given, to see that its properties notice.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// Who lost an election, or the executor's role, does not give its GPUs back.
    LoserKeepsItsLease,
    /// The session's state machine does not look at epochs.
    EpochsIgnored,
    /// A move ends before the new replica has the log and votes.
    OldLeavesEarly,
    /// An executor without a quorum goes on.
    NoFence,
    /// A taker over does not wait for a silent executor to end its cell.
    NoPause,
    /// A replica whose conditional lease had ended starts the cell all the same.
    LostLeaseForgotten,
}
