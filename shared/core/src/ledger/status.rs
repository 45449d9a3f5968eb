//! A key as people and plans see it, and whether it should be read.

use jiff::Timestamp;
use serde::Serialize;

use super::window::RESET_MARGIN;
use super::{Account, Doubt, KeyId, KeyState, Ledger, LedgerSettings, Refusal};
use crate::clock::{after, before};
use crate::points::Points;

/// A key as people and plans see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// The key.
    pub key: KeyId,
    /// Whether it can lend.
    pub state: KeyState,
    /// Points per window; zero until it was read.
    pub limit: Points,
    /// The highest counter seen in this window.
    pub spent: Points,
    /// On loan, unconfirmed included.
    pub held: Points,
    /// On loan to calls that are over.
    pub unconfirmed: Points,
    /// What it could lend now to anybody; zero unless it is open.
    pub free: Points,
    /// What is kept for priority asks at this moment.
    pub reserve: Points,
    /// What is left of the reserve: what it could lend now to a priority ask beyond `free`.
    pub reserved: Points,
    /// Calls that run.
    pub in_flight: u64,
    /// When the window ends.
    pub reset_at: Timestamp,
    /// When it may lend more than now: a new window can be read, or its rest is over.
    pub renews_at: Timestamp,
    /// When the reserve is given back to everybody.
    pub released_at: Timestamp,
    /// The least free amount for which it lends a unit now, where that may be less than what an ask declares.
    pub lends_from: Option<Points>,
    /// Somebody reads the counter at this moment, so it may lend soon.
    pub being_read: bool,
    /// Calls that the upstream refused for lack of points, ever.
    pub refused: u64,
    /// Why it rests, where the upstream refused it; `None` for a pause by hand.
    pub refusal: Option<Refusal>,
    /// What is in doubt about it, until it is read again.
    pub doubt: Option<Doubt>,
    /// Of `unconfirmed`: on loan to calls that got no answer and may still be billed.
    pub lost: Points,
    /// When the first of those can no longer be billed.
    pub lost_until: Option<Timestamp>,
}

impl KeyStatus {
    /// When the key may lend `needed` to anybody, if it cannot now: when the reserve is given back or a lost call can no
    /// longer be billed, if that is enough, else when it renews.
    pub fn lends_at(&self, needed: Points) -> Timestamp {
        let whole = self.free.saturating_add(self.reserved);
        let released = (!self.reserved.is_zero() && whole >= needed).then_some(self.released_at);
        let kept = self.reserve.saturating_sub(self.reserved);
        let with_lost = self.free.saturating_add(self.lost.saturating_sub(kept));
        let found = self.lost_until.filter(|_| self.state == KeyState::Open && with_lost >= needed);
        released.into_iter().chain(found).min().unwrap_or(self.renews_at)
    }

    /// Whether the key may lend `needed` within moments: somebody reads its counter, or calls in flight hold so much
    /// that what they give back may be enough. What comes back fills the reserve first, which only `priority` may use.
    pub fn may_soon_lend(&self, needed: Points, priority: bool) -> bool {
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
            lends_from: self.lends_from(account, now),
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
    /// Whether another reading of the limit may help: the last one said another than counts, or one alone has said that no
    /// window has `needed` points.
    fn limit_matters(&self, settings: &LedgerSettings, needed: Points) -> bool {
        let Some(told) = self.limit_doubt else { return false };
        self.limit != Some(told) || told.saturating_sub(settings.guard) < needed
    }

    /// When the key may lend more than now: when its rest is over, when it may be read again, or when its window is over.
    fn renews_at(&self, settings: &LedgerSettings, now: Timestamp) -> Timestamp {
        if let Some(rested) = self.rests_until(settings, now) {
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
            // In doubt it is read at once; at the reset when it is sure to have passed.
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
