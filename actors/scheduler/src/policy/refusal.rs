//! Why a kernel finds no place.

use std::collections::BTreeMap;
use std::fmt;

use super::place::Want;
use super::ratio::Ratio;

/// What keeps one host from taking a replica; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Gpus,
    Vram,
    Memory,
    Draining,
    Away,
    Limit,
}

/// A kernel that was not placed. Shown to users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) want: Want,
    pub(super) limit: Ratio,
    /// Hosts that could take a replica.
    pub(super) fitting: usize,
    pub(super) reasons: BTreeMap<Reason, usize>,
}

impl Refusal {
    /// Stable code; `NB0620` when nothing but the limit of subscription stands in the way.
    pub fn code(&self) -> &'static str {
        if self.by_limit_alone() { "NB0620" } else { "NB0602" }
    }

    pub fn want(&self) -> Want {
        self.want
    }

    /// Whether the kernel could be placed if the limit of subscription did not count.
    pub fn by_limit_alone(&self) -> bool {
        self.fitting + self.hosts_with(Reason::Limit) >= self.want.replicas
    }

    /// Hosts that this reason keeps from taking a replica.
    pub fn hosts_with(&self, reason: Reason) -> usize {
        self.reasons.get(&reason).copied().unwrap_or(0)
    }

    /// How many hosts more there would have to be.
    pub fn lacking(&self) -> usize {
        self.want.replicas.saturating_sub(self.fitting)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Want {
            replicas,
            gpus,
            vram,
            memory,
        } = self.want;
        write!(f, "a kernel needs {replicas} hosts with {gpus} GPUs")?;
        if vram > 0 {
            write!(f, " of {}", gib(vram))?;
        }
        if memory > 0 {
            write!(f, " and {} of memory", gib(memory))?;
        }
        let hosts = self.fitting + self.reasons.values().sum::<usize>();
        write!(f, " each; {} of {hosts} can take it now", self.fitting)?;
        for (number, (reason, count)) in self.reasons.iter().enumerate() {
            let between = if number == 0 { ": " } else { ", " };
            write!(f, "{between}{count} ")?;
            match reason {
                Reason::Gpus => write!(f, "with too few GPUs")?,
                Reason::Vram => write!(f, "with too little memory on a GPU")?,
                Reason::Memory => write!(f, "with too little memory left")?,
                Reason::Draining => write!(f, "draining")?,
                Reason::Away => write!(f, "down")?,
                Reason::Limit => write!(f, "subscribed up to the limit of {}", self.limit)?,
            }
        }
        Ok(())
    }
}

/// Rounded up to a tenth: what is asked for must not look smaller than it is.
fn gib(bytes: u64) -> String {
    let tenths = u128::from(bytes).saturating_mul(10).div_ceil(1 << 30);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}
