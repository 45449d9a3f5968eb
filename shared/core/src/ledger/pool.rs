//! All keys together: choosing one, and keeping account of what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Account, Ask, CallEnd, Grant, Hold, HoldId, HoldState, KeyId, KeyState, Reading, ReadingClaim, Reservation, Wait,
    WindowRecord,
};
use crate::clock::{after, before};
use crate::points::Points;

/// Beyond a call's time-out, for the way back: after that a hold ends by itself.
const HOLD_MARGIN: Duration = Duration::from_secs(5);

/// After the reset by our estimate, until the upstream's is sure to have passed too: it counts in whole seconds.
const RESET_MARGIN: Duration = Duration::from_secs(1);

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
}

impl LedgerSettings {
    /// Everything is lent to whoever asks first.
    pub const fn plain(window: Duration) -> LedgerSettings {
        LedgerSettings { guard: Points::ZERO, reserve: Points::ZERO, window }
    }

    /// The reserve is given back this long before the reset: a tenth of the window, which is long enough for a wake-up
    /// that is a minute late.
    pub(super) fn release(&self) -> Duration {
        self.window / 10
    }

    /// Before the reset nothing is granted for this long: a second by which our estimate of the reset may be late,
    /// since the upstream rounds up, and the time of a call, which is a small part of the window.
    pub fn edge(&self) -> Duration {
        RESET_MARGIN + (self.window / 20).min(Duration::from_secs(1))
    }
}

/// The accounts of all keys.
#[derive(Clone, Debug)]
pub struct Ledger {
    settings: LedgerSettings,
    accounts: BTreeMap<KeyId, Account>,
    changes: Changes,
}

/// What a store must write: everything that changed since it was last asked.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Accounts whose record changed.
    pub accounts: BTreeSet<KeyId>,
    /// Holds that were added, changed or dropped. Look each up: what is not there any more was dropped.
    pub holds: BTreeSet<HoldId>,
    /// Windows that ended.
    pub windows: Vec<(KeyId, WindowRecord)>,
}

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
    /// Somebody reads the counter at this moment, so it may lend soon.
    pub being_read: bool,
    /// Calls that the upstream refused for lack of points, ever.
    pub refused: u64,
}

impl KeyStatus {
    /// When the key may lend `needed` to anybody, if it cannot now: when the reserve is given back, if that is enough,
    /// else when it renews.
    pub fn lends_at(&self, needed: Points) -> Timestamp {
        let enough = !self.reserved.is_zero() && self.free.saturating_add(self.reserved) >= needed;
        if enough { self.released_at } else { self.renews_at }
    }

    /// Whether the key may lend `needed` to anybody within moments: somebody reads its counter, or calls in flight hold
    /// so much that what they give back may be enough.
    pub fn may_soon_lend(&self, needed: Points) -> bool {
        let most = self.free.saturating_add(self.reserved).saturating_add(self.held).saturating_sub(self.reserve);
        self.being_read || (self.state == KeyState::Open && self.in_flight > 0 && most >= needed)
    }
}

impl Ledger {
    /// A ledger of accounts that a store has kept.
    pub fn new(settings: LedgerSettings, accounts: BTreeMap<KeyId, Account>) -> Ledger {
        Ledger { settings, accounts, changes: Changes::default() }
    }

