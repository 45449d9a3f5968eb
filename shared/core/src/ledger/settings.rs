//! The operator's settings for every key.

use std::time::Duration;

use super::hold::HOLD_MARGIN;
use super::window::{FAR_MARGIN, RESET_MARGIN};
use crate::points::Points;

/// How the ledger treats every key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    /// Points that are never spent on any key, left for other programs that use the same key.
    pub guard: Points,
    /// Points kept on every key for priority asks, but never more than a tenth of its limit. They are released to all
    /// asks in the last tenth of the window, so that they do not expire unspent.
    pub reserve: Points,
    /// The length of the upstream's window.
    pub window: Duration,
    /// How long a call that got no answer may still be billed. Its hold stays for that long, and then until a reading
    /// that started later. At least as long as a call may take, so that a clock that jumps ahead ends no hold too
    /// early.
    pub grace: Duration,
    /// The amount held for a unit.
    pub bounds: Bounds,
    /// What to do with the last points of a window, if they are too few for a unit's bound.
    pub tail: Tail,
}

/// The amount held for a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bounds {
    /// The bound that the ask declares. Costs are still learned, for display.
    #[default]
    Declared,
    /// The highest cost of a unit seen, once enough calls are known and if it is less than what the ask declares.
    Learned,
}

/// What to do with the last points of a window, if they are too few for a unit's bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// They expire. Nothing is ever overspent.
    #[default]
    Strict,
    /// A single unit is tried while this many of 1,000 calls would fit into what is left. If it costs more after all,
    /// the window is overspent by the difference.
    Quantile(u32),
    /// Single units are tried, one at a time, until nothing is left. The last one overspends the window or is refused.
    Probe,
}

impl LedgerSettings {
    /// Settings without guard and reserve, for an upstream that bills nothing after a call has ended.
    pub const fn without_reserve(window: Duration) -> LedgerSettings {
        LedgerSettings {
            guard: Points::ZERO,
            reserve: Points::ZERO,
            window,
            grace: Duration::ZERO,
            bounds: Bounds::Declared,
            tail: Tail::Strict,
        }
    }

    /// Returns how long before the reset the reserve is released: a tenth of the window, which is long enough for a
    /// wake-up that is a minute late. In the short windows of a demonstration it is twice the edge, because otherwise
    /// there would be no time left to spend it.
    pub(super) fn release(&self) -> Duration {
        (self.window / 10).max(self.edge() * 2)
    }

    /// Returns for how long before the reset nothing is granted. It is the second by which our estimate of the reset
    /// may be late, because the upstream rounds up, plus time for a call (at most a second, and at most a twentieth of
    /// the window).
    pub fn edge(&self) -> Duration {
        RESET_MARGIN + (self.window / 20).min(Duration::from_secs(1))
    }

    /// Returns the furthest that a hold's end can be ahead. A hold that ends later was set by a clock that was ahead.
    pub(super) fn longest_hold(&self) -> Duration {
        let call = if self.grace.is_zero() { self.window } else { self.grace };
        call + HOLD_MARGIN + FAR_MARGIN
    }
}
