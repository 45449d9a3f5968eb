//! How settings are parsed, and the errors for values that cannot be used.

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use secrecy::{ExposeSecret, SecretString};
use stint_core::ledger::{KeyId, Tail};
use stint_core::points::Points;
use stint_core::worker::WorkerId;

use crate::budget::{BATCH_TIMEOUT, RANK_FETCHER};
use crate::publish::checks::check_address;

/// An API key. `Debug` output and errors never contain the secret.
#[derive(Clone, Debug)]
pub struct Key {
    /// The client id.
    pub id: KeyId,
    /// The client secret.
    pub secret: SecretString,
}

/// Parses a key. The default parser's error would repeat the text, which may contain a secret.
#[derive(Clone)]
pub(crate) struct KeyParser;

impl TypedValueParser for KeyParser {
    type Value = Key;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Key, clap::Error> {
        let key = value.to_str().ok_or_else(|| "a key is written as id:secret in UTF-8".to_owned()).and_then(parse_key);
        key.map_err(|reason| {
            let text = format!("WCL_KEYS: {reason}; several keys have commas between them");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

/// Parses a repository's address. The default parser's error would repeat the text, which may contain a secret.
#[derive(Clone)]
pub(crate) struct RepositoryParser;

impl TypedValueParser for RepositoryParser {
    type Value = SecretString;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<SecretString, clap::Error> {
        let address = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
        let checked = address.and_then(|address| check_address(address).map(|()| SecretString::from(address)));
        checked.map_err(|reason| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("LUA_REPOSITORY: {reason}")).with_cmd(command)
        })
    }
}

/// Never repeats the text in its error.
fn parse_key(text: &str) -> Result<Key, String> {
    let (id, secret) = text.trim().split_once(':').ok_or("a key is written as id:secret")?;
    if id.is_empty() || secret.is_empty() {
        return Err("a key is written as id:secret, and neither may be empty".into());
    }
    let secret = SecretString::from(secret);
    debug_assert!(!secret.expose_secret().is_empty());
    Ok(Key { id: KeyId(id.to_owned()), secret })
}

pub(crate) fn parse_budget(text: &str) -> Result<Points, String> {
    let points: Points = text.parse()?;
    if points.is_zero() { Err("a call costs more than 0 points".into()) } else { Ok(points) }
}

/// The longest time-out of a call. With its longest wait of 65 s, such a call takes 110 s, and a batch has 120 s.
const LONGEST_CALL_TIMEOUT: u64 = 45;

pub(crate) fn parse_call_timeout(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=LONGEST_CALL_TIMEOUT).contains(seconds));
    seconds.ok_or_else(|| {
        let batch = BATCH_TIMEOUT.as_secs();
        format!("it is from 1 to {LONGEST_CALL_TIMEOUT}, so that a call with all its waits fits into the {batch} s of a batch")
    })
}

/// Steering another worker would spend points that the rank fetcher must not spend.
pub(crate) fn parse_steered(text: &str) -> Result<WorkerId, String> {
    if text == RANK_FETCHER {
        Ok(WorkerId::new(crate::FLEET, RANK_FETCHER))
    } else {
        Err(format!("the queue of discovered players feeds {RANK_FETCHER}"))
    }
}

/// Below the minimum, the queue could run empty before the aggregator comes again; above the maximum, it could drop
/// messages.
pub(crate) fn parse_queue_hours(text: &str) -> Result<u32, String> {
    let hours = text.parse().ok().filter(|hours| matches!(hours, 0 | 6..=240));
    hours.ok_or_else(|| format!("'{text}' is neither 0 nor a number of hours from 6 to 240"))
}

pub(crate) fn parse_tail(text: &str) -> Result<Tail, String> {
    match text {
        "strict" => return Ok(Tail::Strict),
        "probe" => return Ok(Tail::Probe),
        _ => {}
    }
    let share = text.strip_prefix("quantile:").and_then(|share| share.parse::<f64>().ok());
    let per_mille = share.filter(|share| share.is_finite()).map(|share| (share * 1_000.0).round());
    // A quantile rounded to 1 would silently become strict.
    let per_mille = per_mille.filter(|per_mille| (500.0..=999.0).contains(per_mille));
    per_mille.map(|per_mille| Tail::Quantile(per_mille as u32)).ok_or_else(|| {
        "it is strict, probe, or quantile: with a share from 0.5 up to 0.999, such as quantile:0.98".into()
    })
}

/// The value goes into the query as an enum literal, so nothing else must pass.
pub(crate) fn parse_enum_literal(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain { Ok(text.to_owned()) } else { Err(format!("'{text}' is not the name of a metric, such as dps")) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::budget::PATIENCE;
    use crate::client::longest_call;

    /// Also where a host reserves a few seconds for itself.
    #[test]
    fn the_longest_call_fits_into_a_batch() {
        let longest = longest_call(Duration::from_secs(LONGEST_CALL_TIMEOUT)) + PATIENCE;
        assert!(longest + Duration::from_secs(5) < BATCH_TIMEOUT, "{longest:?}");
        assert_eq!(parse_call_timeout("45"), Ok(45));
        for wrong in ["0", "46", "-1", "soon"] {
            assert!(parse_call_timeout(wrong).unwrap_err().contains("from 1 to 45"), "{wrong}");
        }
    }

    #[test]
    fn a_share_that_is_rounded_to_the_whole_is_refused() {
        assert_eq!(parse_tail("quantile:0.999"), Ok(Tail::Quantile(999)));
        assert_eq!(parse_tail("quantile:0.9994"), Ok(Tail::Quantile(999)));
        assert_eq!(parse_tail("quantile:0.5"), Ok(Tail::Quantile(500)));
        for wrong in ["0.9995", "0.9999", "1", "0.4", "NaN", "inf", "much"] {
            let error = parse_tail(&format!("quantile:{wrong}")).unwrap_err();
            assert!(error.contains("from 0.5 up to 0.999"), "{wrong}: {error}");
        }
    }
}
