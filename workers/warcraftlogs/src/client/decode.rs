//! Lenient decoding of responses: the upstream's rankings are JSON without a schema, and their shape varies.

use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::character::Character;
use super::document::CharacterRequest;
use super::outcomes::{CharacterOutcome, Errors, ParsedResponse};
use super::points::PointsCounter;

/// The upstream prints this, as the whole body or before it, when a batch holds a character that it never classed.
const NEVER_CLASSED: &str = "No class set for this character";

/// At most this many positions in a body are tried as the beginning of its JSON: text before it may have braces too.
const MOST_BEGINNINGS: usize = 16;

/// The response to a batch.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The key's counter, if the response had it.
    pub(super) points: Option<PointsCounter>,
    /// The outcome of each character, in the order of the batch.
    pub(super) outcomes: Vec<CharacterOutcome>,
}

/// A response that cannot be decoded at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot decode the response: {0}")]
pub(super) struct Unreadable(pub(super) String);

/// A response whose characters are decoded as `C`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "C: Deserialize<'de>"))]
struct Body<C> {
    data: Option<Data<C>>,
    #[serde(default)]
    errors: Value,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "C: Deserialize<'de>"))]
struct Data<C> {
    #[serde(rename = "rateLimitData")]
    points: Option<PointsCounter>,
    #[serde(default, rename = "characterData", alias = "reportData")]
    aliases: Option<Aliases<C>>,
}

/// The members of an object, in their order.
struct Aliases<C>(Vec<(String, C)>);

impl<'de, C: Deserialize<'de>> Deserialize<'de> for Aliases<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Aliases<C>, D::Error> {
        struct Members<C>(PhantomData<C>);
        impl<'de, C: Deserialize<'de>> Visitor<'de> for Members<C> {
            type Value = Aliases<C>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Aliases<C>, A::Error> {
                let mut aliases = Vec::new();
                while let Some(member) = members.next_entry()? {
                    aliases.push(member);
                }
                Ok(Aliases(aliases))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Decodes the response to `batch`. Text before valid JSON is skipped.
pub(super) fn ranks(body: &[u8], batch: &[CharacterRequest], now: Timestamp) -> Result<Decoded, Unreadable> {
    let text = text(body)?;
    match valid(text) {
        Ok((head, json)) => outcomes(json, batch, now, head.contains(NEVER_CLASSED)),
        // The text alone does not say which character it is about.
        Err(_) if text.trim().is_empty() || text.contains(NEVER_CLASSED) => {
            Ok(Decoded { points: None, outcomes: CharacterOutcome::never_classed_among(batch) })
        }
        Err(error) => Err(error),
    }
}

/// Splits a body into the text before the JSON, and the parsed JSON, which has data. One pass over the characters is
/// enough for almost every response; only if one of them cannot be decoded, each is decoded separately.
fn valid(text: &str) -> Result<(&str, Parsed<'_>), Unreadable> {
    let mut first_error = None;
    for (place, _) in text.match_indices('{').take(MOST_BEGINNINGS) {
        let (head, json) = text.split_at(place);
        let parsed = match parse::<Option<Character>>(json) {
            Ok(body) => Ok(Parsed::Whole(body)),
            Err(_) => parse::<&RawValue>(json).map(Parsed::Apart),
        };
        match parsed.and_then(Parsed::with_data) {
            Ok(parsed) => return Ok((head, parsed)),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| Unreadable("it has no JSON".into())))
}

/// A response parsed as far as its characters.
enum Parsed<'a> {
    Whole(Body<Option<Character>>),
    Apart(Body<&'a RawValue>),
}

impl<'a> Parsed<'a> {
    fn with_data(self) -> Result<Parsed<'a>, Unreadable> {
        let (has_data, errors) = match &self {
            Parsed::Whole(body) => (body.data.is_some(), &body.errors),
            Parsed::Apart(body) => (body.data.is_some(), &body.errors),
        };
        if has_data { Ok(self) } else { Err(without_data(errors)) }
    }
}

fn outcomes(
    json: Parsed<'_>,
    batch: &[CharacterRequest],
    now: Timestamp,
    has_never_classed_text: bool,
) -> Result<Decoded, Unreadable> {
    match json {
        Parsed::Whole(body) => outcomes_of(body, batch, now, has_never_classed_text, Ok),
        Parsed::Apart(body) => {
            outcomes_of(body, batch, now, has_never_classed_text, |raw| serde_json::from_str(raw.get()))
        }
    }
}

/// The outcome of each character, which `read` derives from what was parsed.
fn outcomes_of<C>(
    body: Body<C>,
    batch: &[CharacterRequest],
    now: Timestamp,
    has_never_classed_text: bool,
    read: impl Fn(C) -> serde_json::Result<Option<Character>>,
) -> Result<Decoded, Unreadable> {
    let Some(data) = body.data else { return Err(without_data(&body.errors)) };
    let errors = Errors::read(&body.errors);
    let aliases = data.aliases.map(|Aliases(members)| members).unwrap_or_default();
    let characters = aliases.into_iter().map(|(alias, character)| (alias, read(character)));
    let response = ParsedResponse { characters: characters.collect(), errors, has_never_classed_text, now };
    Ok(Decoded { points: data.points, outcomes: response.outcomes(batch) })
}

/// Decodes a response that has only the key's counter.
pub(super) fn points(body: &[u8]) -> Result<PointsCounter, Unreadable> {
    let text = text(body)?;
    let body = parse::<IgnoredAny>(&text[text.find('{').unwrap_or_default()..])?;
    body.data.and_then(|data| data.points).ok_or_else(|| without_data(&body.errors))
}

fn text(body: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(body).map_err(|error| Unreadable(error.to_string()))
}

/// Parses a body; anything after it is ignored.
fn parse<'a, C: Deserialize<'a>>(text: &'a str) -> Result<Body<C>, Unreadable> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Body::deserialize(&mut reader).map_err(|error| Unreadable(error.to_string()))
}

fn without_data(errors: &Value) -> Unreadable {
    Unreadable(Errors::read(errors).first().unwrap_or_else(|| "it has no data".to_owned()))
}

#[cfg(test)]
mod tests;
