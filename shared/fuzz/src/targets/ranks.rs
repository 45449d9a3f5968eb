//! An answer of the API to a request for ranks: every character gets an outcome, and nothing is stored that was not
//! requested.

use jiff::Timestamp;
use stint_core::ledger::CallEnd;
use stint_testkit::drive;
use stint_warcraftlogs::client::{CharacterOutcome, CharacterRequest};
use stint_warcraftlogs::lua::Found;
use stint_warcraftlogs::model::{Player, Unit};
use stint_warcraftlogs::player_ref::{PlayerName, PlayerRef};
use stint_warcraftlogs::rank_queries::{RankOptions, RankQueries};

use super::reports::{api, key};
use crate::upstream::{answer, clock, first, status};

pub(crate) fn run(input: &[u8]) {
    let (choice, body) = first(input);
    let batch = batch(choice >> 4);
    let clock = clock();
    let api = api(&clock, [answer(status(choice), body)]);
    let (end, outcomes) = drive(&clock, api.ranks(&key(), &batch, &RankQueries::of_fleet(&RankOptions::default())));
    check_end(&end);
    let Ok(outcomes) = outcomes else { return };
    assert_eq!(outcomes.len(), batch.len(), "an outcome for each character");
    for (outcome, asked) in outcomes.iter().zip(&batch) {
        if let CharacterOutcome::Ranked(ranked) = outcome {
            check_player(&ranked.player, asked);
            let reported = ranked.refused.iter().chain(&ranked.missing).map(|(unit, _)| unit);
            assert!(reported.clone().all(|unit| asked.units.contains(unit)), "{reported:?} of {asked:?}");
        }
    }
}

/// Returns one character, or three, of which one is known only by its name.
fn batch(choice: u8) -> Vec<CharacterRequest> {
    let units: Vec<Unit> = vec![(26, 4), (28, 5)];
    let of = |player_ref| CharacterRequest { player_ref, units: units.clone() };
    let mut batch = vec![of(PlayerRef::Id(57_147_396))];
    if choice % 2 == 1 {
        batch.push(of(PlayerRef::Id(7)));
        batch.extend(PlayerName::new("Ånn", "tarren-mill", "EU").map(PlayerRef::Named).map(of));
    }
    batch
}

/// Checks that no reading exceeds what the API can report.
pub(super) fn check_end(end: &CallEnd) {
    match end {
        CallEnd::Answered(reading) => {
            assert!(reading.received_at > Timestamp::UNIX_EPOCH);
            assert!(reading.reset_at() >= reading.received_at);
        }
        CallEnd::Refused { until, .. } => assert!(*until > Timestamp::UNIX_EPOCH),
        CallEnd::Unpriced | CallEnd::Lost | CallEnd::NotBilled => {}
    }
}

fn check_player(player: &Player, asked: &CharacterRequest) {
    assert!(player.id > 0);
    for (raid, difficulties) in &player.raids {
        for (difficulty, ranks) in difficulties {
            assert!(asked.units.contains(&(*raid, *difficulty)), "{raid}/{difficulty} was not asked for");
            let bosses = ranks.encounters.values().flat_map(|boss| [boss.best, boss.median]);
            for percent in bosses.chain([ranks.best, ranks.median]).flatten() {
                assert!((0.0..=100.0).contains(&percent), "{percent} is no percentile");
            }
            assert!(ranks.encounters.values().all(|boss| boss.kills > 0), "only bosses with a kill");
        }
    }
    let document = serde_json::to_string(player).expect("every player has a document");
    let read: Player = serde_json::from_str(&document).expect("what is stored can be read");
    assert_eq!(&read, player, "written as {document}");
    // `None` if the database's format cannot represent a value.
    Found::expected(player);
}
