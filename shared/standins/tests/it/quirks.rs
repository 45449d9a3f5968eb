use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use stint_standins::warcraftlogs::{Detail, Options, QueryOutcome, Shares};

use crate::client::{Client, RECORDED, body, ranking};

fn scalar(client: &mut Client, id: u64, raid: u32, difficulty: u32) -> Value {
    client.query(&ranking(id, raid, difficulty))["data"]["characterData"]["character"]["zoneRankings"].clone()
}

fn one_of(client: &Client, outcome: QueryOutcome) -> u64 {
    client.population().with_outcome(&Options::all_rankings(), outcome)[0]
}

#[test]
fn an_answer_says_what_is_true() {
    let mut client = Client::new(Options { shares: Shares::NONE, ..Options::default() });
    let population = client.population();
    for id in population.discoverable(&[(29, 4)]).into_iter().take(60) {
        let truth = population.true_ranks(id, 29, 4).expect("a character");
        let answer = scalar(&mut client, id, 29, 4);
        assert_eq!(answer["metric"], json!(truth.metric));
        // Parsed by serde_json, which may lose the last bit of a float with many digits.
        let close = |value: &Value, truth: Option<f64>| {
            (value.as_f64().zip(truth)).is_some_and(|(read, truth)| (read - truth).abs() < 1e-9)
        };
        assert!(
            close(&answer["bestPerformanceAverage"], truth.best)
                && close(&answer["medianPerformanceAverage"], truth.median)
        );
        let rankings = answer["rankings"].as_array().expect("a list");
        assert_eq!(rankings.len(), 11, "every boss is listed");
        let killed: Vec<&Value> = rankings.iter().filter(|ranking| ranking["totalKills"] != json!(0)).collect();
        assert_eq!(killed.len(), truth.encounters.len());
        for (ranking, truth) in killed.iter().zip(&truth.encounters) {
            assert_eq!(ranking["encounter"]["id"], json!(truth.id));
            assert_eq!(
                (ranking["rankPercent"].as_f64(), ranking["medianPercent"].as_f64()),
                (Some(truth.best), Some(truth.median))
            );
            assert_eq!((&ranking["totalKills"], &ranking["spec"]), (&json!(truth.kills), &json!(truth.spec)));
            assert!((1..=40).contains(&truth.kills) && truth.median <= truth.best);
        }
        let mean =
            killed.iter().filter_map(|ranking| ranking["rankPercent"].as_f64()).sum::<f64>() / killed.len() as f64;
        assert_eq!(truth.best, Some(mean));
    }
}

#[test]
fn a_player_without_kills_has_nulls() {
    let mut client = Client::new(Options { shares: Shares::NONE, ..Options::default() });
    let population = client.population();
    let ids = population.discoverable(&[(26, 3)]);
    let id = ids.into_iter().find(|id| !population.pairs_of(*id).contains(&(28, 5))).expect("a player");
    let answer = scalar(&mut client, id, 28, 5);
    assert_eq!((&answer["bestPerformanceAverage"], &answer["allStars"]), (&json!(null), &json!([])));
    let first = &answer["rankings"][0];
    assert_eq!((&first["rankPercent"], &first["spec"], &first["fastestKill"]), (&json!(null), &json!(null), &json!(0)));
    assert!(first.get("bestSpec").is_none());
}

#[test]
fn refusals_inside_an_answer() {
    let mut client = Client::new(Options::default());
    let hidden = one_of(&client, QueryOutcome::Hidden);
    assert_eq!(
        scalar(&mut client, hidden, 26, 3),
        json!({"error": "You do not have permission to see this character's rankings."})
    );
    let ranked = one_of(&client, QueryOutcome::Ranked);
    assert_eq!(scalar(&mut client, ranked, 26, 7), json!({"error": "Invalid difficulty/size specified."}));
    let unknown = one_of(&client, QueryOutcome::Unknown);
    for id in [unknown, 7] {
        let answer = client.query(&ranking(id, 26, 3));
        assert_eq!(answer["data"]["characterData"]["character"], json!(null));
    }
    assert!(client.population().character(unknown).is_some(), "it stands on pages");
}

