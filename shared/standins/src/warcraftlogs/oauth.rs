//! `POST /oauth/token`: client credentials for an access token.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use jiff::Timestamp;
use stint_core::clock::after;

use super::answers::{Answer, json};
use super::constants::TOKEN_SECONDS;
use super::options::StandinKey;
use crate::random::{Purpose, RandomSequence};

/// The tokens issued, with the key of each.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    valid: BTreeMap<String, (usize, Timestamp)>,
    pub(crate) issued: u64,
}

/// The sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Has no token.
    NoToken,
    /// Has a token that was never issued, or that has expired.
    InvalidToken,
    /// Has a token of the key at this position.
    Key(usize),
}

impl Tokens {
    /// Handles a request for a token.
    pub(crate) fn answer<'k>(
        &mut self,
        now: Timestamp,
        request: &Request<Bytes>,
        keys: impl Iterator<Item = &'k StandinKey>,
        seed: u64,
        lifetime: Option<Duration>,
    ) -> Answer {
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let (Some((id, secret)), Some(grant)) = (credentials(request, &form), form.get("grant_type")) else {
            return json(StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#);
        };
        if grant != "client_credentials" {
            return json(StatusCode::BAD_REQUEST, r#"{"error":"unsupported_grant_type"}"#);
        }
        let Some(key) = keys.into_iter().position(|key| key.id == id && key.secret == secret) else {
            let body = r#"{"error":"invalid_client","error_description":"Client authentication failed","message":"Client authentication failed"}"#;
            return json(StatusCode::UNAUTHORIZED, body);
        };
        let lifetime = lifetime.unwrap_or(Duration::from_secs(TOKEN_SECONDS));
        let token = self.issue(key, seed, after(now, lifetime), now);
        let seconds = lifetime.as_secs();
        json(StatusCode::OK, format!(r#"{{"token_type":"Bearer","expires_in":{seconds},"access_token":"{token}"}}"#))
    }

    /// Returns the sender of `request`, by its token.
    pub(crate) fn caller(&self, now: Timestamp, request: &Request<Bytes>) -> Caller {
        let header = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) else { return Caller::NoToken };
        let valid = self.valid.get(token).filter(|(_, until)| now < *until);
        valid.map_or(Caller::InvalidToken, |(key, _)| Caller::Key(*key))
    }

    /// Revokes all tokens of the key at this position.
    pub(crate) fn revoke(&mut self, key: usize) {
        self.valid.retain(|_, (owner, _)| *owner != key);
    }

    fn issue(&mut self, key: usize, seed: u64, until: Timestamp, now: Timestamp) -> String {
        self.valid.retain(|_, (_, until)| now < *until);
        let mut draw = RandomSequence::of(seed, Purpose::Token, self.issued);
        let parts: Vec<String> = (0..4).map(|_| format!("{:016x}", draw.bits())).collect();
        let token = format!("eyJ{}", parts.concat());
        self.issued += 1;
        self.valid.insert(token.clone(), (key, until));
        token
    }
}

/// Returns the id and secret from HTTP Basic or from the form.
fn credentials(request: &Request<Bytes>, form: &BTreeMap<String, String>) -> Option<(String, String)> {
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let decoded = decode_base64(header.to_str().ok()?.strip_prefix("Basic ")?)?;
        let text = String::from_utf8(decoded).ok()?;
        return text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()));
    }
    Some((form.get("client_id")?.clone(), form.get("client_secret")?.clone()))
}

/// Decodes the standard alphabet, with or without padding.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let (mut decoded, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for byte in text.trim().trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push((bits >> held) as u8);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        assert_eq!(decode_base64("a2V5LTE6c2VjcmV0LTE=").as_deref(), Some(&b"key-1:secret-1"[..]));
        assert_eq!(decode_base64("a2V5LTE6c2VjcmV0LTE").as_deref(), Some(&b"key-1:secret-1"[..]));
        assert_eq!(decode_base64("a2V5!"), None);
    }
}
