//! All keys together: chooses a key for each ask, and tracks what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::hold::HOLD_MARGIN;
use super::status::wants_reading;
use super::{
    Account, Ask, CallEnd, Costs, Grant, Hold, HoldId, HoldState, KeyId, KeyRefusal, KeyState, KeyStatus, KeyWait,
    LedgerSettings, Reading, ReadingClaim, Reservation, WindowRecord,
};
use crate::clock::after;
use crate::points::Points;

/// The accounts of all keys.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) settings: LedgerSettings,
    pub(super) accounts: BTreeMap<KeyId, Account>,
    /// The costs of all accounts together.
    pub(super) learned: Costs,
    changes: Changes,
}

/// What a store must write: everything that changed since the last call of [`Ledger::take_changes`].
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Accounts whose record changed.
    pub accounts: BTreeSet<KeyId>,
    /// Holds that were added, changed or removed. The store looks each one up; a hold that is not found was removed.
    pub holds: BTreeSet<HoldId>,
    /// Windows that ended.
    pub windows: Vec<(KeyId, WindowRecord)>,
}

impl Ledger {
    /// Creates a ledger from stored accounts.
    pub fn new(settings: LedgerSettings, accounts: BTreeMap<KeyId, Account>) -> Ledger {
        let mut ledger = Ledger { settings, accounts, learned: Costs::default(), changes: Changes::default() };
        ledger.learned = ledger.costs();
        ledger
    }

    /// Returns the accounts, for storage.
    pub fn accounts(&self) -> &BTreeMap<KeyId, Account> {
        &self.accounts
    }

    /// Consumes the ledger and returns its accounts.
    pub fn into_accounts(self) -> BTreeMap<KeyId, Account> {
        self.accounts
    }

    /// Returns what changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Makes `keys` the keys in use: new ones start unread, missing ones are retired, and retired ones that are listed
    /// again come back into use.
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

    /// Holds points of one key for a call. Among the open keys with room for a whole message, the key whose reset comes
    /// first is chosen. If there is none, the same rule applies to keys with room for one unit, and then to keys whose
    /// last points may be tried.
    pub fn reserve(&mut self, ask: &Ask, now: Timestamp) -> Reservation {
        self.end_expired(now);
        let cheapest_message = self.capped(ask).as_ref().unwrap_or(ask).cheapest_message();
        let Some((declared, cheapest_message)) = ask.smallest_start().zip(cheapest_message) else {
            return Reservation::Refused { waits: Vec::new() };
        };
        let smallest = self.bound(1).map_or(declared, |bound| bound.min(declared));
        if let Some(unpriceable) = self.unpriceable(ask) {
            return unpriceable;
        }
        let fitting = |room| self.earliest_that_fits(ask, room, now);
        let choice = fitting(cheapest_message).or_else(|| fitting(smallest)).or_else(|| self.tail_of(ask, now));
        match choice {
            Some((key, taken, amount)) => Reservation::Granted(self.grant(key, taken, amount, ask.call_timeout, now)),
            None => Reservation::Refused { waits: self.waits(smallest, ask.priority, now) },
        }
    }

    fn unpriceable(&self, ask: &Ask) -> Option<Reservation> {
        let unit = ask.largest_unit()?;
        let mut largest = Points::ZERO;
        for account in self.accounts.values().filter(|account| !account.retired) {
            // A key that was never read, or whose limit only one answer has given, may turn out to be large enough.
            if account.limit_doubt.is_some() {
                return None;
            }
            largest = largest.max(account.limit?.saturating_sub(self.settings.guard));
        }
        (!largest.is_zero() && unit > largest).then_some(Reservation::Unpriceable { unit, largest })
    }

