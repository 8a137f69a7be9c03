//! What schedules meet.

/// What schedules have met, so that nobody believes in tests that test nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::core::tests) struct Counts {
    pub(in crate::core::tests) acknowledged: u64,
    pub(in crate::core::tests) scrubs: u64,
    pub(in crate::core::tests) large: u64,
    pub(in crate::core::tests) not_stored: u64,
    pub(in crate::core::tests) needs: u64,
    pub(in crate::core::tests) moved: u64,
    pub(in crate::core::tests) touched: u64,
    pub(in crate::core::tests) elected: u64,
    /// Cells of a GPU kernel that ran without a GPU.
    pub(in crate::core::tests) without: u64,
    /// Processes replaced because of what they left on a GPU.
    pub(in crate::core::tests) respawned: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.scrubs += other.scrubs;
        self.large += other.large;
        self.not_stored += other.not_stored;
        self.needs += other.needs;
        self.moved += other.moved;
        self.touched += other.touched;
        self.elected += other.elected;
        self.without += other.without;
        self.respawned += other.respawned;
    }
}
