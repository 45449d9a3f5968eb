//! Decoding of responses, from complete ones to empty ones.

use super::super::outcomes::RankedCharacter;
use super::*;
use crate::model::{Difficulty, RaidId};
use crate::player_ref::{PlayerName, PlayerRef};
use crate::store::DropReason;

const CHARACTER: &str = r#"{"id":7,"canonicalID":7,"name":"Ånn","classID":4,"hidden":false,
    "server":{"name":"Tarren Mill","slug":"tarren-mill","normalizedName":"TarrenMill","region":{"compactName":"EU"}},
    "r26d4":{"metric":"dps","bestPerformanceAverage":90,"medianPerformanceAverage":80.5,"rankings":[]}}"#;

const TEXT: &str = "No class set for this character. Click the Update button in the upper right to establish a class.";

/// The rankings of [`CHARACTER`].
const RANKS: &str = r#"{"metric":"dps","bestPerformanceAverage":90,"medianPerformanceAverage":80.5,"rankings":[]}"#;

fn asked(ids: &[u64], units: &[(RaidId, Difficulty)]) -> Vec<CharacterRequest> {
    ids.iter().map(|id| CharacterRequest { player_ref: PlayerRef::Id(*id), units: units.to_vec() }).collect()
}

fn outcomes(body: &str, ids: &[u64]) -> Vec<CharacterOutcome> {
    ranks(body.as_bytes(), &asked(ids, &[(26, 4)]), Timestamp::UNIX_EPOCH).unwrap().outcomes
}

