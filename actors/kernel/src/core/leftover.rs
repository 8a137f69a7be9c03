//! What a cell leaves on its GPUs after its lease: others do not get such a device before it is clear. Its process stays, or is ended
//! once all that it holds is in the log, and rebuilt from there.

use super::child::Child;
use super::event::LeftOnDevice;
use super::{Core, Micros};

/// What becomes of a process that left memory on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// It stays, and so does the memory: the device comes free when the notebook lets go of it.
    Stays,
    /// It is replaced by one that holds the same session and no GPU memory.
    Respawns,
}

/// A process that left memory on a device.
pub(super) struct Condemned {
    child: u64,
    /// It makes no more cells wait for its last full pass then.
    deadline: Option<Micros>,
}

impl Core {
    /// The running cell's process says what it could not take off its GPUs.
    pub(super) fn left_behind(&mut self, left: &[LeftOnDevice]) {
        match self.settings.leftover {
            Leftover::Stays => self.tell_left(left),
            Leftover::Respawns => {
                if self.pins_here() {
                    self.tell_left(left);
                }
                self.condemned = Some(Condemned {
                    child: self.children,
                    deadline: None,
                });
            }
        }
    }

    /// Replaces a process that left memory on a device, between cells: a full pass first, which finds what captures missed.
    pub(super) fn advance_leftover(&mut self) {
        let Some(condemned) = &self.condemned else {
            return;
        };
        if condemned.child != self.children || !matches!(self.child, Child::Live(_)) {
            self.condemned = None;
            return;
        }
        // What is pinned here would go with it: not before that is gone.
        if self.cell.is_some() || self.proposal.is_some() || !self.scrubs.is_empty() || self.pins_here() {
            return;
        }
        if self.is_executor() {
            let deadline = condemned.deadline.unwrap_or_else(|| self.now + self.barrier_patience());
            self.yield_until = self.yield_until.max(deadline);
            self.pass_ahead();
            if !self.passed_ahead() && self.now < deadline {
                if let Some(condemned) = &mut self.condemned {
                    condemned.deadline = Some(deadline);
                }
                return;
            }
            self.yield_until = 0;
        }
        self.condemned = None;
        self.kill_child();
        self.start_child();
    }

    /// The process runs no other cell.
    pub(super) fn child_is_to_go(&self) -> bool {
        self.condemned.is_some() && !self.pins_here()
    }

    /// A process makes its last full pass.
    pub(super) fn is_replacing_child(&self) -> bool {
        self.condemned
            .as_ref()
            .is_some_and(|condemned| condemned.deadline.is_some())
    }

    fn pins_here(&self) -> bool {
        let here = self.host.as_str();
        self.state.pinned().iter().any(|pinned| pinned.home == here)
    }

    /// Once for each process: what stays, stays for many cells.
    fn tell_left(&mut self, left: &[LeftOnDevice]) {
        if self.told_left == self.children {
            return;
        }
        self.told_left = self.children;
        let parts: Vec<String> = left
            .iter()
            .map(|left| {
                format!(
                    "{} MiB on GPU {} ({})",
                    left.bytes.div_ceil(1 << 20),
                    left.index,
                    left.why
                )
            })
            .collect();
        self.tell(&format!(
            "[NB0420] memory stays on GPUs that this cell has given back, and keeps others from them: {}\n",
            parts.join(", ")
        ));
    }
}
