//! The GraphQL documents that the fleet sends.
//!
//! The fragments come from `graphql/queries.graphql`. A batch requests many characters, raids and difficulties at once, so
//! its aliases are put together here. Enum values are written as literals: the upstream has renamed an enum type before, and
//! a typed variable would have broken. A test validates every document against the schema.

use std::fmt::Write;
use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;

use crate::model::{Difficulty, RaidId, Unit};
use crate::player_ref::PlayerRef;
use crate::rank_queries::RankQueries;

/// All fragments.
const QUERIES: &str = include_str!("../../graphql/queries.graphql");

/// Bytes of a document for five characters.
const TYPICAL_LENGTH: usize = 4_096;

/// The end of every document for ranks.
static RANKS_FRAGMENTS: LazyLock<String> =
    LazyLock::new(|| fragment("Points").to_owned() + fragment("CharacterFields"));

/// One character and what to fetch of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharacterRequest {
    /// The character.
    pub player_ref: PlayerRef,
    /// Raids and difficulties.
    pub units: Vec<(RaidId, Difficulty)>,
}

/// The alias of the character at `place` in a batch: its id, or its position if it has no id.
pub(super) fn character_alias(place: usize, player_ref: &PlayerRef) -> String {
    match player_ref {
        PlayerRef::Id(id) => format!("c{id}"),
        PlayerRef::Named(_) => format!("n{place}"),
    }
}

/// The arguments that select a character.
fn character_arguments(player_ref: &PlayerRef) -> String {
    match player_ref {
        PlayerRef::Id(id) => format!("id: {id}"),
        PlayerRef::Named(named) => {
            let [name, server, region] = [named.name(), named.server(), named.region()].map(string_literal);
            format!("name: {name}, serverSlug: {server}, serverRegion: {region}")
        }
    }
}

/// A text as a GraphQL literal. GraphQL escapes the same characters as JSON and in the same way
/// (spec.graphql.org/October2021, section 2.9.4), so nothing in a name ends the literal.
fn string_literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The alias of a raid and difficulty within a character. A further metric's number is appended: `r26d4m1`.
pub(super) fn unit_alias((raid, difficulty): (RaidId, Difficulty)) -> String {
    format!("r{raid}d{difficulty}")
}

/// The alias of a report in a batch.
pub(super) fn report_alias(index: usize) -> String {
    format!("report{index}")
}

/// The body of the request that sends a document.
pub(super) fn body(document: &str) -> Bytes {
    // With room for an escape in every line.
    let mut body = Vec::with_capacity(document.len() + document.len() / 8 + 16);
    body.extend_from_slice(br#"{"query":"#);
    // Writing a text into memory does not fail.
    let _ = serde_json::to_writer(&mut body, document);
    body.push(b'}');
    Bytes::from(body)
}

/// The query for the key's counter.
pub fn read_points() -> String {
    format!("query ReadPoints {{ rateLimitData {{ ...Points }} }}\n{}", fragment("Points"))
}

/// The query for the ranks of several characters, and the key's counter, in one document.
pub fn ranks(batch: &[CharacterRequest], rank_queries: &RankQueries) -> String {
    let mut document = String::with_capacity(TYPICAL_LENGTH);
    let mut written: Vec<(Unit, Range<usize>)> = Vec::new();
    document.push_str("query Ranks {\n  rateLimitData { ...Points }\n  characterData {\n");
    for (place, CharacterRequest { player_ref, units }) in batch.iter().enumerate() {
        let (alias, arguments) = (character_alias(place, player_ref), character_arguments(player_ref));
        // Writing to a string does not fail.
        let _ = writeln!(document, "    {alias}: character({arguments}) {{");
        document.push_str("      ...CharacterFields\n");
        for unit in units {
            // The players of a batch have many of them in common.
            match written.iter().find(|(known, _)| known == unit) {
                Some((_, lines)) => document.extend_from_within(lines.clone()),
                None => {
                    let start = document.len();
                    write_unit(&mut document, *unit, rank_queries.arguments(*unit));
                    written.push((*unit, start..document.len()));
                }
            }
        }
        document.push_str("    }\n");
    }
    document.push_str("  }\n}\n");
    document + &RANKS_FRAGMENTS
}

/// Writes the lines for a raid and difficulty, one for each metric.
fn write_unit(document: &mut String, (raid, difficulty): Unit, arguments: &[String]) {
    for (place, arguments) in arguments.iter().enumerate() {
        // The alias of `unit_alias`, without allocating a string. Writing to a string does not fail.
        let _ = write!(document, "      r{raid}d{difficulty}");
        if place > 0 {
            let _ = write!(document, "m{place}");
        }
        let _ = write!(document, ": zoneRankings(zoneID: {raid}, ");
        let _ = writeln!(document, "difficulty: {difficulty}{arguments})");
    }
}

/// A guild, with what the upstream needs to distinguish guilds of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuildKey {
    /// Its name.
    pub name: String,
    /// The slug of its server.
    pub server: String,
    /// The server's region.
    pub region: String,
}

/// The query for a page of the list of reports of one raid that were uploaded between two instants (in milliseconds),
/// by a guild if one is given.
pub fn list_reports(
    raid: RaidId,
    (from_millis, to_millis): (i64, i64),
    guild: Option<&GuildKey>,
    limit: usize,
    page: u32,
) -> String {
    let guild = guild.map(|GuildKey { name, server, region }| {
        let [name, server, region] = [name, server, region].map(|text| string_literal(text));
        format!(", guildName: {name}, guildServerSlug: {server}, guildServerRegion: {region}")
    });
    format!(
        "query ListReports {{\n  rateLimitData {{ ...Points }}\n  reportData {{\n    \
         reports(zoneID: {raid}, startTime: {from_millis}.0, endTime: {to_millis}.0, limit: {limit}, page: {page}{}) {{ \
         has_more_pages data {{ code }} }}\n  }}\n}}\n{}",
        guild.unwrap_or_default(),
        fragment("Points")
    )
}

