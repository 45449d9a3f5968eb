//! The stored results of players, by raid and difficulty, consulted before the upstream is called again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use stint_core::clock::{before, from_millis, to_millis};

use super::Pause;
use crate::model::{Difficulty, Player, PlayerId, RaidId, RaidsToScrap, Unit};
use crate::names;

/// If this many players in a row are refused one raid and difficulty, which no player was ever served, the rule is at
/// fault: one batch.
pub const REFUSALS_IN_A_ROW: u32 = 5;

/// A message with something missing comes back within five quarters of an hour, and a parked one at the next reset.
const MAX_MESSAGE_AGE: Duration = Duration::from_secs(3 * 60 * 60);

/// The upstream's latest response on one raid and difficulty of a player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitResult {
    /// Ranks came, at this time.
    Served(Timestamp),
    /// The upstream refuses the request, with its reason. It is not requested again until the rule changes.
    Refused(String),
}

/// A player's results: `{"26": {"4": 1795168800000}, "99": {"1": "Invalid zone specified."}}`, with times in
/// milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitResults(BTreeMap<RaidId, BTreeMap<Difficulty, UnitResult>>);

impl UnitResults {
    /// The result of one raid and difficulty.
    pub fn get(&self, (raid, difficulty): Unit) -> Option<&UnitResult> {
        self.0.get(&raid)?.get(&difficulty)
    }

    /// Stores a result in place of an earlier one.
    pub fn insert(&mut self, (raid, difficulty): Unit, answer: UnitResult) {
        self.0.entry(raid).or_default().insert(difficulty, answer);
    }

    /// Clears the refusal of one raid and difficulty. Returns whether there was one.
    pub fn clear_refusal(&mut self, unit: Unit) -> bool {
        let refused = self.is_refused(unit);
        if let (true, Some(difficulties)) = (refused, self.0.get_mut(&unit.0)) {
            difficulties.remove(&unit.1);
        }
        refused
    }

    /// Whether the upstream refuses one raid and difficulty.
    pub fn is_refused(&self, unit: Unit) -> bool {
        matches!(self.get(unit), Some(UnitResult::Refused(_)))
    }

    /// Every raid and difficulty that the upstream refuses.
    pub fn refused(&self) -> RaidsToScrap {
        let all =
            self.0.iter().flat_map(|(raid, unit_results)| unit_results.keys().map(|difficulty| (*raid, *difficulty)));
        all.filter(|unit| self.is_refused(*unit)).collect()
    }

    /// Adds the results of a response.
    pub fn take_in(&mut self, fetched: &FetchedPlayer) {
        let at = fetched.player.updated_at;
        fetched.player.ranked_in().units().for_each(|unit| self.insert(unit, UnitResult::Served(at)));
        for (unit, reason) in &fetched.refused {
            self.insert(*unit, UnitResult::Refused(reason.clone()));
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Millis(i64),
    Reason(String),
}

impl Serialize for UnitResult {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            UnitResult::Served(at) => serializer.serialize_i64(to_millis(*at)),
            UnitResult::Refused(reason) => serializer.serialize_str(reason),
        }
    }
}

impl<'de> Deserialize<'de> for UnitResult {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<UnitResult, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Millis(at) => UnitResult::Served(from_millis(at)),
            Written::Reason(reason) => UnitResult::Refused(reason),
        })
    }
}

/// The results of one response of the upstream for a player.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchedPlayer {
    /// The player, with the ranks that came.
    pub player: Player,
    /// The raids and difficulties that the upstream refuses, with its reasons. Each counts against its rule, until any
    /// player is served.
    pub refused: Vec<(Unit, String)>,
    /// Whether nothing that the player's message asks for is left to fetch. Otherwise the player still waits.
    pub complete: bool,
}

impl From<Player> for FetchedPlayer {
    fn from(player: Player) -> FetchedPlayer {
        FetchedPlayer { player, refused: Vec::new(), complete: true }
    }
}

/// The stored results of one player.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayerResults {
    /// When it was dropped, if that was the latest event.
    pub dropped_at: Option<Timestamp>,
    /// When everything that its message asked for was last complete.
    pub complete_at: Option<Timestamp>,
    /// The latest result of each raid and difficulty.
    pub unit_results: UnitResults,
}

impl PlayerResults {
    /// Whether anything was fetched of the player after `at`.
    pub fn is_known_since(&self, at: Timestamp) -> bool {
        let unit_results = self.unit_results.0.values().flat_map(BTreeMap::values);
        let served = unit_results.filter_map(|answer| match answer {
            UnitResult::Served(at) => Some(*at),
            UnitResult::Refused(_) => None,
        });
        self.dropped_at.max(served.max()).map(to_millis) > Some(to_millis(at))
    }

    /// Whether a message sent at `sent_at` need not fetch a raid and difficulty, because it was fetched since.
    pub fn is_fresh(&self, unit: Unit, sent_at: Timestamp) -> bool {
        // Times are stored in milliseconds.
        self.dropped_at.max(self.served_at(unit)).map(to_millis) > Some(to_millis(sent_at))
    }

