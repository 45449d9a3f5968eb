//! Attribute values from JSON and back, without loss.
//!
//! The text of a number is handed on as it is: between JSON and DynamoDB there is no floating point number. DynamoDB
//! itself keeps the value and not the spelling: `1.0` returns as `1`. Sets and binary values have no form in JSON and
//! are refused with the name of their field; a store that wants one creates the attribute value itself.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use stint_core::ports::PortError;

use super::number::Decimal;

/// The attributes of an item by name.
pub type Item = HashMap<String, AttributeValue>;

/// How deep values may be nested.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-attributes-nested-depth>
pub const MOST_LEVELS: usize = 32;

/// A value that has no equivalent on the other side.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", if path.is_empty() { String::new() } else { format!("field {path}: ") })]
pub struct AttributeError {
    /// The path of the value, as in `data.tags[3]`. Empty for the whole.
    pub path: String,
    /// Why it has none.
    pub reason: String,
}

impl AttributeError {
    fn new(reason: impl Into<String>) -> AttributeError {
        AttributeError { path: String::new(), reason: reason.into() }
    }

    /// Adds the name of the field or the index that contains the value.
    fn within(self, part: &str) -> AttributeError {
        let needs_dot = !self.path.is_empty() && !self.path.starts_with('[');
        let path = [part, if needs_dot { "." } else { "" }, &self.path].concat();
        AttributeError { path, ..self }
    }
}

impl From<AttributeError> for PortError {
    fn from(error: AttributeError) -> PortError {
        PortError::Invalid(error.to_string())
    }
}

type Converted<T> = Result<T, AttributeError>;

/// Converts JSON text to an attribute value. If an object has a name twice, the last one counts.
pub fn from_json(text: &str) -> Converted<AttributeValue> {
    parse(text.trim(), MOST_LEVELS)
}

/// Converts a JSON value. Numbers of [`Value`] are whole or floating point; use [`from_json`] for others.
pub fn from_value(value: &Value) -> Converted<AttributeValue> {
    from_json(&value.to_string())
}

/// Converts a structure to an item, whose attributes are its fields as serde writes them.
pub fn to_item(fields: &impl Serialize) -> Converted<Item> {
    let text = serde_json::to_string(fields).map_err(|error| AttributeError::new(error.to_string()))?;
    match from_json(&text)? {
        AttributeValue::M(item) => Ok(item),
        _ => Err(AttributeError::new("an item is an object")),
    }
}

/// Converts an item to a structure. The error names the field.
pub fn from_item<T: DeserializeOwned>(item: &Item) -> Converted<T> {
    serde_json::from_str(&item_to_json(item)?).map_err(|error| AttributeError::new(error.to_string()))
}

/// Converts an attribute value to JSON text, with the names of maps in order.
pub fn to_json(value: &AttributeValue) -> Converted<String> {
    let mut text = String::new();
    write(value, &mut text)?;
    Ok(text)
}

/// Converts an item to JSON text.
pub fn item_to_json(item: &Item) -> Converted<String> {
    let mut text = String::new();
    write_map(item, &mut text)?;
    Ok(text)
}

/// Converts an attribute value to a JSON value. A number that [`Value`] cannot hold exactly is an error; use [`to_json`]
/// for those.
pub fn to_value(value: &AttributeValue) -> Converted<Value> {
    Ok(match value {
        AttributeValue::N(number) => exact_number(number)?,
        AttributeValue::L(list) => {
            let values = list.iter().enumerate();
            let converted = values.map(|(index, value)| to_value(value).map_err(|error| at_index(error, index)));
            Value::Array(converted.collect::<Converted<_>>()?)
        }
        AttributeValue::M(map) => {
            let pairs = map.iter().map(|(name, value)| {
                let value = to_value(value).map_err(|error| error.within(name))?;
                Ok((name.clone(), value))
            });
            Value::Object(pairs.collect::<Converted<_>>()?)
        }
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::Bool(truth) => Value::Bool(*truth),
        AttributeValue::Null(_) => Value::Null,
        other => return Err(no_json(other)),
    })
}

fn exact_number(number: &str) -> Converted<Value> {
    let value = serde_json::from_str::<Value>(number).ok().filter(Value::is_number);
    let exact = value.filter(|value| {
        let written = Decimal::parse(number);
        written.is_some() && Decimal::parse(&value.to_string()) == written
    });
    exact.ok_or_else(|| AttributeError::new(format!("{number} has more digits than a floating point number")))
}

fn parse(text: &str, levels: usize) -> Converted<AttributeValue> {
    let invalid = |error: serde_json::Error| AttributeError::new(format!("not JSON: {error}"));
    let deeper = || levels.checked_sub(1).ok_or_else(|| AttributeError::new("nested deeper than 32 levels"));
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let levels = deeper()?;
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(invalid)?;
            let parsed = fields.into_iter().map(|(name, raw)| {
                let value = parse(raw.get(), levels).map_err(|error| error.within(&name))?;
                Ok((name, value))
            });
            AttributeValue::M(parsed.collect::<Converted<_>>()?)
        }
        Some(b'[') => {
            let levels = deeper()?;
            let values: Vec<&RawValue> = serde_json::from_str(text).map_err(invalid)?;
            let parsed = values
                .iter()
                .enumerate()
                .map(|(index, raw)| parse(raw.get(), levels).map_err(|error| at_index(error, index)));
            AttributeValue::L(parsed.collect::<Converted<_>>()?)
        }
        Some(b'-' | b'0'..=b'9') => parse_number(text)?,
        _ => match serde_json::from_str(text).map_err(invalid)? {
            Value::String(text) => AttributeValue::S(text),
            Value::Bool(truth) => AttributeValue::Bool(truth),
            _ => AttributeValue::Null(true),
        },
    })
}

