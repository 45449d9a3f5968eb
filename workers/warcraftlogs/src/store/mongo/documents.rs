//! Converts documents between MongoDB's types and the fleet's model, by way of JSON.
//!
//! Existing deployments have numbers of any type that a driver or shell chose: 26 may be an `int`, a `long` or a
//! `double`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};
use stint_core::clock::from_millis;
use stint_core::ports::{PortError, PortResult};
use stint_mongo::mongodb::bson::oid::ObjectId;
use stint_mongo::mongodb::bson::{Bson, DateTime, Document, doc};

use crate::model::PlayerId;
use crate::store::{Damaged, Page};

/// Above this, not every whole number can be represented as a float.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Decodes a document. The error names the field.
pub(super) fn read<T: DeserializeOwned>(document: Document) -> Result<T, String> {
    let value = plain(Bson::Document(document))?;
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    })
}

/// Encodes a value of the model for MongoDB.
pub(super) fn write(value: &impl Serialize) -> PortResult<Bson> {
    let unwritable = |error| PortError::backend("could not write a document", error);
    serde_json::to_value(value).map(bson).map_err(unwritable)
}

/// A value of a field unknown to the model, as extended JSON, which preserves its type.
pub(super) fn extended(value: &Bson) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The value that extended JSON represents.
pub(super) fn from_extended(value: &Value) -> Bson {
    serde_json::from_value(value.clone()).unwrap_or_else(|_| bson(value.clone()))
}

/// Makes a page of documents in the order of their ids. A full page has a successor.
pub(super) fn page<T>(
    documents: Vec<Document>,
    max: usize,
    read: impl Fn(Document) -> Result<T, String>,
) -> Page<T, PlayerId> {
    let last = documents.last().and_then(id_of);
    let mut page = Page { documents: Vec::new(), damaged: Vec::new(), next: last.filter(|_| documents.len() == max) };
    for document in documents {
        let id = document.get("_id").map(ToString::to_string).unwrap_or_default();
        match read(document) {
            Ok(document) => page.documents.push(document),
            Err(reason) => page.damaged.push(Damaged { id, reason }),
        }
    }
    page
}

/// Matches the documents with an id above `after`.
pub(super) fn above(after: Option<PlayerId>) -> Document {
    after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": id(after) } })
}