    /// Whether this raid and difficulty need not be fetched because of another message of the same player, sent by an
    /// aggregator that was killed before it could record the send. That message is under way, or was when this one was
    /// sent, and has brought this raid and difficulty before others. The same ranks are not paid for again for a
    /// message sent at `sent_at`.
    pub fn is_under_way(&self, unit: Unit, sent_at: Timestamp) -> bool {
        let served_at = self.served_at(unit);
        let was_under_way = served_at > self.complete_at || self.complete_at > Some(sent_at);
        was_under_way && served_at > Some(before(sent_at, MAX_MESSAGE_AGE))
    }

    fn served_at(&self, unit: Unit) -> Option<Timestamp> {
        match self.unit_results.get(unit) {
            Some(UnitResult::Served(at)) => Some(*at),
            _ => None,
        }
    }
}

/// How often the upstream has refused one raid and difficulty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// Number of different players refused in a row.
    pub in_a_row: u32,
    /// Whether any player was ever served: then the rule is not at fault.
    pub served: bool,
    /// The upstream's last reason.
    pub reason: String,
}

impl Refusals {
    /// Whether the rule is at fault: several players in a row were refused, and no player was ever served.
    pub fn is_rule_at_fault(&self) -> bool {
        !self.served && self.in_a_row >= REFUSALS_IN_A_ROW
    }

    /// The pause of a rule that is at fault.
    pub fn pause(&self, (raid, difficulty): Unit) -> Option<Pause> {
        let (raid, difficulty) = (names::raid(raid), names::difficulty(difficulty));
        let reason = format!(
            "the upstream refuses {raid} in {difficulty} for every player: {}; remove the rule, or add it again to retry",
            self.reason
        );
        self.is_rule_at_fault().then(|| Pause::until_changed(reason))
    }
}

/// The stored results of several players, read before the upstream is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredResults {
    /// The players with stored results.
    pub players: BTreeMap<PlayerId, PlayerResults>,
    /// The refused raids and difficulties that no player is known to have been served.
    pub refusals: BTreeMap<Unit, Refusals>,
}

impl StoredResults {
    /// The reason why requesting a raid and difficulty of a player is useless, if the upstream refuses it.
    pub fn refusal(&self, player: Option<PlayerId>, unit: Unit) -> Option<&str> {
        let unit_results = player.and_then(|player| self.players.get(&player)).map(|fetched| &fetched.unit_results);
        match (unit_results.and_then(|unit_results| unit_results.get(unit)), self.refusals.get(&unit)) {
            (Some(UnitResult::Refused(reason)), _) => Some(reason),
            (None, Some(refusals)) if refusals.is_rule_at_fault() => Some(&refusals.reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_795_168_800_000;

    #[test]
    fn unit_results_serialize_in_few_bytes() {
        let mut unit_results = UnitResults::default();
        unit_results.insert((26, 4), UnitResult::Served(from_millis(AT)));
        unit_results.insert((99, 1), UnitResult::Refused("no".into()));
        let text = r#"{"26":{"4":1795168800000},"99":{"1":"no"}}"#;
        assert_eq!(serde_json::to_string(&unit_results).unwrap(), text);
        assert_eq!(serde_json::from_str::<UnitResults>(text).unwrap(), unit_results);
        assert_eq!(unit_results.refused(), RaidsToScrap::one(99, 1));
        assert!(
            unit_results.clear_refusal((99, 1))
                && !unit_results.clear_refusal((26, 4))
                && !unit_results.is_refused((99, 1))
        );
    }

    #[test]
    fn what_was_fetched_after_a_message_was_sent_is_fresh() {
        let mut fetched = PlayerResults::default();
        fetched.unit_results.insert((26, 4), UnitResult::Served(from_millis(AT)));
        assert!(fetched.is_fresh((26, 4), from_millis(AT - 1)) && !fetched.is_fresh((26, 4), from_millis(AT)));
        assert!(!fetched.is_fresh((26, 5), from_millis(AT - 1)), "another difficulty was not fetched");
        assert!(fetched.is_under_way((26, 4), from_millis(AT + 5)) && !fetched.is_under_way((26, 5), from_millis(AT)));
        assert!(!fetched.is_under_way((26, 4), from_millis(AT + 3 * 3_600_000)), "that was long ago");
        fetched.complete_at = Some(from_millis(AT));
        assert!(!fetched.is_under_way((26, 4), from_millis(AT + 5)), "nothing was missing");
        fetched.complete_at = Some(from_millis(AT + 9));
        assert!(fetched.is_under_way((26, 4), from_millis(AT + 5)), "the rest came after this one was sent");
        fetched.dropped_at = Some(from_millis(AT + 5));
        assert!(fetched.is_fresh((26, 5), from_millis(AT)));
    }

    #[test]
    fn a_rule_is_at_fault_after_several_refusals_unless_a_player_was_served() {
        let refusals = |in_a_row, served| Refusals { in_a_row, served, reason: "no".into() };
        assert!(refusals(REFUSALS_IN_A_ROW, false).is_rule_at_fault());
        assert!(!refusals(REFUSALS_IN_A_ROW - 1, false).is_rule_at_fault());
        assert!(!refusals(REFUSALS_IN_A_ROW, true).is_rule_at_fault());
        assert!(refusals(REFUSALS_IN_A_ROW, false).pause((99, 1)).unwrap().is_until_changed());
    }
}
