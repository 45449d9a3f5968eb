//! What an operator decides about every key.

use std::time::Duration;

use super::hold::HOLD_MARGIN;
use super::window::{FAR_MARGIN, RESET_MARGIN};
use crate::points::Points;

/// How the ledger treats every key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    /// Left alone on every key, for strangers who use it too.
    pub guard: Points,
    /// Kept for priority asks on every key, but never more than a tenth of its limit. Given back to everybody in the
    /// last tenth of the window, so that it does not expire unspent.
    pub reserve: Points,
    /// How long the upstream's window is.
    pub window: Duration,
    /// How long a call that got no answer may still be billed: its hold stays for that long, and then until a reading
    /// that started later. No shorter than a call may take, so that a clock that jumps ahead ends no hold too early.
    pub grace: Duration,
    /// What is held for a unit.
    pub bounds: Bounds,
    /// What becomes of the last points of a window, too few for a unit's bound.
    pub tail: Tail,
}

/// What is held for a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bounds {
    /// What the ask declares. What calls cost is learned all the same, for people to see.
    #[default]
    Declared,
    /// The dearest unit seen, as soon as enough calls are known, if that is less than what the ask declares.
    Learned,
}

/// What becomes of the last points of a window, too few for a unit's bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// They expire: nothing is ever overspent.
    #[default]
    Strict,
    /// A single unit is tried while that many of 1,000 calls would fit into what is left. When it costs more after
    /// all, the window is overspent by the difference.
    Quantile(u32),
    /// Single units are tried, one at a time, until nothing is left. The last one overspends the window, or is refused.
    Probe,
}

impl LedgerSettings {
    /// Everything is lent to whoever asks first, and nothing is billed after its call has ended.
    pub const fn plain(window: Duration) -> LedgerSettings {
        LedgerSettings {
            guard: Points::ZERO,
            reserve: Points::ZERO,
            window,
            grace: Duration::ZERO,
            bounds: Bounds::Declared,
            tail: Tail::Strict,
        }
    }

    /// The reserve is given back this long before the reset: a tenth of the window, which is long enough for a wake-up
    /// that is a minute late. In the short windows of a demonstration the edge would leave no time to spend it.
    pub(super) fn release(&self) -> Duration {
        (self.window / 10).max(self.edge() * 2)
    }

    /// Before the reset nothing is granted for this long: a second by which our estimate of the reset may be late,
    /// since the upstream rounds up, and the time of a call, which is a small part of the window.
    pub fn edge(&self) -> Duration {
        RESET_MARGIN + (self.window / 20).min(Duration::from_secs(1))
    }

    /// The furthest that a hold's end can lie ahead. One that lies further was set by a clock that was ahead.
    pub(super) fn longest_hold(&self) -> Duration {
        let call = if self.grace.is_zero() { self.window } else { self.grace };
        call + HOLD_MARGIN + FAR_MARGIN
    }
}