/// The outcome of one player requested in two difficulties, where the response for the second is `scalar`.
fn fate_of_two(scalar: &str, errors: &str) -> CharacterOutcome {
    let character = CHARACTER.replace(r#""r26d4""#, &format!(r#""r26d5":{scalar},"r26d4""#));
    let body = format!(r#"{{"data":{{"characterData":{{"c7":{character}}}}},"errors":{errors}}}"#);
    let asked = asked(&[7], &[(26, 4), (26, 5)]);
    ranks(body.as_bytes(), &asked, Timestamp::UNIX_EPOCH).unwrap().outcomes.remove(0)
}

fn ranked(outcome: &CharacterOutcome) -> &RankedCharacter {
    match outcome {
        CharacterOutcome::Ranked(ranked) => ranked,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_characters_error_leaves_the_others_alone() {
    let body = format!(
        r#"{{"data":{{"characterData":{{"c7":{CHARACTER},"c8":null,"c9":null}}}},
            "errors":[{{"message":"boom","path":["characterData","c9"]}}]}}"#
    );
    let outcomes = outcomes(&body, &[7, 8, 9, 10]);
    assert_eq!(ranked(&outcomes[0]).player.name, "Ånn");
    assert_eq!(outcomes[1], CharacterOutcome::Dropped(DropReason::Unknown));
    assert_eq!(outcomes[2], CharacterOutcome::Failed("the upstream says: boom".into()));
    assert!(matches!(&outcomes[3], CharacterOutcome::Failed(reason) if reason.contains("c10")));
}

#[test]
fn a_raid_and_difficulty_that_does_not_come_leaves_the_others_of_the_player_alone() {
    let path = r#"[{"message":"boom","path":["characterData","c7","r26d5"]}]"#;
    let somewhere = r#"[{"message":"boom"}]"#;
    for (scalar, errors, reason) in [
        ("null", "null", "the response has no ranks"),
        ("null", path, "the upstream says: boom"),
        (RANKS, path, "the upstream says: boom"),
        ("null", somewhere, "the upstream says: boom"),
        (r#"{"message":"Server Error"}"#, "[]", "it has no rankings: the upstream says: Server Error"),
        ("[]", "[]", "it is not an object"),
        ("7", r#"{"odd":true}"#, "it is not an object"),
    ] {
        let outcome = fate_of_two(scalar, errors);
        let RankedCharacter { player, refused, missing } = ranked(&outcome);
        assert_eq!(player.ranked_in().units().collect::<Vec<_>>(), [(26, 4)], "{scalar}");
        assert_eq!(
            (refused.as_slice(), missing.as_slice()),
            (&[][..], &[((26, 5), reason.to_owned())][..]),
            "{scalar}"
        );
    }
}

#[test]
fn a_raid_and_difficulty_that_is_refused_leaves_the_others_of_the_player_alone() {
    let outcome = fate_of_two(r#"{"error":"Invalid difficulty/size specified."}"#, "[]");
    let RankedCharacter { player, refused, missing } = ranked(&outcome);
    assert_eq!(player.ranked_in().units().collect::<Vec<_>>(), [(26, 4)]);
    assert_eq!(refused.as_slice(), [((26, 5), "Invalid difficulty/size specified.".to_owned())]);
    assert!(missing.is_empty());
}

#[test]
fn a_player_of_whom_everything_is_refused_is_known_all_the_same() {
    let character = CHARACTER.replace(r#"{"metric":"dps","#, r#"{"error":"Invalid zone specified.","#);
    let outcomes = outcomes(&format!(r#"{{"data":{{"characterData":{{"c7":{character}}}}}}}"#), &[7]);
    let RankedCharacter { player, refused, .. } = ranked(&outcomes[0]);
    assert!(player.raids.is_empty() && refused.len() == 1, "{outcomes:?}");
}

#[test]
fn a_player_of_whom_nothing_comes_fails_with_every_reason() {
    let character = CHARACTER.replace(r#""r26d4""#, r#""r26d5":null,"other""#);
    let body = format!(r#"{{"data":{{"characterData":{{"c7":{character}}}}}}}"#);
    let outcomes = ranks(body.as_bytes(), &asked(&[7], &[(26, 4), (26, 5)]), Timestamp::UNIX_EPOCH).unwrap().outcomes;
    let reason =
        "raid 26 in difficulty 4: the response has no ranks; raid 26 in difficulty 5: the response has no ranks";
    assert_eq!(outcomes, [CharacterOutcome::Failed(reason.into())]);
}

#[test]
fn a_player_who_hides_its_ranks_is_told_from_one_whose_arguments_are_refused() {
    let hidden = r#"{"error":"You do not have permission to see this character's rankings."}"#;
    let character = CHARACTER.replace(RANKS, hidden);
    let body = format!(r#"{{"data":{{"characterData":{{"c7":{character}}}}}}}"#);
    assert_eq!(outcomes(&body, &[7]), [CharacterOutcome::Dropped(DropReason::Hidden)]);
    let outcome = fate_of_two(hidden, "[]");
    assert_eq!(ranked(&outcome).refused.len(), 1, "what came is kept");
}

#[test]
fn a_null_with_an_unspecific_error_is_not_an_unknown_character() {
    for path in ["", r#","path":["characterData"]"#, r#","path":[]"#, r#","path":null"#, r#","path":"odd""#] {
        let body = format!(
            r#"{{"data":{{"characterData":{{"c7":{CHARACTER},"c8":null}}}},
                "errors":[{{"message":"Internal server error"{path}}}]}}"#
        );
        let outcomes = outcomes(&body, &[7, 8]);
        assert!(matches!(&outcomes[0], CharacterOutcome::Ranked(_)), "what came is kept");
        assert_eq!(outcomes[1], CharacterOutcome::Failed("the upstream says: Internal server error".into()), "{path}");
    }
}

#[test]
fn a_character_that_cannot_be_read_leaves_the_others_alone() {
    for (member, broken) in [(r#""name":"Ånn""#, r#""name":7"#), (r#""canonicalID":7"#, r#""canonicalID":null"#)] {
        let broken = CHARACTER.replace(member, broken);
        let body = format!(r#"{{"data":{{"characterData":{{"c7":{CHARACTER},"c8":{broken}}}}}}}"#);
        let outcomes = outcomes(&body, &[7, 8]);
        assert_eq!(ranked(&outcomes[0]).player.name, "Ånn");
        assert!(matches!(&outcomes[1], CharacterOutcome::Failed(_)), "{:?}", outcomes[1]);
    }
}

#[test]
fn a_player_requested_by_name_gets_its_canonical_id() {
    let named = |name| PlayerRef::Named(PlayerName::new(name, "tarren-mill", "EU").unwrap());
    let asked =
        [named("Ånn"), named("Missing")].map(|player_ref| CharacterRequest { player_ref, units: vec![(26, 4)] });
    let character = CHARACTER.replace(r#""canonicalID":7"#, r#""canonicalID":8"#);
    let body = format!(r#"{{"data":{{"characterData":{{"n0":{character},"n1":null}}}}}}"#);
    let outcomes = ranks(body.as_bytes(), &asked, Timestamp::UNIX_EPOCH).unwrap().outcomes;
    assert_eq!(ranked(&outcomes[0]).player.id, 8);
    assert_eq!(outcomes[1], CharacterOutcome::Dropped(DropReason::Unknown));
}

/// A character with nothing visible, as one without a class.
fn without_ranks(class_id: u32) -> String {
    CHARACTER.replace(RANKS, "null").replace(r#""classID":4"#, &format!(r#""classID":{class_id}"#))
}

#[test]
fn a_never_classed_character_without_an_answer_is_found_by_asking_alone() {
    let cut = format!("{TEXT}{{\"data\":{{\"characterData\":{{\"c7\":");
    let refused = format!("{TEXT}{{\"errors\":[{{\"message\":\"no\"}}]}}");
    for body in [TEXT, "", " \n", &cut, &refused] {
        assert_eq!(outcomes(body, &[7]), [CharacterOutcome::Dropped(DropReason::NeverClassed)], "{body}");
        assert_eq!(outcomes(body, &[7, 8]), [CharacterOutcome::Unclear, CharacterOutcome::Unclear], "{body}");
    }
}

#[test]
fn the_answer_behind_the_text_is_used() {
    let never = CharacterOutcome::Dropped(DropReason::NeverClassed);
    for class_id in [0, 4] {
        let odd = without_ranks(class_id);
        for text in [TEXT, "Warning: {bad} in x.php {\"line\": 3} No class set for this character"] {
            let body =
                format!("{text}\n{{\"data\":{{\"characterData\":{{\"c7\":{CHARACTER},\"c8\":{odd}}}}}}} \n<!-- -->");
            let outcomes = outcomes(&body, &[7, 8]);
            assert_eq!(ranked(&outcomes[0]).player.id, 7, "{text}");
            assert_eq!(outcomes[1], never, "{text}");
        }
    }
    let text_before = format!("{TEXT}{{\"data\":{{\"characterData\":{{\"c7\":{CHARACTER}}}}}}}");
    assert!(matches!(&outcomes(&text_before, &[7])[0], CharacterOutcome::Ranked(_)), "what came is kept");
}

#[test]
fn where_the_text_may_be_about_several_only_those_are_asked_for_alone() {
    let (unclear, never) = (without_ranks(4), without_ranks(0));
    let answer = |other: &str| {
        let body =
            format!("{TEXT}{{\"data\":{{\"characterData\":{{\"c7\":{CHARACTER},\"c8\":{unclear},\"c9\":{other}}}}}}}");
        outcomes(&body, &[7, 8, 9])
    };
    assert_eq!(answer(&unclear)[1..], [CharacterOutcome::Unclear, CharacterOutcome::Unclear]);
    assert_eq!(answer(&never)[1..], [CharacterOutcome::Unclear, CharacterOutcome::Dropped(DropReason::NeverClassed)]);
    assert!(matches!(answer(&never)[0], CharacterOutcome::Ranked(_)));
}

#[test]
fn an_answer_is_read_whatever_its_counter_says() {
    for points in ["null", "[]", r#"{"limitPerHour":3600.0,"pointsSpentThisHour":null,"pointsResetIn":9}"#] {
        let body = format!(r#"{{"data":{{"rateLimitData":{points},"characterData":{{"c7":{CHARACTER}}}}}}}"#);
        let decoded = ranks(body.as_bytes(), &asked(&[7], &[(26, 4)]), Timestamp::UNIX_EPOCH).unwrap();
        assert!(matches!(decoded.outcomes[..], [CharacterOutcome::Ranked(_)]), "{points}");
        assert!(decoded.points.and_then(|points| points.reading(Timestamp::UNIX_EPOCH)).is_none());
    }
}

#[test]
fn an_invalid_response_is_an_error() {
    let error = |body: &str| ranks(body.as_bytes(), &asked(&[7], &[(26, 4)]), Timestamp::UNIX_EPOCH).unwrap_err();
    for body in ["<html>Bad gateway</html>", "<script>{var a}</script>", "[1]", "{\"data\":", r#"{"data":null}"#] {
        error(body);
    }
    let refused = error(r#"{"errors":[{"message":"Syntax Error"}]}"#).to_string();
    assert_eq!(refused, "cannot decode the response: the upstream says: Syntax Error");
}