    /// The accounts, for storage.
    pub fn accounts(&self) -> &BTreeMap<KeyId, Account> {
        &self.accounts
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Makes `keys` the keys in use: new ones start unread, missing ones are retired, returning ones come back.
    pub fn configure(&mut self, keys: &[KeyId]) {
        for key in keys {
            let account = self.accounts.entry(key.clone()).or_insert_with(|| {
                self.changes.accounts.insert(key.clone());
                Account::unread()
            });
            if account.retired {
                account.retired = false;
                self.changes.accounts.insert(key.clone());
            }
        }
        for (key, account) in &mut self.accounts {
            if !account.retired && !keys.contains(key) {
                account.retired = true;
                self.changes.accounts.insert(key.clone());
            }
        }
    }

    /// Lends points of one key: of the one whose reset comes first among those that have room for a whole message,
    /// else among those that have room for a unit.
    pub fn reserve(&mut self, ask: &Ask, now: Timestamp) -> Reservation {
        self.end_expired(now);
        let Some(smallest) = ask.smallest_start() else {
            return Reservation::Refused { waits: Vec::new() };
        };
        if let Some(unpriceable) = self.unpriceable(ask) {
            return unpriceable;
        }
        let whole = ask.messages.iter().filter(|units| !units.is_empty()).map(|units| units.iter().copied().sum());
        let cheapest_message = whole.min().unwrap_or(smallest);
        let with_room = |room| self.earliest_with_room(room, ask.priority, now);
        match with_room(cheapest_message).or_else(|| with_room(smallest)) {
            Some(key) => Reservation::Granted(self.grant(key, ask, now)),
            None => Reservation::Refused { waits: self.waits(smallest, ask.priority, now) },
        }
    }

    fn unpriceable(&self, ask: &Ask) -> Option<Reservation> {
        let unit = ask.largest_unit()?;
        let mut largest = Points::ZERO;
        for account in self.accounts.values().filter(|account| !account.retired) {
            // A key that was never read may turn out to be large enough.
            largest = largest.max(account.limit?.saturating_sub(self.settings.guard));
        }
        (!largest.is_zero() && unit > largest).then_some(Reservation::Unpriceable { unit, largest })
    }

    fn earliest_with_room(&self, room: Points, priority: bool, now: Timestamp) -> Option<KeyId> {
        let open = self.accounts.iter().filter(|(_, account)| account.state(&self.settings, now) == KeyState::Open);
        let roomy = open.filter(|(_, account)| account.free(&self.settings, priority, now) >= room);
        roomy.min_by_key(|(_, account)| account.reset_at).map(|(key, _)| key.clone())
    }

    fn grant(&mut self, key: KeyId, ask: &Ask, now: Timestamp) -> Grant {
        let account = self.accounts.entry(key.clone()).or_insert_with(Account::unread);
        let taken = ask.fit(account.free(&self.settings, ask.priority, now));
        let units = ask.messages.iter().zip(&taken).flat_map(|(units, taken)| units.iter().take(*taken));
        let amount = units.copied().sum();
        let hold = HoldId { key: key.clone(), sequence: account.next_sequence() };
        let expires_at = after(now, ask.call_timeout.saturating_add(HOLD_MARGIN));
        account.holds.insert(hold.sequence, Hold { amount, expires_at, state: HoldState::InFlight });
        self.changes.accounts.insert(key);
        self.changes.holds.insert(hold.clone());
        Grant { hold, amount, taken }
    }

    fn waits(&self, needed: Points, priority: bool, now: Timestamp) -> Vec<Wait> {
        let in_use = self.accounts.iter().filter(|(_, account)| !account.retired);
        let mut waits: Vec<Wait> = in_use
            .map(|(key, account)| {
                let status = self.describe(key, account, now);
                let free = if priority { status.free.saturating_add(status.reserved) } else { status.free };
                let until = (status.state != KeyState::Stale).then(|| status.lends_at(needed));
                Wait { key: key.clone(), needed, free, until }
            })
            .collect();
        waits.sort_by_key(|wait| wait.until);
        waits
    }

    /// Ends a call's hold. Settling twice, or a hold that has ended by itself, changes nothing but what the reading
    /// says.
    pub fn settle(&mut self, hold: &HoldId, end: CallEnd, now: Timestamp) {
        self.end_expired(now);
        let Some(account) = self.accounts.get_mut(&hold.key) else { return };
        match end {
            CallEnd::Answered(_) | CallEnd::Lost => {
                account.mark_unconfirmed(hold.sequence);
            }
            CallEnd::NotBilled => {
                account.holds.remove(hold.sequence);
            }
            CallEnd::Refused { until } => {
                let known = account.holds.remove(hold.sequence).is_some();
                account.refused += u64::from(known);
                account.refused_until = account.refused_until.max(Some(until));
            }
        }
        self.changes.accounts.insert(hold.key.clone());
        self.changes.holds.insert(hold.clone());
        if let CallEnd::Answered(reading) = end {
            self.take_in(&hold.key.clone(), &reading, hold.sequence);
        }
    }

    /// Lends the right to read a key's counter, if there is a key whose counter would help: one that is stale; one
    /// whose unconfirmed holds stand in the way of `needed`; or one that closes with nothing in flight any more, so
    /// that its last calls are accounted for. The claim lapses after `lease`.
    pub fn claim_reading(&mut self, needed: Points, lease: Duration, now: Timestamp) -> Option<ReadingClaim> {
        self.end_expired(now);
        let settings = self.settings;
        let (key, account) = self.accounts.iter_mut().find(|(_, account)| {
            account.reading_until.is_none_or(|until| until <= now) && wants_reading(account, &settings, needed, now)
        })?;
        account.reading_until = Some(after(now, lease));
        let started = account.next_sequence();
        self.changes.accounts.insert(key.clone());
        Some(ReadingClaim { key: key.clone(), started })
    }

    /// Takes in what a claimed reading brought; `None` when it failed, so that another caller may try.
    pub fn observe(&mut self, claim: &ReadingClaim, reading: Option<Reading>, now: Timestamp) {
        self.end_expired(now);
        let Some(account) = self.accounts.get_mut(&claim.key) else { return };
        account.reading_until = None;
        self.changes.accounts.insert(claim.key.clone());
        if let Some(reading) = reading {
            self.take_in(&claim.key, &reading, claim.started);
        }
    }

    /// Rests a key until `until`, or wakes it.
    pub fn pause(&mut self, key: &KeyId, until: Option<Timestamp>) -> bool {
        let Some(account) = self.accounts.get_mut(key) else { return false };
        account.paused_until = until;
        if until.is_none() {
            account.refused_until = None;
        }
        self.changes.accounts.insert(key.clone());
        true
    }

    /// Every key as it stands, soonest reset first; retired ones last.
    pub fn status(&mut self, now: Timestamp) -> Vec<KeyStatus> {
        self.end_expired(now);
        let mut keys: Vec<KeyStatus> =
            self.accounts.iter().map(|(key, account)| self.describe(key, account, now)).collect();
        keys.sort_by_key(|key| (key.state == KeyState::Retired, key.reset_at));
        keys
    }

    fn describe(&self, key: &KeyId, account: &Account, now: Timestamp) -> KeyStatus {
        let state = account.state(&self.settings, now);
        let (free, whole) = match state {
            KeyState::Open => {
                (account.free(&self.settings, false, now), account.free(&self.settings, true, now))
            }
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
            renews_at: renews_at(account, now),
            released_at: before(account.reset_at, self.settings.release()),
            being_read: account.reading_until.is_some_and(|until| now < until),
            refused: account.refused,
        }
    }

    fn take_in(&mut self, key: &KeyId, reading: &Reading, started: u64) {
        let Some(account) = self.accounts.get_mut(key) else { return };
        let (confirmed, closed) = account.observe(reading, started, &self.settings);
        self.changes.holds.extend(confirmed.into_iter().map(|sequence| HoldId { key: key.clone(), sequence }));
        self.changes.windows.extend(closed.map(|window| (key.clone(), window)));
    }

    fn end_expired(&mut self, now: Timestamp) {
        for (key, account) in &mut self.accounts {
            let expired = account.end_expired(now);
            if !expired.is_empty() {
                self.changes.accounts.insert(key.clone());
                self.changes.holds.extend(expired.into_iter().map(|sequence| HoldId { key: key.clone(), sequence }));
            }
        }
    }
}

fn renews_at(account: &Account, now: Timestamp) -> Timestamp {
    let resting = account.rests_until().filter(|until| now < *until);
    resting.unwrap_or_else(|| after(account.reset_at, RESET_MARGIN))
}

fn wants_reading(account: &Account, settings: &LedgerSettings, needed: Points, now: Timestamp) -> bool {
    let unconfirmed = account.unconfirmed();
    match account.state(settings, now) {
        KeyState::Stale => account.limit.is_none() || now >= after(account.reset_at, RESET_MARGIN),
        KeyState::Open => {
            let free = account.free(settings, false, now);
            free < needed
                && !unconfirmed.is_zero()
                && (account.in_flight() == 0 || free.saturating_add(unconfirmed) >= needed)
        }
        KeyState::Edge => !unconfirmed.is_zero() && account.in_flight() == 0,
        KeyState::Paused | KeyState::Retired => false,
    }
}