/// A player's id in a filter, where all number types compare as equal.
pub(super) fn id(id: PlayerId) -> i64 {
    // No document has a larger id: `own_id` refuses to write one.
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// A player's id in a document to be written. An id that BSON cannot represent is refused, with an error that names it.
pub(super) fn own_id(id: PlayerId) -> PortResult<i64> {
    i64::try_from(id).map_err(|_| PortError::Invalid(format!("{id} is not a player's id: ids end at {}", i64::MAX)))
}

/// The id of the player whose document it is.
pub(super) fn id_of(document: &Document) -> Option<PlayerId> {
    plain(document.get("_id")?.clone()).ok()?.as_u64()
}

fn plain(value: Bson) -> Result<Value, String> {
    Ok(match value {
        Bson::Document(document) => {
            let field = |(name, value)| match plain(value) {
                Ok(value) => Ok((name, value)),
                Err(reason) => Err(format!("{name}: {reason}")),
            };
            Value::Object(document.into_iter().map(field).collect::<Result<Map<_, _>, _>>()?)
        }
        Bson::Array(values) => Value::Array(values.into_iter().map(plain).collect::<Result<_, _>>()?),
        Bson::Int32(number) => Value::from(number),
        Bson::Int64(number) => Value::from(number),
        Bson::Double(number) if number.fract() == 0.0 && number.abs() < LARGEST_EXACT => Value::from(number as i64),
        Bson::Double(number) => Number::from_f64(number).map(Value::Number).ok_or("it is not a finite number")?,
        Bson::String(text) => Value::String(text),
        Bson::Boolean(truth) => Value::Bool(truth),
        Bson::Null => Value::Null,
        Bson::DateTime(date) => Value::String(from_millis(date.timestamp_millis()).to_string()),
        Bson::ObjectId(id) => Value::String(id.to_hex()),
        other => return Err(format!("no document of the fleet has a value of type {:?}", other.element_type())),
    })
}

fn bson(value: Value) -> Bson {
    match value {
        Value::Object(fields) => tagged(&fields)
            .unwrap_or_else(|| Bson::Document(fields.into_iter().map(|(name, value)| (name, bson(value))).collect())),
        Value::Array(values) => Bson::Array(values.into_iter().map(bson).collect()),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => i32::try_from(whole).map_or(Bson::Int64(whole), Bson::Int32),
            None => Bson::Double(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Bson::String(text),
        Value::Bool(truth) => Bson::Boolean(truth),
        Value::Null => Bson::Null,
    }
}

/// `{"$date": …}` and `{"$oid": …}`, as the model writes them.
fn tagged(fields: &Map<String, Value>) -> Option<Bson> {
    let text = |name| fields.get(name).and_then(Value::as_str);
    if let Some(date) = text("$date") {
        let date: jiff::Timestamp = date.parse().ok()?;
        return Some(Bson::DateTime(DateTime::from_millis(date.as_millisecond())));
    }
    ObjectId::parse_str(text("$oid")?).ok().map(Bson::ObjectId)
}

#[cfg(test)]
mod tests {
    use stint_mongo::mongodb::bson::Decimal128;

    use super::*;
    use crate::model::Player;
    use crate::store::Rule;

    #[test]
    fn a_player_is_kept_with_numbers_and_a_date() {
        let text = r#"{"_id":57147396,"name":"Ånn","classId":4,"region":"EU","server":{"name":"A","slug":"a","normalizedName":"A"},"updatedAt":{"$date":"2026-11-20T10:00:00Z"},"raids":{"26":{"4":{"metric":"dps","best":91.2,"median":80.0,"encounters":{"2398":{"best":95.3,"median":null,"kills":12,"spec":"Fire"}}}}}}"#;
        let player: Player = serde_json::from_str(text).unwrap();
        let Bson::Document(document) = write(&player).unwrap() else { panic!("a document") };
        assert_eq!(document.get("_id"), Some(&Bson::Int32(57_147_396)));
        let date = document.get_datetime("updatedAt").unwrap();
        assert_eq!(date.timestamp_millis(), 1_795_168_800_000);
        let ranks = document.get_document("raids").unwrap().get_document("26").unwrap().get_document("4").unwrap();
        assert_eq!(ranks.get("median"), Some(&Bson::Double(80.0)));
        assert_eq!(read::<Player>(document), Ok(player));
    }

    #[test]
    fn numbers_are_read_in_every_form() {
        let id = ObjectId::parse_str("638190fc00bc58421e002c83").unwrap();
        for (raid, start, end) in [
            (Bson::Int32(26), Bson::Int64(1), Bson::Double(600.0)),
            (Bson::Double(26.0), Bson::Int32(1), Bson::Int64(600)),
        ] {
            let document = doc! { "_id": id, "raid": raid, "difficulty": 3, "startPage": start, "endPage": end };
            let rule: Rule = read(document).unwrap();
            assert_eq!((rule.raid, rule.start_page, rule.end_page), (26, 1, 600));
        }
    }

    #[test]
    fn a_value_of_any_type_survives_the_way_through_extended_json() {
        let id = ObjectId::parse_str("638190fc00bc58421e002c83").unwrap();
        let decimal: Decimal128 = "1.50".parse().unwrap();
        let document = doc! {
            "date": DateTime::from_millis(1_669_438_300_480), "owner": id, "small": 7, "large": 1_i64 << 40,
            "share": 1.5, "exact": decimal, "none": Bson::Null, "list": ["a", { "b": true }],
        };
        for (name, value) in document {
            assert_eq!(from_extended(&extended(&value)), value, "{name}");
        }
    }

    #[test]
    fn a_decoding_error_names_the_field() {
        let document = doc! { "_id": 7, "name": "Ånn", "server": { "name": 5 } };
        assert!(read::<Player>(document).unwrap_err().starts_with("server.name: invalid type"));
        let document = doc! { "_id": 7, "server": { "name": Bson::MaxKey } };
        assert!(read::<Player>(document).unwrap_err().starts_with("server: name: no document"));
    }
}
