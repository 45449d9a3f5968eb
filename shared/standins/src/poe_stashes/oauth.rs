//! `POST /oauth/token`: client credentials, accepted in the form only.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use jiff::Timestamp;
use stint_core::clock::after;

use super::answers::{Answer, json};
use super::options::Options;
use crate::random::{Purpose, RandomSequence};

/// The scope that pages require.
const SCOPE: &str = "service:psapi";

/// The tokens issued, and when each expires.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    valid: BTreeMap<String, Timestamp>,
    pub(super) issued: u64,
}

impl Tokens {
    pub(super) fn answer(&mut self, now: Timestamp, request: &Request<Bytes>, options: &Options) -> Answer {
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        if field("grant_type") != "client_credentials" {
            return json(StatusCode::BAD_REQUEST, r#"{"error":"unsupported_grant_type"}"#);
        }
        if field("client_id") != options.client_id || field("client_secret") != options.client_secret {
            return json(StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#);
        }
        if !field("scope").split(' ').any(|scope| scope == SCOPE) {
            return json(StatusCode::BAD_REQUEST, r#"{"error":"invalid_scope"}"#);
        }
        let token = self.issue(now, options);
        let lifetime = options.token_lifetime.as_secs();
        let expires = if options.tells_token_lifetime { lifetime.to_string() } else { "null".to_owned() };
        let body = format!(
            r#"{{"access_token":"{token}","expires_in":{expires},"token_type":"bearer","scope":"{SCOPE}","username":"stand-in","sub":"stand-in"}}"#
        );
        json(StatusCode::OK, body)
    }

    /// Returns whether `request` carries a token that is valid at `now`.
    pub(super) fn admits(&self, now: Timestamp, request: &Request<Bytes>) -> bool {
        let header = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        token.and_then(|token| self.valid.get(token)).is_some_and(|until| now < *until)
    }

    fn issue(&mut self, now: Timestamp, options: &Options) -> String {
        self.valid.retain(|_, until| now < *until);
        let mut draw = RandomSequence::of(options.seed, Purpose::Token, self.issued);
        self.issued += 1;
        let token = format!("{:016x}{:016x}", draw.bits(), draw.bits());
        self.valid.insert(token.clone(), after(now, options.token_lifetime));
        token
    }
}
