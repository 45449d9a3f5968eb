//! Batches: what is requested, what comes back, and what is parked.

use stint_core::clock::from_millis;

use super::*;
use crate::model::{Player, Server};
use crate::store::{PlayerResults, Refusals, UnitResult};

const SENT_AT: i64 = 1_000;

fn batch(bodies: &[&str]) -> Batch {
    let received = |(index, body): (usize, &&str)| ReceivedMessage {
        id: format!("m{index}"),
        body: (*body).to_owned(),
        sent_at: Some(from_millis(SENT_AT)),
    };
    Batch::decode(bodies.iter().enumerate().map(received))
}

fn effects(request: &[CharacterRequest], end: &MessageEffect) -> Results {
    Results {
        effects: request.iter().map(|request| (request.player_ref.clone(), end.clone())).collect(),
        ..Results::default()
    }
}

/// The ids of messages that come back, and why.
fn given_back(batch: Batch) -> Vec<(String, String)> {
    let exceptions = batch.exceptions().into_iter().map(|exception| match exception.disposition {
        Disposition::Retry { reason } | Disposition::Reject { reason } => (exception.message_id, reason),
    });
    exceptions.collect()
}

/// The store's state of player 7, whose raid 26 was fetched in difficulty 3 at `at`.
fn known(at: i64) -> StoredResults {
    let mut fetched = PlayerResults::default();
    fetched.unit_results.insert((26, 3), UnitResult::Served(from_millis(at)));
    StoredResults { players: [(7, fetched)].into(), ..StoredResults::default() }
}

#[test]
fn a_malformed_message_is_rejected_and_the_others_go_on() {
    let batch = batch(&["{}", r#"{"id":7,"raids":{"26":[3]}}"#]);
    assert_eq!(
        batch.next_request().unwrap().messages,
        [CharacterRequest { player_ref: PlayerRef::Id(7), units: vec![(26, 3)] }]
    );
    assert_eq!(given_back(batch)[0].0, "m0");
}

#[test]
fn two_messages_of_one_player_are_one_request() {
    let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3]}}"#, r#"{"id":7,"raids":{"26":[3,5]}}"#]);
    let request = batch.next_request().unwrap().messages;
    assert_eq!(request, [CharacterRequest { player_ref: PlayerRef::Id(7), units: vec![(26, 3), (26, 5)] }]);
    batch.served(&request, &effects(&request, &MessageEffect::Served));
    assert!(batch.next_request().is_none());
    assert!(batch.exceptions().is_empty());
}

#[test]
fn only_the_message_that_lacks_something_comes_back() {
    let mut batch = batch(&[
        r#"{"id":7,"raids":{"26":[3]}}"#,
        r#"{"id":7,"raids":{"26":[3,5]}}"#,
        r#"{"id":8,"raids":{"26":[3]}}"#,
    ]);
    let request = batch.next_request().unwrap().messages;
    let mut results = effects(&request, &MessageEffect::Served);
    results.effects[0].1 = MessageEffect::Missing(vec![(26, 5)], "no ranks".into());
    batch.served(&request, &results);
    assert!(batch.next_request().is_none(), "it is not requested again at once");
    assert_eq!(given_back(batch), [("m1".to_owned(), "no ranks".to_owned())]);
}

#[test]
fn a_split_message_parks_its_rest_with_the_time_it_was_queued_at() {
    let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3,4],"28":[5]}}"#]);
    let request = batch.next_request().unwrap();
    let paid = request.paid(&[2]);
    assert_eq!(batch.rest_of(&paid[0]), [(28, 5)]);
    batch.served(&paid, &effects(&paid, &MessageEffect::Served));
    let parked = batch.unserved("q", Timestamp::UNIX_EPOCH);
    assert_eq!(parked[0].body, r#"{"id":7,"raidsToScrap":{"28":[5]},"queuedAt":"1970-01-01T00:00:01Z"}"#);
    assert_eq!(parked[0].id, "m0");
}

