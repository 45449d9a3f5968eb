//! A key as shown to the user.

use jiff::Timestamp;
use serde::Serialize;
use stint_core::clock::between;
use stint_core::ledger::{Doubt, KeyRefusal, KeyState, KeyStatus};
use stint_core::points::Points;

use crate::format::{number, points};
use crate::table::Table;
use crate::time_format::format_time;

/// A key at one moment. A value that was never read is absent, not zero.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyView {
    pub(crate) key: String,
    pub(crate) state: KeyState,
    pub(crate) limit: Option<Points>,
    pub(crate) spent: Points,
    pub(crate) held: Points,
    pub(crate) unconfirmed: Points,
    pub(crate) free: Points,
    /// Points beyond `free` that are kept for `stint wcl refresh`.
    pub(crate) reserved: Points,
    pub(crate) in_flight: u64,
    pub(crate) refused: u64,
    pub(crate) resets_at: Option<Timestamp>,
    pub(crate) resets_in_seconds: Option<u64>,
    /// The end of the key's rest, set by an operator or after a refusal.
    pub(crate) paused_until: Option<Timestamp>,
    /// Why the upstream refused the key; absent if an operator paused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<KeyRefusal>,
    /// What is in doubt about the key until it is read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) doubt: Option<Doubt>,
}

impl KeyView {
    /// Returns all keys at `now`, earliest reset first. A key that was never read has no reset and comes last.
    pub(crate) fn all(keys: &[KeyStatus], now: Timestamp) -> Vec<KeyView> {
        let mut views: Vec<KeyView> = keys.iter().map(|key| KeyView::new(key, now)).collect();
        views.sort_by_key(|view| (view.state == KeyState::Retired, view.limit.is_none()));
        views
    }

    /// Returns the key at `now`.
    pub(crate) fn new(key: &KeyStatus, now: Timestamp) -> KeyView {
        let limit = Some(key.limit).filter(|limit| !limit.is_zero());
        let resets_at = limit.map(|_| key.reset_at);
        KeyView {
            key: key.key.0.clone(),
            state: key.state,
            limit,
            spent: key.spent,
            held: key.held,
            unconfirmed: key.unconfirmed,
            free: key.free,
            reserved: key.reserved,
            in_flight: key.in_flight,
            refused: key.refused,
            resets_at,
            resets_in_seconds: resets_at.map(|at| between(now, at).as_secs()),
            paused_until: Some(key.renews_at).filter(|_| key.state == KeyState::Paused),
            refusal: key.refusal,
            doubt: key.doubt,
        }
    }

    /// Returns `open`, or why the key grants no hold.
    pub(crate) fn state_text(&self, now: Timestamp) -> String {
        match (self.state, self.limit, self.paused_until) {
            (KeyState::Open, ..) if self.doubt == Some(Doubt::Limit) => {
                "open; one response reported another limit, and the lower one applies until a second response agrees"
                    .into()
            }
            (KeyState::Open, ..) => "open".into(),
            (KeyState::Edge, ..) => "too close to its reset".into(),
            (KeyState::Stale, None, _) => "never read".into(),
            (KeyState::Stale, Some(_), _) if self.doubt == Some(Doubt::Reset) => {
                "its reset is further away than a window: the clock was changed, and the key will be read again".into()
            }
            (KeyState::Stale, Some(_), _) if self.doubt == Some(Doubt::Window) => {
                "a response contradicts what was known, and the key will be read again".into()
            }
            (KeyState::Stale, Some(_), _) => "its window has ended, and the new one was not read yet".into(),
            (KeyState::Paused, _, Some(until)) => {
                let until = format_time(until, now);
                match self.refusal {
                    Some(KeyRefusal::Points) => format!("refused until {until}: its points are used up"),
                    Some(KeyRefusal::Credentials) => format!("refused until {until}: check its id and secret"),
                    None => format!("paused until {until}"),
                }
            }
            (KeyState::Paused, ..) => "paused".into(),
            (KeyState::Retired, ..) => "no longer in WCL_KEYS".into(),
        }
    }
}

/// Formats all keys as a table.
pub(crate) fn keys_text(keys: &[KeyView], now: Timestamp) -> String {
    if keys.is_empty() {
        return "no key is known yet; set WCL_KEYS to id:secret and start `stint up`\n".into();
    }
    let headings =
        ["key", ">limit", ">spent", ">held", ">unconfirmed", ">free", ">reserved", ">in flight", "resets", "state"];
    let mut table = Table::new(headings);
    for key in keys {
        let limit = key.limit.map_or_else(|| "?".to_owned(), points);
        let resets = key.resets_at.map_or_else(|| "?".to_owned(), |at| format_time(at, now));
        let amounts = [key.spent, key.held, key.unconfirmed, key.free, key.reserved].map(points);
        let [spent, held, unconfirmed, free, reserved] = amounts;
        let state = key.state_text(now);
        table.row([
            key.key.clone(),
            limit,
            spent,
            held,
            unconfirmed,
            free,
            reserved,
            number(key.in_flight),
            resets,
            state,
        ]);
    }
    table.to_string()
}
