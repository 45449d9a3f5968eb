//! A key's counter, in the upstream's format.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess};
use stint_core::ledger::Reading;
use stint_core::points::Points;

use super::lenient::{self, Lenient, Number};

/// `rateLimitData`, whatever its shape and that of its numbers: `3600`, `3600.0` or `"3600"`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PointsCounter(Fields);

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    limit_per_hour: Number,
    points_spent_this_hour: Number,
    points_reset_in: Number,
}

impl<'de> Lenient<'de> for PointsCounter {
    fn of_object<A: MapAccess<'de>>(members: A) -> Result<PointsCounter, A::Error> {
        Fields::deserialize(MapAccessDeserializer::new(members)).map(PointsCounter)
    }
}

impl<'de> Deserialize<'de> for PointsCounter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PointsCounter, D::Error> {
        lenient::read(deserializer)
    }
}

impl PointsCounter {
    /// The reading, or `None` if a number is missing or larger than any amount. The points spent are never guessed: a
    /// call whose response lacks the counter keeps its points held until a later response has it.
    pub(super) fn reading(&self, received_at: Timestamp) -> Option<Reading> {
        Some(Reading {
            limit: Points::from_float(self.0.limit_per_hour.whole()? as f64)?,
            spent: Points::from_float(self.0.points_spent_this_hour.0?)?,
            resets_in: Duration::from_secs(self.0.points_reset_in.0.filter(|seconds| *seconds >= 0.0)?.ceil() as u64),
            received_at,
        })
    }
}

impl fmt::Display for PointsCounter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |number: Number| number.0.map_or_else(|| "null".to_owned(), |number| number.to_string());
        let Fields { limit_per_hour, points_spent_this_hour, points_reset_in } = self.0;
        write!(
            formatter,
            "limitPerHour {}, pointsSpentThisHour {} and pointsResetIn {}",
            shown(limit_per_hour),
            shown(points_spent_this_hour),
            shown(points_reset_in)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Option<(Points, Points, u64)> {
        let reading = serde_json::from_str::<PointsCounter>(raw).unwrap().reading(Timestamp::UNIX_EPOCH)?;
        Some((reading.limit, reading.spent, reading.resets_in.as_secs()))
    }

    #[test]
    fn numbers_are_read_in_every_form_and_nothing_is_guessed() {
        let expected = Some((Points::whole(3_600), Points::from_micros(1_500_000), 90));
        for raw in [
            r#"{"limitPerHour":3600,"pointsSpentThisHour":1.5,"pointsResetIn":90}"#,
            r#"{"limitPerHour":3600.0,"pointsSpentThisHour":"1.5","pointsResetIn":89.5}"#,
        ] {
            assert_eq!(read(raw), expected, "{raw}");
        }
        for raw in [
            r#"{"limitPerHour":3600,"pointsSpentThisHour":null,"pointsResetIn":90}"#,
            r#"{"limitPerHour":-1,"pointsSpentThisHour":0,"pointsResetIn":90}"#,
            r#"{"limitPerHour":3600,"pointsSpentThisHour":0,"pointsResetIn":-5}"#,
            r#"{"limitPerHour":9007199255,"pointsSpentThisHour":0,"pointsResetIn":90}"#,
            r#"{"limitPerHour":3600,"pointsSpentThisHour":9007199255,"pointsResetIn":90}"#,
            "{}",
            "[]",
            "null",
        ] {
            assert_eq!(read(raw), None, "{raw}");
        }
    }
}
