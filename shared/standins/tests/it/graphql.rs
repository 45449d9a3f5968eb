use http::StatusCode;
use serde_json::{Value, json};
use stint_core::points::Points;
use stint_standins::warcraftlogs::{Options, Shares};

use crate::client::{Client, RECORDED};

fn client() -> Client {
    Client::new(Options { shares: Shares::NONE, ..Options::default() })
}

fn message(client: &mut Client, query: &str) -> String {
    let answer = client.query(query);
    assert!(answer.get("data").is_none(), "{answer}");
    answer["errors"][0]["message"].as_str().expect("a message").to_owned()
}

#[test]
fn aliases_fragments_and_variables_are_understood() {
    let mut client = client();
    let id = client.population().discoverable(&[(28, 5)])[0];
    let character = client.population().character(id).expect("a character");
    let query = "query Ranks($id: Int!, $zone: Int = 28, $more: Boolean!) { \
        characterData { ...Both } again: characterData { character(id: $id) { more: level @include(if: $more) } } } \
        fragment Both on CharacterData { player: character(id: $id) { __typename ... on Character { name } ...Rest } } \
        fragment Rest on Character { name server { slug region { compactName } } heroic: zoneRankings(zoneID: $zone, difficulty: 4) }";
    let answer = client.ask(query, json!({"id": id, "more": false}));
    let answer: Value = serde_json::from_slice(answer.body()).expect("JSON");
    let player = &answer["data"]["characterData"]["player"];
    assert_eq!((&player["__typename"], &player["name"]), (&json!("Character"), &json!(character.name)));
    assert_eq!(
        player["server"],
        json!({"slug": character.realm.slug, "region": {"compactName": character.realm.region}})
    );
    assert_eq!((&player["heroic"]["zone"], &player["heroic"]["difficulty"]), (&json!(28), &json!(4)));
    assert_eq!(answer["data"]["again"]["character"], json!({}));
}

#[test]
fn a_character_is_found_by_name_too() {
    let mut client = client();
    let population = client.population();
    for id in population.discoverable(&[(26, 3)]).into_iter().take(50) {
        let character = population.character(id).expect("a character");
        let (name, slug, region) = (&character.name, character.realm.slug, character.realm.region);
        let answer = client.query(&format!(
            "{{ characterData {{ character(name: \"{name}\", serverSlug: \"{slug}\", serverRegion: \"{region}\") {{ id }} }} }}"
        ));
        assert_eq!(answer["data"]["characterData"]["character"]["id"], json!(id), "{name}");
    }
    let stranger = client.query(
        "{ characterData { character(name: \"Nobody\", serverSlug: \"kazzak\", serverRegion: \"eu\") { id } } }",
    );
    assert_eq!(stranger["data"]["characterData"]["character"], json!(null));
}

#[test]
fn a_name_may_be_written_with_escapes_and_costs_what_an_id_costs() {
    let mut client = client();
    let population = client.population();
    let id = population.discoverable(&[(26, 3)])[0];
    let character = population.character(id).expect("a character");
    let escaped: String = character.name.chars().map(|letter| format!("\\u{:04x}", letter as u32)).collect();
    let (slug, region) = (character.realm.slug, character.realm.region);
    let mut cost = |arguments: &str| {
        let before = client.upstream.counters().charged;
        let answer = client.query(&format!(
            "{{ characterData {{ character({arguments}) {{ canonicalID zoneRankings(zoneID: 26, difficulty: 3) }} }} }}"
        ));
        (
            answer["data"]["characterData"]["character"].clone(),
            client.upstream.counters().charged.saturating_sub(before),
        )
    };
    let by_name = cost(&format!("name: \"{escaped}\", serverSlug: \"{slug}\", serverRegion: \"{region}\""));
    assert_eq!(by_name.0["canonicalID"], json!(id));
    assert_eq!(by_name, cost(&format!("id: {id}")));
    let unknown = cost(r#"name: "No\"bo\\dy\n", serverSlug: "kazzak", serverRegion: "EU""#);
    assert_eq!(unknown.0, json!(null));
}

#[test]
fn a_mistake_is_answered_with_errors_and_costs_nothing() {
    let mut client = client();
    let id = client.population().discoverable(&[(26, 3)])[0];
    let ranked =
        |rest: &str| format!("{{ characterData {{ character(id: {id}) {{ zoneRankings(zoneID: 26) {rest} }} }} }}");
    for (query, expected) in [
        (ranked("shoeSize"), r#"Cannot query field "shoeSize" on type "Character"."#),
        (
            ranked("a: zoneRankings(zone: 26)"),
            r#"Unknown argument "zone" on field "zoneRankings" of type "Character"."#,
        ),
        (
            ranked("a: zoneRankings(compare: Best)"),
            r#"Field "zoneRankings" argument "compare": expected type RankingCompareType, found Best"#,
        ),
        (
            ranked("server"),
            r#"Field "server" of type "Server" must have a selection of subfields. Did you mean "server { ... }"?"#,
        ),
        (ranked("id { x }"), r#"Field "id" must not have a selection since type "Int!" has no subfields."#),
        (ranked("...Gone"), r#"Unknown fragment "Gone"."#),
        (ranked("level(id: $id)"), r#"Unknown argument "id" on field "level" of type "Character"."#),
        (
            "query($id: Int!) { characterData { character(id: $id) { id } } }".to_owned(),
            r#"Variable "$id" of required type "Int!" was not provided."#,
        ),
        ("mutation { x }".to_owned(), "Schema is not configured to execute mutation operation."),
        ("query { ...A } fragment A on Query { ...A }".to_owned(), "Cannot spread fragment within itself."),
    ] {
        assert_eq!(message(&mut client, &query), expected);
    }
    let clash = message(&mut client, "{ characterData { character(id: 1) { id } character(id: 2) { id } } }");
    assert!(clash.starts_with(r#"Fields "character" conflict"#), "{clash}");
    assert!(message(&mut client, "{ characterData {").starts_with("Syntax Error: "));
    assert!(message(&mut client, "{ characterData { character(id: \"7\") { id } } }").contains("expected type Int"));
    assert_eq!(client.upstream.counters().charged, Points::ZERO);
}

#[test]
fn a_body_without_a_query_is_an_error_of_its_own() {
    let mut client = client();
    let answer = client.ask("", Value::Null);
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.body().starts_with(b"{\"errors\""));
}

/// The stand-in serves only fields and arguments of the published schema.
#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn the_served_schema_is_a_part_of_the_published_one() {
    let Ok(schema) = std::fs::read_to_string(format!("{RECORDED}/schema.graphql")) else {
        println!("skipped: no schema at {RECORDED}");
        return;
    };
    for served in stint_standins::warcraftlogs::served_schema() {
        let (of, field) = (served.of, served.field);
        let start = schema.find(&format!("\ntype {of} ")).unwrap_or_else(|| panic!("no type {of}"));
        let block = &schema[start..start + schema[start..].find("\n}").expect("an end")];
        let at = block.find(&format!("\n\t{field}")).unwrap_or_else(|| panic!("no field {of}.{field}"));
        for argument in served.arguments {
            assert!(block[at..].contains(&format!("\n\t\t{argument}: ")), "no argument {of}.{field}({argument})");
        }
    }
}
