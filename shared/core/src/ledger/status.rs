//! The status of a key, for display and planning, and whether it should be read.

use jiff::Timestamp;
use serde::Serialize;

use super::window::RESET_MARGIN;
use super::{Account, Doubt, KeyId, KeyRefusal, KeyState, Ledger, LedgerSettings};
use crate::clock::{after, before};
use crate::points::Points;

/// The status of a key, for display and planning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// The key.
    pub key: KeyId,
    /// Whether it can grant points.
    pub state: KeyState,
    /// Points per window; zero until the key is read.
    pub limit: Points,
    /// The highest counter read in this window.
    pub spent: Points,
    /// The sum of all holds, including unconfirmed ones.
    pub held: Points,
    /// The amount held by calls that are over.
    pub unconfirmed: Points,
    /// What it could grant to any ask now; zero unless it is open.
    pub free: Points,
    /// The amount kept for priority asks now.
    pub reserve: Points,
    /// What is left of the reserve: what a priority ask could get now beyond `free`.
    pub reserved: Points,
    /// The number of calls that are running.
    pub in_flight: u64,
    /// When the window ends.
    pub reset_at: Timestamp,
    /// When it may grant more than now: a new window can be read, or its rest is over.
    pub renews_at: Timestamp,
    /// When the reserve is released to all asks.
    pub released_at: Timestamp,
    /// The least free amount for which it grants a unit now, if that may be less than what an ask declares.
    pub smallest_grant: Option<Points>,
    /// Whether a caller is reading the counter now, so that the key may soon grant points.
    pub being_read: bool,
    /// How many calls the upstream has ever refused for lack of points.
    pub refused: u64,
    /// Why it rests, if the upstream refused it; `None` for a pause by hand.
    pub refusal: Option<KeyRefusal>,
    /// What is in doubt until the key is read again.
    pub doubt: Option<Doubt>,
    /// The part of `unconfirmed` that is held by calls that got no answer and may still be billed.
    pub lost: Points,
    /// When the first of those can no longer be billed.
    pub lost_until: Option<Timestamp>,
}

impl KeyStatus {
    /// Returns when the key may grant `needed` to any ask, if it cannot now. This is when the reserve is released or
    /// when a lost call can no longer be billed, if that frees enough, and otherwise when the key renews.
    pub fn grants_at(&self, needed: Points) -> Timestamp {
        let whole = self.free.saturating_add(self.reserved);
        let released = (!self.reserved.is_zero() && whole >= needed).then_some(self.released_at);
        let kept = self.reserve.saturating_sub(self.reserved);
        let with_lost = self.free.saturating_add(self.lost.saturating_sub(kept));
        let found = self.lost_until.filter(|_| self.state == KeyState::Open && with_lost >= needed);
        released.into_iter().chain(found).min().unwrap_or(self.renews_at)
    }

    /// Returns whether the key may grant `needed` within moments: a caller is reading its counter, or the calls in
    /// flight hold so much that what they free may be enough. What is freed fills the reserve first, which only
    /// `priority` may use.
    pub fn may_soon_grant(&self, needed: Points, priority: bool) -> bool {
        let kept = if priority { Points::ZERO } else { self.reserve };
        let due = self.held.saturating_sub(self.lost);
        let most = self.free.saturating_add(self.reserved).saturating_add(due).saturating_sub(kept);
        self.being_read || (self.state == KeyState::Open && self.in_flight > 0 && most >= needed)
    }
}

impl Ledger {
    pub(super) fn describe(&self, key: &KeyId, account: &Account, now: Timestamp) -> KeyStatus {
        let state = account.state(&self.settings, now);
        let (free, whole) = match state {
            KeyState::Open => (account.free(&self.settings, false, now), account.free(&self.settings, true, now)),
            _ => (Points::ZERO, Points::ZERO),
        };
        KeyStatus {
            key: key.clone(),
            state,
            limit: account.limit.unwrap_or_default(),
            spent: account.spent,
            held: account.held(),
            unconfirmed: account.unconfirmed(),
            free,
            reserve: account.reserve(&self.settings, now),
            reserved: whole.saturating_sub(free),
            in_flight: account.in_flight(),
            reset_at: account.reset_at,
            renews_at: account.renews_at(&self.settings, now),
            released_at: before(account.reset_at, self.settings.release()),
            smallest_grant: self.smallest_grant(account, now),
            being_read: account.is_being_read(now),
            refused: account.refused,
            refusal: account.refusal(&self.settings, now),
            doubt: account.doubt(&self.settings, now),
            lost: account.holds.lost(),
            lost_until: account.holds.lost_until(),
        }
    }
}

impl Account {
    /// Returns whether another reading of the limit may help: the last one differs from the limit in force, or it alone
    /// says that no window has `needed` points.
    fn limit_matters(&self, settings: &LedgerSettings, needed: Points) -> bool {
        let Some(told) = self.limit_doubt else { return false };
        self.limit != Some(told) || told.saturating_sub(settings.guard) < needed
    }

    /// Returns when the key may grant more than now: when its rest is over, when it may be read again, or when its
    /// window is over.
    fn renews_at(&self, settings: &LedgerSettings, now: Timestamp) -> Timestamp {
        if let Some(rested) = self.resting_until(settings, now) {
            return rested;
        }
        let renewed = after(self.reset_at, RESET_MARGIN);
        let renewed = if self.is_stale(settings, now) && now < self.reset_at { now } else { renewed };
        renewed.max(self.read_not_before(settings, now).unwrap_or(renewed))
    }
}

pub(super) fn wants_reading(account: &Account, settings: &LedgerSettings, needed: Points, now: Timestamp) -> bool {
    let unconfirmed = account.holds.unconfirmed();
    match account.state(settings, now) {
        KeyState::Stale => {
            // In doubt, it is read at once. After its reset, it is read once the reset is sure to have passed.
            now < account.reset_at || account.limit.is_none() || now >= after(account.reset_at, RESET_MARGIN)
        }
        KeyState::Open => {
            let free = account.free(settings, false, now);
            let helps = account.in_flight() == 0 || free.saturating_add(unconfirmed) >= needed;
            free < needed && (account.limit_matters(settings, needed) || (!unconfirmed.is_zero() && helps))
        }
        KeyState::Edge => !unconfirmed.is_zero() && account.in_flight() == 0,
        KeyState::Paused | KeyState::Retired => false,
    }
}
