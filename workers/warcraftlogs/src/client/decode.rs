//! Reading answers leniently: the upstream's rankings are JSON without a schema, and they do vary.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::character::Character;
use super::document::RanksOf;
use super::fates::{Errors, Fate, Sheet};
use super::points::Counter;

/// What the upstream prints, as the whole body or before it, when a batch holds a character that it never classed.
const NEVER_CLASSED: &str = "No class set for this character";

/// So many places in a body are tried at the most as the beginning of its JSON: text before it may have braces too.
const MOST_BEGINNINGS: usize = 16;

/// An answer to a batch.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The key's counter, if the answer carried it.
    pub(super) points: Option<Counter>,
    /// What became of each character, in the order of the batch.
    pub(super) fates: Vec<Fate>,
}

/// An answer that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the answer: {0}")]
pub(super) struct Unreadable(pub(super) String);

/// An answer whose characters are read as `C`.
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
    points: Option<Counter>,
    #[serde(default, rename = "characterData", alias = "reportData")]
    aliases: Option<BTreeMap<String, C>>,
}

/// Reads the answer to `batch`. Text before valid JSON is read past.
pub(super) fn ranks(body: &[u8], batch: &[RanksOf], now: Timestamp) -> Result<Decoded, Unreadable> {
    let text = text(body)?;
    match valid(text) {
        Ok((head, json)) => fates(json, batch, now, head.contains(NEVER_CLASSED)),
        // Which character it was, a text alone does not say.
        Err(_) if text.trim().is_empty() || text.contains(NEVER_CLASSED) => {
            Ok(Decoded { points: None, fates: Fate::never_classed_among(batch) })
        }
        Err(error) => Err(error),
    }
}

/// The text before the answer, and the answer, which has data. One pass over the characters is enough for almost every
/// answer; only where one of them cannot be read, each is read apart.
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

/// An answer that has been parsed as far as its characters.
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

fn fates(json: Parsed<'_>, batch: &[RanksOf], now: Timestamp, spoken: bool) -> Result<Decoded, Unreadable> {
    match json {
        Parsed::Whole(body) => fates_of(body, batch, now, spoken, Ok),
        Parsed::Apart(body) => fates_of(body, batch, now, spoken, |raw| serde_json::from_str(raw.get())),
    }
}

/// The fate of each character, which `read` makes of what was parsed.
fn fates_of<C>(
    body: Body<C>,
    batch: &[RanksOf],
    now: Timestamp,
    spoken: bool,
    read: impl Fn(C) -> serde_json::Result<Option<Character>>,
) -> Result<Decoded, Unreadable> {
    let Some(data) = body.data else { return Err(without_data(&body.errors)) };
    let errors = Errors::read(&body.errors);
    let answers = data.aliases.unwrap_or_default().into_iter().map(|(alias, answer)| (alias, read(answer)));
    let sheet = Sheet { answers: answers.collect(), errors, spoken, now };
    Ok(Decoded { points: data.points, fates: sheet.fates(batch) })
}

/// Reads an answer that carries only the key's counter.
pub(super) fn points(body: &[u8]) -> Result<Counter, Unreadable> {
    let text = text(body)?;
    let body = parse::<IgnoredAny>(&text[text.find('{').unwrap_or_default()..])?;
    body.data.and_then(|data| data.points).ok_or_else(|| without_data(&body.errors))
}

fn text(body: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(body).map_err(|error| Unreadable(error.to_string()))
}

/// Reads a body; whatever follows it is left alone.
fn parse<'a, C: Deserialize<'a>>(text: &'a str) -> Result<Body<C>, Unreadable> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Body::deserialize(&mut reader).map_err(|error| Unreadable(error.to_string()))
}

fn without_data(errors: &Value) -> Unreadable {
    Unreadable(Errors::read(errors).first().unwrap_or_else(|| "it has no data".to_owned()))
}

#[cfg(test)]
mod tests;
