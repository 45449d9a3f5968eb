use http::Response;
use serde_json::Value;
use stint_standins::warcraftlogs::{Faults, Options};

use crate::client::{Client, page, ranking};

/// Returns the answers to requests of every kind, and the counters after them.
fn session(seed: u64) -> Vec<String> {
    let faults = Faults { failed_before_charge: 50, failed_after_charge: 50, rate_limited: 50, ..Faults::default() };
    let mut client = Client::new(Options { seed, players: 400, faults, ..Options::default() });
    let ids = client.population().discoverable(&[(28, 4)]);
    let mut answers = Vec::new();
    let keep = |answer: Response<bytes::Bytes>| format!("{answer:?}");
    for (turn, id) in ids.iter().enumerate() {
        answers.push(keep(client.ask(&ranking(*id, 28, 4), Value::Null)));
        answers.push(keep(client.get(&page(28, 4, turn as u32 % 4))));
        client.pass(7);
    }
    answers.push(serde_json::to_string(&client.upstream.counters()).expect("JSON"));
    answers
}

#[test]
fn the_same_seed_and_requests_give_the_same_answers_byte_for_byte() {
    assert_eq!(session(3), session(3));
    assert_ne!(session(3), session(4));
}

#[test]
fn the_order_of_requests_does_not_change_the_ranks() {
    let (mut one, mut other) = (Client::new(Options::default()), Client::new(Options::default()));
    let ids = one.population().discoverable(&[(29, 3)]);
    let data = |client: &mut Client, id| client.query(&ranking(id, 29, 3))["data"]["characterData"].clone();
    let forwards: Vec<Value> = ids[..20].iter().map(|id| data(&mut one, *id)).collect();
    let mut backwards: Vec<Value> = ids[..20].iter().rev().map(|id| data(&mut other, *id)).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
}

#[test]
fn a_population_is_as_varied_as_a_real_one() {
    let client = Client::new(Options { players: 20_000, ..Options::default() });
    let population = client.population();
    let ids = population.discoverable(&Options::all_rankings());
    assert_eq!(ids.len(), 20_000);
    let characters: Vec<_> = ids.iter().filter_map(|id| population.character(*id)).collect();
    let share = |count: usize| count * 1000 / characters.len();
    let foreign = share(characters.iter().filter(|character| !character.name.is_ascii()).count());
    assert!((160..200).contains(&foreign), "{foreign}");
    let pairs: usize = ids.iter().map(|id| population.pairs_of(*id).len()).sum();
    assert!((2_800..3_200).contains(&share(pairs)), "{}", share(pairs));
    let transferred = characters.iter().filter(|character| character.canonical_id != character.id);
    assert!((1..10).contains(&share(transferred.count())));
    for region in ["US", "EU", "KR", "TW", "CN"] {
        assert!(characters.iter().any(|character| character.realm.region == region), "{region}");
    }
    assert!(ids.iter().all(|id| i32::try_from(*id).is_ok()));
}