    /// Returns the key whose reset comes first among those that have `room`, with the units that fit and the amount to
    /// hold for them.
    fn earliest_that_fits(&self, ask: &Ask, room: Points, now: Timestamp) -> Option<(KeyId, Vec<usize>, Points)> {
        let free = |account: &Account| account.free(&self.settings, ask.priority, now);
        let open = self.accounts.iter().filter(|(_, account)| account.state(&self.settings, now) == KeyState::Open);
        let roomy = open.filter(|(_, account)| free(account) >= room);
        let (key, account) = roomy.min_by_key(|(_, account)| account.reset_at)?;
        let (taken, amount) = self.fit(ask, free(account));
        (!amount.is_zero()).then(|| (key.clone(), taken, amount))
    }

    fn grant(&mut self, key: KeyId, taken: Vec<usize>, amount: Points, timeout: Duration, now: Timestamp) -> Grant {
        let account = self.accounts.entry(key.clone()).or_insert_with(Account::unread);
        let hold = HoldId { key: key.clone(), sequence: account.next_sequence() };
        account.begin_sole_call(hold.sequence, u32::try_from(taken.iter().sum::<usize>()).unwrap_or(u32::MAX));
        let expires_at = after(now, timeout.saturating_add(HOLD_MARGIN));
        account.holds.insert(hold.sequence, Hold { amount, expires_at, state: HoldState::InFlight });
        self.changes.accounts.insert(key);
        self.changes.holds.insert(hold.clone());
        Grant { hold, amount, taken }
    }

    fn waits(&self, needed: Points, priority: bool, now: Timestamp) -> Vec<KeyWait> {
        let in_use = self.accounts.iter().filter(|(_, account)| !account.retired);
        let mut waits: Vec<KeyWait> = in_use
            .map(|(key, account)| {
                let status = self.describe(key, account, now);
                let free = if priority { status.free.saturating_add(status.reserved) } else { status.free };
                let until = (status.state != KeyState::Stale).then(|| status.grants_at(needed));
                KeyWait { key: key.clone(), needed, free, until }
            })
            .collect();
        waits.sort_by_key(|wait| wait.until);
        waits
    }

    /// Ends a call's hold. If the hold was settled before or has expired, only the reading is applied. Returns the
    /// record of the window that ended with this step.
    pub fn settle(&mut self, hold: &HoldId, end: CallEnd, now: Timestamp) -> Option<WindowRecord> {
        self.end_expired(now);
        let account = self.accounts.get_mut(&hold.key)?;
        let known = match end {
            CallEnd::Answered(_) | CallEnd::Unpriced => account.mark_unconfirmed(hold.sequence),
            CallEnd::Lost => account.mark_lost(hold.sequence, &self.settings, now),
            CallEnd::NotBilled | CallEnd::Refused { .. } => account.holds.remove(hold.sequence).is_some(),
        };
        if let CallEnd::Refused { until, why } = end {
            account.refused += u64::from(known && why == KeyRefusal::Points);
            account.refuse(until, why, &self.settings, now);
        }
        self.changes.accounts.insert(hold.key.clone());
        self.changes.holds.insert(hold.clone());
        let CallEnd::Answered(reading) = end else { return None };
        self.apply_reading(&hold.key, &reading, hold.sequence, known.then_some(hold.sequence))
    }

    /// Grants the right to read a key's counter, if there is a key whose counter would help: a key that is stale; a key
    /// whose unconfirmed holds, or whose doubtful limit, stand in the way of `needed`; or a key at its edge with
    /// nothing in flight any more, so that its last calls are accounted for. The claim lapses after `lease`. A key
    /// whose readings confirm nothing is read ever less often.
    pub fn claim_reading(&mut self, needed: Points, lease: Duration, now: Timestamp) -> Option<ReadingClaim> {
        self.end_expired(now);
        let settings = self.settings;
        let (key, account) = self.accounts.iter_mut().find(|(_, account)| {
            account.may_be_read(lease, &settings, now) && wants_reading(account, &settings, needed, now)
        })?;
        account.reading_until = Some(after(now, lease));
        let started = account.next_sequence();
        self.changes.accounts.insert(key.clone());
        Some(ReadingClaim { key: key.clone(), started })
    }

