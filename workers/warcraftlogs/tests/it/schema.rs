//! Checks every document that the fleet can send against the published schema and against the part of it in this crate.

use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::proptest;
use stint_warcraftlogs::client::{
    CharacterRequest, GuildKey, all_zones_document, is_report_code, list_reports, ranks_document, read_points,
    reports_document, server_id_document, zones_document,
};
use stint_warcraftlogs::player_ref::{PlayerName, PlayerRef, REGIONS};
use stint_warcraftlogs::rank_queries::{Compare, RankOptions, RankQueries, Timeframe};
use stint_warcraftlogs::store::{METRICS, Rule};

/// The part of the schema that is checked in.
const OURS: &str = include_str!("../../graphql/schema.graphql");

/// Path of the published schema on the machines that have it.
const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/wcl/schema.graphql");

fn ours() -> Valid<Schema> {
    Schema::parse_and_validate(OURS, "graphql/schema.graphql").unwrap()
}

/// `None`, with a message, if the file is missing.
#[expect(clippy::print_stderr, reason = "the test's output says what was skipped")]
fn published() -> Option<Valid<Schema>> {
    let Ok(text) = std::fs::read_to_string(PUBLISHED) else {
        eprintln!("skipped: there is no {PUBLISHED}");
        return None;
    };
    Some(Schema::parse_and_validate(text, PUBLISHED).unwrap())
}

fn schemas() -> Vec<Valid<Schema>> {
    std::iter::once(ours()).chain(published()).collect()
}

fn check(schemas: &[Valid<Schema>], document: &str) {
    for schema in schemas {
        if let Err(error) = ExecutableDocument::parse_and_validate(schema, document, "document.graphql") {
            panic!("{}\n{document}", error.errors);
        }
    }
}

#[test]
fn what_the_fleet_asks_of_points_and_reports_is_valid() {
    let schemas = schemas();
    check(&schemas, &read_points());
    check(&schemas, &list_reports(26, (1_669_438_300_480, 1_669_524_700_480), None, 20, 1));
    let guild = GuildKey { name: "Écho \") { x }".into(), server: "tarren-mill".into(), region: "EU".into() };
    check(&schemas, &list_reports(29, (0, 0), Some(&guild), 100, 400));
    for count in [1, 2, 20] {
        let codes: Vec<String> = (0..count).map(|number| format!("aB{number}xYz01")).collect();
        check(&schemas, &reports_document(&codes, false));
        check(&schemas, &reports_document(&codes, true));
    }
}

/// Any settings, with any rules of three raids.
fn rank_queries() -> impl Strategy<Value = RankQueries> {
    let metric = || proptest::sample::select(&METRICS[..]).prop_map(str::to_owned);
    let (partition, size) = (option::of(prop_oneof![Just(-1), 1..9_i32]), option::of(1..=40_u32));
    let metrics = proptest::collection::btree_set(metric(), 0..3);
    let compare = option::of(proptest::sample::select(&[Compare::Rankings, Compare::Parses][..]));
    let timeframe = option::of(proptest::sample::select(&[Timeframe::Today, Timeframe::Historical][..]));
    let rule = (1..4_u32, option::of(metric()), partition.clone(), size.clone());
    let rule = rule.prop_map(|(raid, metric, partition, size)| Rule {
        raid,
        difficulty: 4,
        start_page: 1,
        end_page: 9,
        metric,
        partition,
        size,
        ..Rule::default()
    });
    let rules = proptest::collection::vec(rule, 0..4);
    let fleet = (metrics, partition, size, option::of(any::<bool>()), compare, timeframe);
    (fleet, rules).prop_map(|((metrics, partition, size, by_bracket, compare, timeframe), rules)| {
        let metrics = metrics.into_iter().collect();
        RankQueries::new(&RankOptions { metrics, partition, size, by_bracket, compare, timeframe }, &rules)
    })
}