#[test]
fn a_never_classed_character_damages_the_whole_answer() {
    let shares = Shares { never_classed: 100, ..Shares::NONE };
    let mut client = Client::new(Options { shares, ..Options::default() });
    let population = client.population();
    let fine = one_of(&client, QueryOutcome::Ranked);
    let mut forms = BTreeMap::new();
    for id in population.with_outcome(&Options::all_rankings(), QueryOutcome::NeverClassed) {
        let query = format!(
            "{{ characterData {{ a: character(id: {fine}) {{ zoneRankings(zoneID: 26) }} b: character(id: {id}) {{ zoneRankings(zoneID: 26) }} }} }}"
        );
        let answer = client.ask(&query, Value::Null);
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.body(), client.ask(&query, Value::Null).body(), "always the same for one character");
        let form = match body(&answer).split_once('{') {
            None if body(&answer).is_empty() => "empty",
            None => "text",
            Some((text, rest)) => {
                assert!(text.starts_with("No class set for this character."));
                let rest: Value = serde_json::from_str(&format!("{{{rest}")).expect("JSON after the text");
                assert!(rest["data"]["characterData"]["a"]["zoneRankings"]["rankings"].is_array());
                "text and JSON"
            }
        };
        *forms.entry(form).or_insert(0) += 1;
    }
    assert!(forms.len() == 3 && forms.values().all(|count| *count > 10), "{forms:?}");
}

#[test]
fn a_transferred_character_names_its_canonical_id() {
    let mut client = Client::new(Options { shares: Shares { transferred: 50, ..Shares::NONE }, ..Options::default() });
    let population = client.population();
    let characters =
        population.discoverable(&Options::all_rankings()).into_iter().filter_map(|id| population.character(id));
    let moved = characters
        .into_iter()
        .find(|character| character.id != character.canonical_id)
        .expect("a transferred character");
    for id in [moved.id, moved.canonical_id] {
        let answer = client.query(&format!("{{ characterData {{ character(id: {id}) {{ id canonicalID name }} }} }}"));
        let expected = json!({"id": id, "canonicalID": moved.canonical_id, "name": moved.name});
        assert_eq!(answer["data"]["characterData"]["character"], expected);
    }
}

#[test]
fn sparse_answers_are_short_and_true_and_cost_the_same() {
    let options = Options { shares: Shares::NONE, ..Options::default() };
    let mut full = Client::new(options.clone());
    let mut sparse = Client::new(Options { detail: Detail::Reduced, ..options });
    let population = sparse.population();
    for id in population.discoverable(&[(29, 5)]).into_iter().take(30) {
        let answer = scalar(&mut sparse, id, 29, 5);
        let truth = population.true_ranks(id, 29, 5).expect("a character");
        let rankings = answer["rankings"].as_array().expect("a list");
        assert_eq!((rankings.len(), truth.encounters.len(), &answer["allStars"]), (1, 1, &json!([])));
        assert_eq!((rankings[0]["rankPercent"].as_f64(), truth.best), (truth.best, Some(truth.encounters[0].best)));
        let whole = scalar(&mut full, id, 29, 5);
        assert_eq!(whole["rankings"][0]["rankPercent"], rankings[0]["rankPercent"]);
        assert!(whole.to_string().len() > 3 * answer.to_string().len());
    }
    assert_eq!(full.upstream.counters().charged, sparse.upstream.counters().charged);
}

/// Returns the JSON types of each member of a recorded answer, without list positions: `rankings[].spec` → null,
/// string.
fn shape(value: &Value, path: &str, shapes: &mut BTreeMap<String, Vec<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            items.iter().for_each(|item| shape(item, &format!("{path}[]"), shapes));
            "list"
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| shape(member, &format!("{path}.{name}"), shapes));
            "object"
        }
    };
    let kinds = shapes.entry(path.to_owned()).or_default();
    if !kinds.contains(&kind) {
        kinds.push(kind);
        kinds.sort_unstable();
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn answers_have_the_shape_of_recorded_ones() {
    let recorded = |name: &str| std::fs::read(format!("{RECORDED}/{name}")).ok();
    let files =
        (recorded("zoneRankings-zone29-heroic-hps-byBracket.json"), recorded("sdk-character-zoneRankings-zone24.json"));
    let (Some(ours), Some(other)) = files else {
        println!("skipped: no recorded answers at {RECORDED}");
        return;
    };
    let (mut expected, mut found) = (BTreeMap::new(), BTreeMap::new());
    let ours: Value = serde_json::from_slice(&ours).expect("JSON");
    let other: Value = serde_json::from_slice(&other).expect("JSON");
    shape(&ours["data"]["characterData"]["character"]["zoneRankings"], "", &mut expected);
    shape(&other["zoneRankings"], "", &mut expected);
    let mut client = Client::new(Options { shares: Shares::NONE, ..Options::default() });
    let ids = client.population().discoverable(&[(29, 4)]);
    for id in ids.into_iter().take(120) {
        let answer = scalar(&mut client, id, 29, 4);
        shape(&answer, "", &mut found);
    }
    assert!(expected.keys().eq(found.keys()), "{expected:#?}\n{found:#?}");
    for (path, kinds) in &expected {
        let unseen: Vec<_> = kinds.iter().filter(|kind| !found[path].contains(kind)).collect();
        assert!(unseen.is_empty(), "{path} was never {unseen:?}");
    }
}