#[test]
fn a_parked_message_is_kept_when_another_part_fails() {
    let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3],"28":[5]}}"#]);
    let paid = batch.next_request().unwrap().paid(&[1]);
    batch.served(&paid, &effects(&paid, &MessageEffect::Missing(vec![(26, 3)], "no ranks".into())));
    assert_eq!(batch.unserved("q", Timestamp::UNIX_EPOCH).len(), 1);
    batch.set_aside(vec!["m0".into()]);
    assert_eq!(given_back(batch), [("m0".to_owned(), "no ranks".to_owned())]);
}

#[test]
fn after_a_spoiled_response_players_are_requested_one_by_one() {
    let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3]}}"#, r#"{"id":8,"raids":{"26":[3]}}"#]);
    let request = batch.next_request().unwrap().messages;
    batch.served(&request, &effects(&request, &MessageEffect::RequestAlone));
    let alone = batch.next_request().unwrap().messages;
    assert_eq!(alone.len(), 1);
    batch.served(&alone, &effects(&alone, &MessageEffect::Complete));
    assert_eq!(batch.next_request().unwrap().messages[0].player_ref, PlayerRef::Id(8));
}

#[test]
fn what_was_fetched_since_a_message_was_sent_is_not_asked_for() {
    let bodies = [r#"{"id":7,"raids":{"26":[3]}}"#, r#"{"id":8,"raids":{"26":[3]}}"#];
    let mut late = batch(&bodies);
    assert_eq!(late.skip_fetched(&known(SENT_AT + 1), true), SkippedMessages { fresh: 1, refused: Vec::new() });
    assert_eq!(late.next_request().unwrap().messages[0].player_ref, PlayerRef::Id(8));
    let mut early = batch(&bodies);
    assert_eq!(early.skip_fetched(&known(SENT_AT), true), SkippedMessages::default());
    let mut more = batch(&[r#"{"id":7,"raids":{"26":[3,5]}}"#]);
    assert_eq!(more.skip_fetched(&known(SENT_AT + 1), true), SkippedMessages::default());
    assert_eq!(more.next_request().unwrap().messages[0].units, [(26, 5)]);
}

#[test]
fn a_message_that_was_parked_counts_as_sent_when_it_was_queued_first() {
    let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3]},"queuedAt":"1970-01-01T00:00:00.5Z"}"#]);
    assert_eq!(batch.skip_fetched(&known(700), true).fresh, 1);
}

