//! A discovery rule: which pages to read again and again, and which ranks to request for the players on them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{Difficulty, RaidId};
use crate::player_ref::{PlayerName, parse_region};

/// The last page that a rule may have: more than a hundred times the pages of any ranking.
pub const LAST_PAGE: u32 = 100_000;

/// The metrics that a rule may name: those of this game in the upstream's `CharacterPageRankingMetricType`. With an
/// unknown metric the upstream refuses the whole document, with every player in it.
/// www.warcraftlogs.com/v2-api-docs/warcraft/characterpagerankingmetrictype.doc.html
pub const METRICS: [&str; 9] =
    ["default", "dps", "hps", "bossdps", "wdps", "tankhps", "krsi", "playerscore", "playerspeed"];

/// The largest group that the game has ever had.
const LARGEST_SIZE: u32 = 40;

/// The partition number that stands for all of them in the upstream's API.
const ALL_PARTITIONS: i32 = -1;

/// One document of the `discovery_schedules` collection: which pages to read again and again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// 24 hexadecimal digits.
    #[serde(rename = "_id", with = "object_id")]
    pub id: String,
    /// The raid whose rankings are read.
    pub raid: RaidId,
    /// The difficulty.
    pub difficulty: Difficulty,
    /// The first page, from 1.
    pub start_page: u32,
    /// The last page, inclusive.
    pub end_page: u32,
    /// The partition of the raid, such as a patch, from 1; -1 stands for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The size of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// The metric that players are ranked by: one of [`METRICS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Only players in this region, such as `EU`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Only players on this server of the region: its slug, such as `tarren-mill`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Only players in the reports of this guild on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guild: Option<String>,
    /// When a pass over the pages was last finished.
    #[serde(default, with = "last_run", skip_serializing_if = "Option::is_none")]
    pub last_run: Option<Timestamp>,
    /// The document's other fields. They belong to other software, so they are kept unchanged, as extended JSON, and
    /// not read.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Rule {
    /// The fields that are read here; all others are in [`Rule::unknown`].
    pub const FIELDS: [&'static str; 12] = [
        "_id",
        "raid",
        "difficulty",
        "startPage",
        "endPage",
        "partition",
        "size",
        "metric",
        "region",
        "server",
        "guild",
        "lastRun",
    ];

    /// Checks the rule's fields. The error names the field.
    pub fn check(&self) -> Result<(), String> {
        if self.raid == 0 {
            return Err("raid: 0 is no raid; see `stint wcl rules add --help`".into());
        }
        if !matches!(self.difficulty, 1..=5 | 10) {
            return Err(format!("difficulty: {} is none of 1 to 5 and 10", self.difficulty));
        }
        if self.start_page == 0 {
            return Err("startPage: pages are counted from 1".into());
        }
        if self.end_page < self.start_page {
            return Err(format!("endPage: {} comes before startPage {}", self.end_page, self.start_page));
        }
        if self.end_page > LAST_PAGE {
            return Err(format!("endPage: {} is beyond page {LAST_PAGE}, and no ranking is as long", self.end_page));
        }
        self.check_ranks()?;
        self.check_place()
    }

    fn check_ranks(&self) -> Result<(), String> {
        self.partition.map_or(Ok(()), check_partition).map_err(|reason| format!("partition: {reason}"))?;
        self.size.map_or(Ok(()), check_size).map_err(|reason| format!("size: {reason}"))?;
        match self.metric.as_deref() {
            Some(metric) if !METRICS.contains(&metric) => {
                Err(format!("metric: '{metric}' is not one of {}", METRICS.join(", ")))
            }
            _ => Ok(()),
        }
    }

    /// A slug is unique within a region, and a guild's name on a server.
    fn check_place(&self) -> Result<(), String> {
        if let Some(region) = &self.region {
            parse_region(region).map_err(|reason| format!("region: {reason}"))?;
        }
        for (field, value, wider, needed) in
            [("server", &self.server, "region", &self.region), ("guild", &self.guild, "server", &self.server)]
        {
            if value.is_some() && needed.is_none() {
                return Err(format!("{field}: it is the name of one in every {wider}; name the {wider} too"));
            }
        }
        let Some(server) = &self.server else { return Ok(()) };
        let guild = self.guild.as_deref();
        let region = self.region.as_deref().unwrap_or_default();
        // A guild's name has the same limits as a character's name.
        PlayerName::new(guild.unwrap_or("any"), server, region).map(drop).map_err(|reason| {
            let reason = reason.strip_prefix("field ").unwrap_or(&reason);
            reason.strip_prefix("name: ").map_or_else(|| reason.to_owned(), |reason| format!("guild: {reason}"))
        })
    }
}

/// Parses a partition that a raid can have, as typed by a person.
pub fn parse_partition(text: &str) -> Result<i32, String> {
    let partition = text.trim().parse().map_err(|_| format!("'{text}' is not a number"))?;
    check_partition(partition).map(|()| partition)
}

/// Parses a size that a group can have, as typed by a person.
pub fn parse_size(text: &str) -> Result<u32, String> {
    let size = text.trim().parse().map_err(|_| format!("'{text}' is not a number"))?;
    check_size(size).map(|()| size)
}

/// Checks that a raid can have this partition.
fn check_partition(partition: i32) -> Result<(), String> {
    if partition >= 1 || partition == ALL_PARTITIONS {
        return Ok(());
    }
    Err(format!("{partition} is none; partitions are counted from 1, and {ALL_PARTITIONS} means all"))
}