/// The alias of a raid among several.
pub(super) fn zone_alias(raid: RaidId) -> String {
    format!("zone{raid}")
}

/// The query for the zone data of several raids.
pub fn zones(raids: &[RaidId]) -> String {
    let zones = raids.iter().map(|raid| format!("    {}: zone(id: {raid}) {{ ...ZoneFields }}\n", zone_alias(*raid)));
    world("Zones", &zones.collect::<String>()) + fragment("ZoneFields")
}

/// The query for the zone data of all raids.
pub fn all_zones() -> String {
    world("AllZones", "    zones { ...ZoneFields }\n") + fragment("ZoneFields")
}

/// The query for the id of a server.
pub fn server_id(region: &str, slug: &str) -> String {
    let [region, slug] = [region, slug].map(string_literal);
    world("ServerId", &format!("    server(region: {region}, slug: {slug}) {{ id }}\n"))
}

fn world(name: &str, fields: &str) -> String {
    let points = fragment("Points");
    format!("query {name} {{\n  rateLimitData {{ ...Points }}\n  worldData {{\n{fields}  }}\n}}\n{points}")
}

/// The ranked characters of several reports, with their servers if `with_servers`. A code goes into the document as a
/// string literal, so it must satisfy [`is_report_code`].
pub fn reports(codes: &[String], with_servers: bool) -> String {
    let fields = if with_servers { "PlacedReportFields" } else { "ReportFields" };
    let mut document = String::from("query Reports {\n  rateLimitData { ...Points }\n  reportData {\n");
    for (index, code) in codes.iter().enumerate() {
        let _ = writeln!(document, "    {}: report(code: \"{code}\") {{ ...{fields} }}", report_alias(index));
    }
    document.push_str("  }\n}\n");
    document + fragment("Points") + fragment(fields)
}

/// Report codes are letters and digits; anything else is not put into a document.
pub fn is_report_code(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A fragment's text, from the file of the fixed documents.
fn fragment(name: &str) -> &'static str {
    let start = QUERIES.find(&format!("fragment {name} ")).unwrap_or_default();
    let end = QUERIES[start..].find("\n}\n").map_or(QUERIES.len(), |length| start + length + 3);
    &QUERIES[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::player_ref::PlayerName;
    use crate::rank_queries::RankOptions;

    fn ranks_of(id: u64, units: &[(RaidId, Difficulty)]) -> CharacterRequest {
        CharacterRequest { player_ref: PlayerRef::Id(id), units: units.to_vec() }
    }

    #[test]
    fn a_batch_has_an_alias_for_each_raid_and_difficulty() {
        let batch = [ranks_of(57_147_396, &[(26, 3), (26, 5)]), ranks_of(7, &[(28, 4)])];
        let metrics = vec!["dps".to_owned()];
        let rank_queries = RankQueries::of_fleet(&RankOptions { metrics, size: Some(25), ..RankOptions::default() });
        let document = ranks(&batch, &rank_queries);
        assert!(document.contains("c57147396: character(id: 57147396)"));
        assert!(document.contains("r26d5: zoneRankings(zoneID: 26, difficulty: 5, metric: dps, size: 25)"));
        assert!(document.contains(&format!(" {}: ", unit_alias((26, 3)))), "the reader looks for this alias");
        assert!(document.contains("r28d4: zoneRankings"));
        assert_eq!(document.matches("fragment ").count(), 2);
    }

    #[test]
    fn each_further_metric_has_an_alias_of_its_own() {
        let metrics = vec!["dps".to_owned(), "hps".to_owned()];
        let rank_queries = RankQueries::of_fleet(&RankOptions { metrics, ..RankOptions::default() });
        let document = ranks(&[ranks_of(7, &[(26, 4)])], &rank_queries);
        assert!(document.contains(" r26d4: zoneRankings(zoneID: 26, difficulty: 4, metric: dps)"));
        assert!(document.contains(" r26d4m1: zoneRankings(zoneID: 26, difficulty: 4, metric: hps)"));
    }

    #[test]
    fn a_name_stays_within_its_literal() {
        for (name, literal) in [
            ("Ånn", r#""Ånn""#),
            (r#"A"b"#, r#""A\"b""#),
            (r"A\b", r#""A\\b""#),
            (r#"A\") { x } #"#, r#""A\\\") { x } #""#),
        ] {
            let named = PlayerName::new(name, "tarren-mill", "EU").unwrap();
            let batch = [
                ranks_of(7, &[(26, 3)]),
                CharacterRequest { player_ref: PlayerRef::Named(named), units: vec![(26, 3)] },
            ];
            let asked = format!("n1: character(name: {literal}, serverSlug: \"tarren-mill\", serverRegion: \"EU\")");
            let document = ranks(&batch, &RankQueries::of_fleet(&RankOptions::default()));
            assert!(document.contains(&asked), "{document}");
        }
        assert_eq!(string_literal("a\nb\u{7}"), r#""a\nb\u0007""#, "a line never breaks in a literal");
    }

    #[test]
    fn only_plain_codes_get_into_a_document() {
        assert!(is_report_code("aBcD1234"));
        assert!(!is_report_code("a\") { x } #"));
        assert!(!is_report_code(""));
    }
}