#[test]
fn whatever_ranks_the_fleet_asks_for_the_document_is_valid() {
    let schemas = schemas();
    let named = ("[^\\p{C}]{1,12}", "[a-z\"\\\\-]{1,12}", proptest::sample::select(&REGIONS[..]));
    let named = named.prop_filter_map("a name", |(name, server, region)| PlayerName::new(&name, &server, region).ok());
    let player_ref = prop_oneof![(1..=i32::MAX as u64).prop_map(PlayerRef::Id), named.prop_map(PlayerRef::Named)];
    let unit = (prop_oneof![1..4_u32, 1..10_000_u32], prop_oneof![Just(1_u32), 3..=5_u32, Just(10)]);
    let units = proptest::collection::btree_set(unit, 1..12);
    let batch = proptest::collection::btree_map(player_ref, units, 1..=5);
    proptest!(|(batch in batch.prop_filter("a batch", |batch| !batch.is_empty()), rank_queries in rank_queries())| {
        let batch = batch.into_iter().map(|(player_ref, units)| CharacterRequest { player_ref, units: units.into_iter().collect() });
        check(&schemas, &ranks_document(&batch.collect::<Vec<_>>(), &rank_queries));
    });
}

#[test]
fn what_the_fleet_asks_of_raids_and_servers_is_valid() {
    let schemas = schemas();
    check(&schemas, &zones_document(&[26]));
    check(&schemas, &zones_document(&[3, 26, 28, 44, 9_999]));
    check(&schemas, &all_zones_document());
    check(&schemas, &server_id_document("EU", "tarren-mill"));
    check(&schemas, &server_id_document("\"", "}) { x \\"));
}

#[test]
fn whatever_passes_for_a_report_code_cannot_break_a_document() {
    let schemas = schemas();
    let code = prop_oneof!["[0-9A-Za-z]{1,20}", any::<String>(), r#"[a-z"\\}{]{1,6}"#];
    proptest!(|(codes in proptest::collection::vec(code, 1..5))| {
        let codes: Vec<String> = codes.into_iter().filter(|code| is_report_code(code)).collect();
        if !codes.is_empty() {
            check(&schemas, &reports_document(&codes, codes.len().is_multiple_of(2)));
        }
    });
}

#[test]
fn a_wrong_document_would_be_found() {
    let schema = ours();
    for wrong in ["query { characterData { character(id: 1) { zoneRanking } } }", "query { rateLimitData }"] {
        assert!(ExecutableDocument::parse_and_validate(&schema, wrong, "wrong.graphql").is_err(), "{wrong}");
    }
}

#[test]
fn our_part_of_the_schema_is_a_part_of_the_published_one() {
    let (ours, Some(published)) = (ours(), published()) else { return };
    let types = ours.types.iter().filter(|(_, definition)| !definition.is_built_in());
    for (name, definition) in types {
        let theirs = published.types.get(name).unwrap_or_else(|| panic!("there is no type {name}"));
        match (definition, theirs) {
            (ExtendedType::Object(_), ExtendedType::Object(_)) => check_fields(definition, theirs),
            (ExtendedType::Enum(ours), ExtendedType::Enum(theirs)) => {
                for value in ours.values.keys() {
                    assert!(theirs.values.contains_key(value), "{name} has no value {value}");
                }
            }
            (ExtendedType::Scalar(_), ExtendedType::Scalar(_)) => {}
            _ => panic!("{name} is another kind of type"),
        }
    }
}

fn check_fields(ours: &ExtendedType, theirs: &ExtendedType) {
    let (ExtendedType::Object(ours), ExtendedType::Object(theirs)) = (ours, theirs) else { return };
    for (field, definition) in &ours.fields {
        let place = format!("{}.{field}", ours.name);
        let published = theirs.fields.get(field).unwrap_or_else(|| panic!("there is no {place}"));
        assert_eq!(definition.ty, published.ty, "the type of {place}");
        for argument in &definition.arguments {
            let known = published.argument_by_name(&argument.name);
            let known = known.unwrap_or_else(|| panic!("{place} has no argument {}", argument.name));
            assert_eq!(argument.ty, known.ty, "the type of the argument {} of {place}", argument.name);
        }
        for argument in published.arguments.iter().filter(|argument| argument.is_required()) {
            assert!(definition.argument_by_name(&argument.name).is_some(), "{place} needs {}", argument.name);
        }
    }
}