    /// Applies the end of a claimed reading. After a failed reading another caller may try again; a refused one rests
    /// the key. Returns the record of the window that ended with this step.
    pub fn observe(&mut self, claim: &ReadingClaim, end: CallEnd, now: Timestamp) -> Option<WindowRecord> {
        self.end_expired(now);
        let account = self.accounts.get_mut(&claim.key)?;
        account.reading_until = None;
        if let CallEnd::Refused { until, why } = end {
            account.refuse(until, why, &self.settings, now);
        }
        self.changes.accounts.insert(claim.key.clone());
        let before = account.reading_state(&self.settings, now);
        let CallEnd::Answered(reading) = end else {
            account.count_reading(before, &self.settings, now);
            return None;
        };
        let closed = self.apply_reading(&claim.key, &reading, claim.started, None);
        if let Some(account) = self.accounts.get_mut(&claim.key) {
            account.count_reading(before, &self.settings, now);
        }
        closed
    }

    /// Rests a key until `until`, or ends its rest, whether it was set by hand or by the upstream.
    pub fn pause(&mut self, key: &KeyId, until: Option<Timestamp>) -> bool {
        let Some(account) = self.accounts.get_mut(key) else { return false };
        account.paused_until = until;
        if until.is_none() {
            account.refused_until = None;
        }
        self.changes.accounts.insert(key.clone());
        true
    }

    /// Forgets what is known of a key, its rest included, as if it had never been read. Its holds and its learned costs
    /// stay.
    pub fn forget(&mut self, key: &KeyId) -> bool {
        let Some(account) = self.accounts.get_mut(key) else { return false };
        let sequence = account.next_sequence();
        *account = Account {
            window: account.window,
            sequence,
            // A reading that is under way confirms nothing: it may carry what has to be forgotten.
            read_at: sequence,
            retired: account.retired,
            refused: account.refused,
            costs: std::mem::take(&mut account.costs),
            holds: std::mem::take(&mut account.holds),
            ..Account::unread()
        };
        self.changes.accounts.insert(key.clone());
        true
    }

    /// Returns the status of every key, soonest reset first, with retired keys last.
    pub fn status(&mut self, now: Timestamp) -> Vec<KeyStatus> {
        self.end_expired(now);
        let mut keys: Vec<KeyStatus> =
            self.accounts.iter().map(|(key, account)| self.describe(key, account, now)).collect();
        keys.sort_by_key(|key| (key.state == KeyState::Retired, key.reset_at));
        keys
    }

    /// Applies a reading whose request started at sequence number `started`. `carrier` is the known call whose answer
    /// carried it, if there is one. Returns the record of the window that it closed.
    fn apply_reading(
        &mut self,
        key: &KeyId,
        reading: &Reading,
        started: u64,
        carrier: Option<u64>,
    ) -> Option<WindowRecord> {
        let account = self.accounts.get_mut(key)?;
        let (confirmed, closed) = account.observe(reading, started, &self.settings);
        let priced = account.price(reading, &confirmed, carrier);
        self.changes.holds.extend(confirmed.into_iter().map(|sequence| HoldId { key: key.clone(), sequence }));
        self.changes.windows.extend(closed.clone().map(|window| (key.clone(), window)));
        if let Some(priced) = priced {
            self.learn(key, priced);
        }
        closed
    }

    /// Ends the holds of callers that did not come back, and of lost calls that can no longer be billed. Every step
    /// that may grant points does this itself.
    pub fn end_expired(&mut self, now: Timestamp) {
        for (key, account) in &mut self.accounts {
            let expired = account.end_expired(&self.settings, now);
            if account.clear_impossible_refusal(&self.settings, now) || !expired.is_empty() {
                self.changes.accounts.insert(key.clone());
                self.changes.holds.extend(expired.into_iter().map(|sequence| HoldId { key: key.clone(), sequence }));
            }
        }
    }
}
