//! A client without a network: it passes requests to the stand-in at instants that the test chooses.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::clock::after;
use stint_standins::warcraftlogs::{Options, Population};
use stint_standins::{Reply, Upstream, WarcraftLogs};

/// A stand-in, the time, and a token of its first key.
pub(crate) struct Client {
    pub(crate) upstream: WarcraftLogs,
    pub(crate) now: Timestamp,
    token: String,
}

/// The recorded answers, if they are available.
pub(crate) const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/wcl");

impl Client {
    pub(crate) fn new(options: Options) -> Client {
        let now = options.started;
        let mut client = Client { upstream: WarcraftLogs::new(options), now, token: String::new() };
        client.log_in("key-1", "secret-1");
        client
    }

    pub(crate) fn log_in(&mut self, id: &str, secret: &str) {
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let answer = self.post("/oauth/token", &[], form);
        let body: Value = serde_json::from_slice(answer.body()).expect("the token answer is JSON");
        self.token = body["access_token"].as_str().expect("a token").to_owned();
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = after(self.now, Duration::from_secs(seconds));
    }

    pub(crate) fn handle(&mut self, request: Request<Bytes>) -> Reply {
        self.upstream.handle(self.now, &request)
    }

    pub(crate) fn post(&mut self, path: &str, headers: &[(&str, &str)], body: String) -> Response<Bytes> {
        let builder = headers.iter().fold(Request::post(path), |builder, (name, value)| builder.header(*name, *value));
        self.handle(builder.body(body.into()).expect("a request")).response
    }

    pub(crate) fn get(&mut self, path: &str) -> Response<Bytes> {
        let request = Request::get(path).header("Referer", "https://www.warcraftlogs.com/").body(Bytes::new());
        self.handle(request.expect("a request")).response
    }

    /// Sends a document and returns the answer, whatever it is.
    pub(crate) fn ask(&mut self, query: &str, variables: Value) -> Response<Bytes> {
        let bearer = format!("Bearer {}", self.token);
        let body = json!({"query": query, "variables": variables}).to_string();
        self.post("/api/v2/client", &[("Authorization", &bearer)], body)
    }

    /// Sends a document and returns the JSON of its answer.
    pub(crate) fn query(&mut self, query: &str) -> Value {
        let answer = self.ask(query, Value::Null);
        assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.body());
        serde_json::from_slice(answer.body()).expect("JSON")
    }

    pub(crate) fn population(&self) -> std::sync::Arc<Population> {
        self.upstream.population()
    }
}

/// A query for one ranking.
pub(crate) fn ranking(id: u64, raid: u32, difficulty: u32) -> String {
    format!(
        "{{ characterData {{ character(id: {id}) {{ id zoneRankings(zoneID: {raid}, difficulty: {difficulty}) }} }} \
         rateLimitData {{ limitPerHour pointsSpentThisHour pointsResetIn }} }}"
    )
}

/// The path of a ranking page.
pub(crate) fn page(zone: u32, difficulty: u32, page: u32) -> String {
    format!("/zone/rankings/table/{zone}/playerspeed/-1/{difficulty}/10/5/Any/Any/0/0/0/0/0/?search=&page={page}")
}

pub(crate) fn body(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).expect("text")
}

pub(crate) fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().expect("text"))
}