fn parse_number(text: &str) -> Converted<AttributeValue> {
    let number = Decimal::parse(text).ok_or_else(|| AttributeError::new("not JSON: no number"))?;
    match number.refusal() {
        Some(reason) => Err(AttributeError::new(reason)),
        None => Ok(AttributeValue::N(text.to_owned())),
    }
}

fn write(value: &AttributeValue, text: &mut String) -> Converted<()> {
    match value {
        AttributeValue::S(string) => write_text(string, text),
        AttributeValue::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        AttributeValue::Null(_) => text.push_str("null"),
        AttributeValue::N(number) if Decimal::parse(number).is_some() => text.push_str(number),
        AttributeValue::N(number) => return Err(AttributeError::new(format!("'{number}' is no number of JSON"))),
        AttributeValue::M(map) => write_map(map, text)?,
        AttributeValue::L(list) => {
            text.push('[');
            for (index, value) in list.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write(value, text).map_err(|error| at_index(error, index))?;
            }
            text.push(']');
        }
        other => return Err(no_json(other)),
    }
    Ok(())
}

fn write_map(map: &Item, text: &mut String) -> Converted<()> {
    text.push('{');
    for (index, (name, value)) in map.iter().collect::<BTreeMap<_, _>>().into_iter().enumerate() {
        text.push_str(if index == 0 { "" } else { "," });
        write_text(name, text);
        text.push(':');
        write(value, text).map_err(|error| error.within(name))?;
    }
    text.push('}');
    Ok(())
}

fn write_text(string: &str, text: &mut String) {
    text.push_str(&Value::from(string).to_string());
}

fn at_index(error: AttributeError, index: usize) -> AttributeError {
    error.within(&format!("[{index}]"))
}

fn no_json(value: &AttributeValue) -> AttributeError {
    AttributeError::new(match value {
        AttributeValue::B(_) | AttributeValue::Bs(_) => "a binary value has no form in JSON",
        AttributeValue::Ss(_) | AttributeValue::Ns(_) => "a set has no form in JSON",
        _ => "a value of this kind has no form in JSON",
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_returns_as_it_was_written() {
        let text =
            r#"{"a":[1,-2.50,3e8,12345678901234567890123456789012345678],"b":{"":null,"ü\"\n":[true,false,""]}}"#;
        assert_eq!(to_json(&from_json(text).unwrap()).unwrap(), text);
        let value = json!({ "f": 0.1, "u": u64::MAX, "i": i64::MIN, "n": [null, {}, []] });
        assert_eq!(to_value(&from_value(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn a_value_without_an_equivalent_is_named() {
        let set = AttributeValue::Ss(vec!["a".to_owned()]);
        let tags =
            AttributeValue::L(vec![AttributeValue::Null(true), AttributeValue::M([("x".to_owned(), set)].into())]);
        let item = Item::from([("tags".to_owned(), tags)]);
        assert_eq!(item_to_json(&item).unwrap_err().to_string(), "field tags[1].x: a set has no form in JSON");
        assert!(to_value(&AttributeValue::B(Blob::new([1]))).unwrap_err().to_string().starts_with("a binary value"));
        let error = from_json(r#"{"data":{"sc":1e200}}"#).unwrap_err();
        assert_eq!(error.to_string(), "field data.sc: a number is between 1e-130 and 9.9e125");
        let error = to_value(&AttributeValue::N("12345678901234567890123".to_owned())).unwrap_err();
        assert!(error.to_string().contains("more digits"), "{error}");
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
        assert!(from_json(&nested(MOST_LEVELS)).is_ok());
        let error = from_json(&nested(MOST_LEVELS + 1)).unwrap_err();
        assert!(error.to_string().ends_with("nested deeper than 32 levels"), "{error}");
    }

    #[test]
    fn text_that_is_not_json_is_refused() {
        for text in ["", "{", "[1,]", "1 2", "nul", r#"{"a" 1}"#, "'a'", "-", "1e"] {
            assert!(from_json(text).unwrap_err().to_string().contains("not JSON"), "{text}");
        }
    }

    #[test]
    fn a_structure_is_an_item() {
        #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
        struct Key {
            src: String,
            rate: Option<f64>,
        }
        let key = Key { src: "cpo".to_owned(), rate: Some(0.5) };
        let item = to_item(&key).unwrap();
        assert_eq!(item["rate"], AttributeValue::N("0.5".to_owned()));
        assert_eq!(from_item::<Key>(&item), Ok(key));
        assert!(from_item::<Key>(&Item::new()).unwrap_err().to_string().contains("src"));
        assert!(to_item(&[1]).unwrap_err().to_string().contains("object"));
    }
}