#[test]
fn results_of_another_message_in_flight_are_not_paid_for_again_unless_priority() {
    let bodies = [r#"{"id":7,"raids":{"26":[3,5]}}"#];
    for (priority, units) in [(false, vec![(26, 5)]), (true, vec![(26, 3), (26, 5)])] {
        let mut batch = batch(&bodies);
        batch.skip_fetched(&known(SENT_AT - 500), priority);
        assert_eq!(batch.next_request().unwrap().messages[0].units, units);
    }
}

#[test]
fn a_message_of_a_person_is_always_fetched() {
    let received =
        ReceivedMessage { id: "by hand".into(), body: r#"{"id":7,"raids":{"26":[3]}}"#.into(), sent_at: None };
    let mut batch = Batch::decode([received]);
    assert_eq!(batch.skip_fetched(&known(i64::MAX / 1_000_000), true).fresh, 0);
    assert!(batch.next_request().is_some());
}

#[test]
fn what_is_refused_is_not_asked_for_and_goes_with_what_came() {
    let mut known = known(SENT_AT);
    let of_player = known.players.get_mut(&7).unwrap();
    of_player.unit_results.insert((28, 7), UnitResult::Refused("no such difficulty".into()));
    known.refusals.insert((99, 1), Refusals { in_a_row: 5, served: false, reason: "no such raid".into() });
    known.refusals.insert((98, 1), Refusals { in_a_row: 4, served: false, reason: "perhaps".into() });
    let mut batch =
        batch(&[r#"{"id":7,"raids":{"26":[3],"28":[7],"98":[1],"99":[1]}}"#, r#"{"id":8,"raids":{"99":[1]}}"#]);
    let refused = vec![((99, 1), "no such raid".to_owned())];
    assert_eq!(
        batch.skip_fetched(&known, true),
        SkippedMessages { fresh: 0, refused: vec![(PlayerRef::Id(8), refused)] }
    );
    let request = batch.next_request().unwrap().messages;
    assert_eq!(request, [CharacterRequest { player_ref: PlayerRef::Id(7), units: vec![(26, 3), (98, 1)] }]);
    let units: Vec<Unit> = batch.refused_of(&PlayerRef::Id(7)).into_iter().map(|(unit, _)| unit).collect();
    assert_eq!(units, [(28, 7), (99, 1)]);
}

#[test]
fn what_is_left_of_a_player_with_another_id_goes_on_under_that_id() {
    let server = Server { name: "A".into(), slug: "a".into(), normalized_name: "A".into() };
    let raids = [(26, [(3, crate::model::RaidRanks::default())].into())].into();
    let updated_at = from_millis(SENT_AT);
    let player = Player { id: 9, name: "Ånn".into(), class_id: 4, region: "EU".into(), server, updated_at, raids };
    let missing = vec![((26, 4), "no ranks".to_owned())];
    let ranked = crate::client::RankedCharacter { player, refused: Vec::new(), missing };
    let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3,4],"28":[5]}}"#]);
    let paid = batch.next_request().unwrap().paid(&[2]);
    let outcomes = vec![crate::client::CharacterOutcome::Ranked(Box::new(ranked))];
    let results = Results::sort_out(&batch, &paid, outcomes, updated_at);
    let bodies: Vec<&str> = results.follow_ups.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(bodies, [r#"{"id":9,"raidsToScrap":{"26":[4],"28":[5]},"askedAs":{"id":7}}"#]);
    assert_eq!(results.ids(), [9, 7], "ranked under the one, merged under the other");
    assert_eq!(results.refresh_results, [], "no result is reported while something is left");
    batch.served(&paid, &results);
    assert!(batch.next_request().is_none() && given_back(batch).is_empty());
}

#[test]
fn what_did_not_come_before_the_id_was_known_goes_on_under_that_id_too() {
    let server = Server { name: "A".into(), slug: "a".into(), normalized_name: "A".into() };
    let raids = [(28, [(5, crate::model::RaidRanks::default())].into())].into();
    let updated_at = from_millis(SENT_AT);
    let player = Player { id: 9, name: "Ånn".into(), class_id: 4, region: "EU".into(), server, updated_at, raids };
    let ranked = crate::client::RankedCharacter { player, refused: Vec::new(), missing: Vec::new() };
    let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3],"28":[5]}}"#]);
    let paid = batch.next_request().unwrap().paid(&[1]);
    batch.served(&paid, &effects(&paid, &MessageEffect::Missing(vec![(26, 3)], "no ranks".into())));
    let request = batch.next_request().unwrap().messages;
    let outcomes = vec![crate::client::CharacterOutcome::Ranked(Box::new(ranked))];
    let results = Results::sort_out(&batch, &request, outcomes, updated_at);
    assert_eq!(results.follow_ups[0].body, r#"{"id":9,"raidsToScrap":{"26":[3]},"askedAs":{"id":7}}"#);
    batch.served(&request, &results);
    assert!(batch.next_request().is_none() && given_back(batch).is_empty());
}

#[test]
fn messages_without_an_outcome_are_given_back_with_their_repeats() {
    let mut batch =
        batch(&[r#"{"id":7,"raids":{"26":[3]}}"#, r#"{"id":8,"raids":{"26":[3]}}"#, r#"{"id":8,"raids":{"28":[3]}}"#]);
    let first = batch.next_request().unwrap().messages[..1].to_vec();
    batch.served(&first, &effects(&first, &MessageEffect::Served));
    assert!(batch.is_begun());
    batch.give_back("the store is away");
    assert!(batch.next_request().is_none());
    let ids: Vec<String> = given_back(batch).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["m1", "m2"]);
}

#[test]
fn a_call_that_keeps_failing_gives_the_message_back() {
    let mut batch = batch(&[r#"{"id":7,"raids":{"26":[3]}}"#]);
    for _ in 0..CALL_TRIES {
        let request = batch.next_request().unwrap();
        batch.call_failed(&request.messages, "502 from the upstream");
    }
    assert!(batch.next_request().is_none());
    assert!(given_back(batch)[0].1.contains("502"));
}
