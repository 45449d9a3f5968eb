//! The optional arguments of a query for ranks change the answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stint_standins::warcraftlogs::{Options, RankQuery, Shares, TableFilters};

use crate::client::{Client, body};

fn client() -> Client {
    Client::new(Options { shares: Shares::NONE, ..Options::default() })
}

fn rankings(client: &mut Client, id: u64, arguments: &str) -> Value {
    let query = format!("{{ characterData {{ character(id: {id}) {{ zoneRankings({arguments}) }} }} }}");
    client.query(&query)["data"]["characterData"]["character"]["zoneRankings"].take()
}

#[test]
fn every_argument_changes_the_ranks_and_the_truth_knows_it() {
    let mut client = client();
    let population = client.population();
    let id = population.discoverable(&[(28, 4)])[0];
    let asked = |query: RankQuery| population.true_ranks_for(id, 28, 4, &query).expect("a character");
    let mut seen = BTreeSet::new();
    for (arguments, query) in [
        ("", RankQuery::default()),
        (", metric: hps", RankQuery { metric: Some("hps".into()), ..RankQuery::default() }),
        (", metric: dps", RankQuery { metric: Some("dps".into()), ..RankQuery::default() }),
        (", partition: 1", RankQuery { partition: Some(1), ..RankQuery::default() }),
        (", partition: -1", RankQuery { partition: Some(-1), ..RankQuery::default() }),
        (", size: 25", RankQuery { size: Some(25), ..RankQuery::default() }),
        (", byBracket: true", RankQuery { by_bracket: true, ..RankQuery::default() }),
        (", compare: Parses", RankQuery { parses: true, ..RankQuery::default() }),
        (", timeframe: Today", RankQuery { today: true, ..RankQuery::default() }),
    ] {
        let answer = rankings(&mut client, id, &format!("zoneID: 28, difficulty: 4{arguments}"));
        let truth = asked(query);
        assert_eq!(answer["bestPerformanceAverage"].as_f64(), truth.best, "{arguments}");
        assert_eq!(answer["allStars"][0]["points"].as_f64(), Some(truth.all_stars[0].points), "{arguments}");
        seen.insert(answer["bestPerformanceAverage"].to_string());
    }
    // One of the two metrics is the player's own.
    assert_eq!(seen.len(), 8);
    // An argument with its default value changes nothing.
    let plain = rankings(&mut client, id, "zoneID: 28, difficulty: 4");
    assert_eq!(rankings(&mut client, id, "zoneID: 28, difficulty: 4, partition: 3, compare: Rankings"), plain);
}

#[test]
fn sizes_and_partitions_that_do_not_exist_are_refused() {
    let mut client = client();
    let id = client.population().discoverable(&[(28, 5)])[0];
    for (arguments, refusal) in [
        ("zoneID: 28, difficulty: 5, size: 25", "Invalid difficulty/size specified."),
        ("zoneID: 28, difficulty: 10", "Invalid difficulty/size specified."),
        ("zoneID: 25, difficulty: 5", "Invalid difficulty/size specified."),
        ("zoneID: 28, difficulty: 5, partition: 4", "Invalid partition specified."),
    ] {
        assert_eq!(rankings(&mut client, id, arguments), json!({ "error": refusal }), "{arguments}");
    }
    assert!(rankings(&mut client, id, "zoneID: 28, difficulty: 5, size: 20")["rankings"].is_array());
}

#[test]
fn dungeons_have_scores_and_keystones() {
    let mut client = Client::new(Options { rankings: vec![(25, 10)], shares: Shares::NONE, ..Options::default() });
    let id = client.population().discoverable(&[(25, 10)])[0];
    let answer = rankings(&mut client, id, "zoneID: 25, difficulty: 10");
    let truth = client.population().true_ranks(id, 25, 10).expect("a character");
    assert_eq!(answer["metric"], "playerscore");
    let run = &answer["rankings"][0];
    assert_eq!(run["bracketData"].as_u64().map(|level| level as u32), truth.encounters[0].key_level);
    assert_eq!(run["bestAmount"].as_f64(), Some(truth.encounters[0].amount));
}

#[test]
fn raids_and_servers_are_described_for_a_price() {
    let mut client = Client::new(Options { frozen: vec![26], ..Options::default() });
    let zones = "a: zone(id: 26) { id name frozen difficulties { id name sizes } partitions { id name default } } \
                 b: zone(id: 28) { frozen encounters { id } } c: zone(id: 1) { id }";
    let servers =
        "s: server(region: \"EU\", slug: \"kazzak\") { id name } t: server(region: \"EU\", slug: \"x\") { id }";
    let answer = client.query(&format!("{{ worldData {{ {zones} {servers} all: zones {{ id }} }} }}"));
    let world = &answer["data"]["worldData"];
    assert_eq!(
        (&world["a"]["frozen"], &world["b"]["frozen"], &world["c"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    assert_eq!(world["a"]["difficulties"][3], json!({"id": 5, "name": "Mythic", "sizes": [20]}));
    assert_eq!(world["a"]["partitions"][1], json!({"id": 2, "name": "Patch 2", "default": true}));
    assert_eq!((&world["s"]["name"], &world["t"]), (&json!("Kazzak"), &Value::Null));
    assert_eq!(world["all"].as_array().map(Vec::len), Some(4));
    assert_eq!(client.upstream.counters().charged.to_float(), 6.0);
    client.upstream.freeze(28);
    assert_eq!(client.query("{ worldData { zone(id: 28) { frozen } } }")["data"]["worldData"]["zone"]["frozen"], true);
}

#[test]
fn a_narrowed_table_shows_some_of_the_players() {
    let mut client = client();
    let population = client.population();
    let all: BTreeSet<u64> = population.discoverable(&[(26, 4)]).into_iter().collect();
    for (path, narrowed) in [
        ("26/hps/-1/4/10/5/Any/Any/0/0/0/0/0", TableFilters { healers: Some(true), ..TableFilters::all(4) }),
        ("26/playerspeed/-1/4/25/5/Any/Any/0/0/0/0/0", TableFilters { size: 25, ..TableFilters::all(4) }),
        ("26/playerspeed/-1/4/10/2/Any/Any/0/0/0/0/0", TableFilters { partition: 2, ..TableFilters::all(4) }),
        ("26/playerspeed/-1/4/10/5/Any/Any/0/0/2/0/0", TableFilters { region: 2, ..TableFilters::all(4) }),
        ("26/playerspeed/-1/4/10/5/Any/Any/0/1/0/0/0", TableFilters { server: 1, ..TableFilters::all(4) }),
    ] {
        let expected = population.discoverable_in(26, 4, narrowed);
        assert!(!expected.is_empty() && expected.len() < all.len(), "{path}");
        let page = client.get(&format!("/zone/rankings/table/{path}/?search=&page=1"));
        let rows = body(&page).matches("<tr class=\"\" id=\"row-").count();
        assert_eq!(rows, expected.len().min(100), "{path}");
    }
}
