//! The GraphQL documents that the fleet sends.
//!
//! The fixed parts come from `graphql/queries.graphql`, where `graphql_client` makes their types. A batch asks for
//! many characters, raids and difficulties at once, so its aliases are put together here. Enum values are written as
//! literals: the upstream has renamed an enum type before, and a typed variable would have broken.

use std::fmt::Write;

use graphql_client::GraphQLQuery;

use crate::model::{Difficulty, PlayerId, RaidId};

/// The fixed documents, one string with all operations and fragments.
const QUERIES: &str = include_str!("../../graphql/queries.graphql");

/// One character and what to fetch of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RanksOf {
    /// The character.
    pub id: PlayerId,
    /// Raids and difficulties.
    pub units: Vec<(RaidId, Difficulty)>,
}

#[derive(GraphQLQuery)]
#[expect(dead_code, reason = "the derive hangs the answer's types on it, and only those are used")]
#[graphql(schema_path = "graphql/schema.graphql", query_path = "graphql/queries.graphql", response_derives = "Debug")]
pub(super) struct ReadPoints;

#[derive(GraphQLQuery)]
#[expect(dead_code, reason = "the derive hangs the answer's types on it, and only those are used")]
#[graphql(schema_path = "graphql/schema.graphql", query_path = "graphql/queries.graphql", response_derives = "Debug")]
pub(super) struct ReadCharacter;

#[derive(GraphQLQuery)]
#[expect(dead_code, reason = "the derive hangs the answer's types on it, and only those are used")]
#[graphql(schema_path = "graphql/schema.graphql", query_path = "graphql/queries.graphql", response_derives = "Debug")]
pub(super) struct ListReports;

#[derive(GraphQLQuery)]
#[expect(dead_code, reason = "the derive hangs the answer's types on it, and only those are used")]
#[graphql(schema_path = "graphql/schema.graphql", query_path = "graphql/queries.graphql", response_derives = "Debug")]
pub(super) struct ReadReport;

/// The alias of a character in a batch.
pub(super) fn character_alias(id: PlayerId) -> String {
    format!("c{id}")
}

/// The alias of a raid and difficulty within a character.
pub(super) fn unit_alias((raid, difficulty): (RaidId, Difficulty)) -> String {
    format!("r{raid}d{difficulty}")
}

/// The alias of a report in a batch.
pub(super) fn report_alias(index: usize) -> String {
    format!("report{index}")
}

/// The key's counter alone.
pub fn read_points() -> String {
    format!("query ReadPoints {{ rateLimitData {{ ...Points }} }}\n{}", fragment("Points"))
}

/// The ranks of several characters, and the key's counter, in one document.
pub fn ranks(batch: &[RanksOf], metric: Option<&str>) -> String {
    let metric = metric.map(|metric| format!(", metric: {metric}")).unwrap_or_default();
    let mut document = String::from("query Ranks {\n  rateLimitData { ...Points }\n  characterData {\n");
    for character in batch {
        // Writing to a string does not fail.
        let _ = writeln!(document, "    {}: character(id: {}) {{", character_alias(character.id), character.id);
        document.push_str("      ...CharacterFields\n");
        for unit in &character.units {
            let (raid, difficulty) = *unit;
            let alias = unit_alias(*unit);
            let _ = writeln!(document, "      {alias}: zoneRankings(zoneID: {raid}, difficulty: {difficulty}{metric})");
        }
        document.push_str("    }\n");
    }
    document.push_str("  }\n}\n");
    document + fragment("Points") + fragment("CharacterFields")
}

/// A page of the list of reports of one raid that were uploaded between two instants (in milliseconds).
pub fn list_reports(raid: RaidId, from_millis: i64, to_millis: i64, limit: usize, page: u32) -> String {
    format!(
        "query ListReports {{\n  rateLimitData {{ ...Points }}\n  reportData {{\n    \
         reports(zoneID: {raid}, startTime: {from_millis}.0, endTime: {to_millis}.0, limit: {limit}, page: {page}) {{ \
         has_more_pages data {{ code }} }}\n  }}\n}}\n{}",
        fragment("Points")
    )
}

/// The ranked characters of several reports. A code goes into the document as a string literal, so it must be one
/// of [`is_report_code`].
pub fn reports(codes: &[String]) -> String {
    let mut document = String::from("query Reports {\n  rateLimitData { ...Points }\n  reportData {\n");
    for (index, code) in codes.iter().enumerate() {
        let _ = writeln!(document, "    {}: report(code: \"{code}\") {{ ...ReportFields }}", report_alias(index));
    }
    document.push_str("  }\n}\n");
    document + fragment("Points") + fragment("ReportFields")
}

/// Report codes are letters and digits; anything else is not put into a document.
pub fn is_report_code(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A fragment's text, from the file that its types are made from.
fn fragment(name: &str) -> &'static str {
    let start = QUERIES.find(&format!("fragment {name} ")).unwrap_or_default();
    let end = QUERIES[start..].find("\n}\n").map_or(QUERIES.len(), |length| start + length + 3);
    &QUERIES[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_an_alias_for_each_raid_and_difficulty() {
        let batch =
            [RanksOf { id: 57_147_396, units: vec![(26, 3), (26, 5)] }, RanksOf { id: 7, units: vec![(28, 4)] }];
        let document = ranks(&batch, Some("dps"));
        assert!(document.contains("c57147396: character(id: 57147396)"));
        assert!(document.contains("r26d5: zoneRankings(zoneID: 26, difficulty: 5, metric: dps)"));
        assert!(document.contains("r28d4: zoneRankings"));
        assert_eq!(document.matches("fragment ").count(), 2);
    }

    #[test]
    fn only_plain_codes_get_into_a_document() {
        assert!(is_report_code("aBcD1234"));
        assert!(!is_report_code("a\") { x } #"));
        assert!(!is_report_code(""));
    }
}