/// Checks that a group can have this size.
fn check_size(size: u32) -> Result<(), String> {
    if (1..=LARGEST_SIZE).contains(&size) {
        return Ok(());
    }
    Err(format!("no group has {size} players; it is from 1 to {LARGEST_SIZE}"))
}

/// Ids as in MongoDB: `{"$oid": "638190fc00bc58421e002c83"}`; also reads a plain string.
mod object_id {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct ObjectId {
        #[serde(rename = "$oid")]
        hex: String,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Plain(String),
        Extended(ObjectId),
    }

    pub(super) fn serialize<S: Serializer>(id: &str, serializer: S) -> Result<S::Ok, S::Error> {
        ObjectId { hex: id.to_owned() }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let (Form::Plain(hex) | Form::Extended(ObjectId { hex })) = Form::deserialize(deserializer)?;
        if hex.len() == 24 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(hex.to_ascii_lowercase());
        }
        Err(D::Error::custom(format!("'{hex}' is not an id of 24 hexadecimal digits")))
    }
}

/// `lastRun` as stored by deployments: a date, or seconds since the epoch as a number (the original wrote floats).
mod last_run {
    use jiff::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::extended_date;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Seconds(f64),
        Date(#[serde(with = "extended_date")] Timestamp),
        Never(()),
    }

    pub(super) fn serialize<S: Serializer>(date: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match date {
            Some(date) => extended_date::serialize(date, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let form = Form::deserialize(deserializer)
            .map_err(|_| D::Error::custom("lastRun is neither a date nor a number of seconds"))?;
        match form {
            Form::Never(()) => Ok(None),
            Form::Date(date) => Ok(Some(date)),
            Form::Seconds(seconds) => Timestamp::from_millisecond((seconds * 1000.0).round() as i64)
                .map(Some)
                .map_err(|_| D::Error::custom(format!("lastRun: {seconds} s is not a date"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(more: &str) -> serde_json::Result<Rule> {
        serde_json::from_str(&format!(
            r#"{{"_id":{{"$oid":"638190fc00bc58421e002c83"}},"raid":26,"difficulty":3,"startPage":1,"endPage":600{more}}}"#
        ))
    }

    #[test]
    fn last_run_is_read_as_a_date_and_as_float_seconds() {
        let last_run = |more: &str| document(more).map(|rule| rule.last_run.map(|date| date.as_millisecond()));
        assert_eq!(
            last_run(r#","lastRun":{"$date":{"$numberLong":"1669438300480"}}"#).unwrap(),
            Some(1_669_438_300_480)
        );
        assert_eq!(last_run(r#","lastRun":1669438300.48"#).unwrap(), Some(1_669_438_300_480));
        assert_eq!(last_run("").unwrap(), None);
        assert!(last_run(r#","lastRun":"yesterday""#).unwrap_err().to_string().contains("lastRun"));
    }

    #[test]
    fn a_document_keeps_unknown_fields() {
        let more = r#","partition":2,"metric":"hps","note":{"by":["me",1.5]},"owner":null"#;
        let rule = document(more).unwrap();
        assert_eq!((rule.partition, rule.metric.as_deref(), rule.unknown.len()), (Some(2), Some("hps"), 2));
        let written = serde_json::to_value(&rule).unwrap();
        assert_eq!((&written["note"]["by"][1], &written["owner"]), (&Value::from(1.5), &Value::Null));
        assert_eq!(serde_json::from_value::<Rule>(written).unwrap(), rule);
    }

    #[test]
    fn every_field_that_is_read_is_named_among_the_fields() {
        let more = r#","partition":2,"size":20,"metric":"hps","region":"EU","server":"kazzak","guild":"A","lastRun":1"#;
        let rule = document(more).unwrap();
        assert!(rule.unknown.is_empty());
        let written = serde_json::to_value(&rule).unwrap();
        let mut written: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        let mut fields = Rule::FIELDS;
        written.sort_unstable();
        fields.sort_unstable();
        assert_eq!(written, fields);
    }

    #[test]
    fn an_invalid_field_is_named() {
        for (more, expected) in [
            (r#","partition":0"#, "partition: 0 is none"),
            (r#","partition":-2"#, "partition: -2 is none"),
            (r#","size":0"#, "size: no group has 0"),
            (r#","size":41"#, "size: no group has 41"),
            (r#","metric":"DPS""#, "metric: 'DPS' is not one of default, dps"),
            (r#","region":"Mars""#, "region: there is no such region"),
            (r#","server":"kazzak""#, "server: it is the name of one in every region"),
            (r#","guild":"Echo","region":"EU""#, "guild: it is the name of one in every server"),
            (r#","region":"EU","server":"Tarren Mill""#, "server: 'tarren mill' is no slug"),
            (r#","region":"EU","server":"kazzak","guild":" ""#, "guild: it is empty"),
        ] {
            let error = document(more).unwrap().check().unwrap_err();
            assert!(error.starts_with(expected), "{more}: {error}");
        }
        for more in [r#","partition":-1"#, r#","size":40,"region":"eu","server":"Tarren-Mill","guild":"Méthode & Co""#]
        {
            assert_eq!(document(more).unwrap().check(), Ok(()), "{more}");
        }
    }
}
