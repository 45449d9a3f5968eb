//! Converts extended JSON, canonical or relaxed, into the plain JSON that the fleet's documents are parsed from.

use jiff::Timestamp;
use serde_json::{Map, Number, Value};

/// Above this value, a float cannot represent every whole number.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Replaces `{"$numberInt": "3"}` and similar objects by plain values, and whole floats by integers: a number typed
/// into MongoDB's shell is stored as a float, and `mongoexport` writes it as `26.0`. An error names the field.
pub(super) fn plain(value: Value) -> Result<Value, String> {
    convert(value, &mut Vec::new())
}

fn convert(value: Value, path: &mut Vec<String>) -> Result<Value, String> {
    match value {
        Value::Object(fields) => match tag(&fields) {
            Some(tag) => {
                let tag = tag.to_owned();
                let content = fields.into_iter().next().map(|(_, content)| content).unwrap_or_default();
                tagged(&tag, content).map_err(|reason| format!("field {}: {reason}", path.join(".")))
            }
            None => object(fields, path),
        },
        Value::Array(elements) => elements.into_iter().map(|element| convert(element, path)).collect(),
        Value::Number(number) => Ok(whole(number)),
        other => Ok(other),
    }
}

/// Returns the name after the dollar sign, if the object stands for a single value.
fn tag(fields: &Map<String, Value>) -> Option<&str> {
    let only = fields.keys().next().filter(|_| fields.len() == 1)?;
    only.strip_prefix('$')
}

fn object(fields: Map<String, Value>, path: &mut Vec<String>) -> Result<Value, String> {
    let mut plain = Map::new();
    for (name, value) in fields {
        path.push(name);
        let value = convert(value, path)?;
        plain.insert(path.pop().unwrap_or_default(), value);
    }
    Ok(Value::Object(plain))
}

fn tagged(tag: &str, content: Value) -> Result<Value, String> {
    match (tag, content) {
        ("oid", Value::String(hex)) => Ok(Value::String(hex)),
        ("numberInt" | "numberLong", Value::String(text)) => {
            let number: Option<i64> = text.parse().ok();
            number.map(Value::from).ok_or_else(|| format!("'{text}' is not a whole number"))
        }
        // The oldest versions wrote the number without quotation marks.
        ("numberInt" | "numberLong", Value::Number(number)) => Ok(whole(number)),
        ("numberDouble" | "numberDecimal", Value::String(text)) => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map(whole).ok_or_else(|| format!("'{text}' is not a finite number"))
        }
        ("date", content) => date(content),
        (tag, _) => Err(format!("${tag} is not used in documents of this collection")),
    }
}

/// Parses `{"$date": "2026-11-20T10:00:00Z"}`, `{"$date": {"$numberLong": "…"}}`, and the oldest form, `{"$date":
/// 1669438300480}`.
fn date(content: Value) -> Result<Value, String> {
    let (text, date) = match convert(content, &mut vec!["$date".to_owned()])? {
        Value::String(text) => (text.clone(), text.parse::<Timestamp>().ok()),
        Value::Number(millis) => {
            (millis.to_string(), millis.as_i64().and_then(|millis| Timestamp::from_millisecond(millis).ok()))
        }
        other => (other.to_string(), None),
    };
    date.map(|date| Value::String(date.to_string())).ok_or_else(|| format!("'{text}' is not a date"))
}

fn whole(number: Number) -> Value {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) if float.fract() == 0.0 && float.abs() < LARGEST_EXACT => Value::from(float as i64),
        _ => Value::Number(number),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_a_value_becomes_the_same() {
        for (form, expected) in [
            (json!({"$numberInt": "3"}), json!(3)),
            (json!({"$numberLong": "57147396"}), json!(57_147_396)),
            (json!({"$numberDouble": "26.0"}), json!(26)),
            (json!({"$numberDouble": "80.25"}), json!(80.25)),
            (json!(26.0), json!(26)),
            (json!({"$oid": "638190fc00bc58421e002c83"}), json!("638190fc00bc58421e002c83")),
            (json!({"$date": "2022-11-26T04:51:40.480Z"}), json!("2022-11-26T04:51:40.48Z")),
            (json!({"$date": {"$numberLong": "1669438300480"}}), json!("2022-11-26T04:51:40.48Z")),
            (json!({"$date": 1_669_438_300_480_i64}), json!("2022-11-26T04:51:40.48Z")),
            (json!({"26": [{"$numberInt": "3"}, 5.0]}), json!({"26": [3, 5]})),
        ] {
            assert_eq!(plain(form.clone()), Ok(expected), "{form}");
        }
    }

    #[test]
    fn an_invalid_value_names_its_field() {
        for (document, expected) in [
            (json!({"_id": {"$numberLong": "many"}}), "field _id: 'many'"),
            (json!({"a": {"b": {"$numberDouble": "NaN"}}}), "field a.b: 'NaN'"),
            (json!({"lastRun": {"$date": "yesterday"}}), "field lastRun: 'yesterday' is not a date"),
            (json!({"key": {"$binary": "AA=="}}), "field key: $binary"),
        ] {
            let error = plain(document.clone()).unwrap_err();
            assert!(error.contains(expected), "{document}: {error}");
        }
    }
}
