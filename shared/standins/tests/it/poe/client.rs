//! A client without a network: it passes requests to the stand-in at instants that the test chooses.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use stint_core::clock::after;
use stint_standins::poe_stashes::Options;
use stint_standins::{PoeStashes, Reply, Upstream};

pub(super) const USER_AGENT: &str = "OAuth stand-in/1.0 (contact: nobody@example.com) stint";

pub(super) const FORM: &str =
    "grant_type=client_credentials&client_id=stand-in&client_secret=secret&scope=service%3Apsapi";

/// A stand-in, the time, and a token.
pub(super) struct Client {
    pub(super) upstream: PoeStashes,
    pub(super) now: Timestamp,
    pub(super) token: String,
}

impl Client {
    pub(super) fn new(options: Options) -> Client {
        let now = options.started;
        let mut client = Client { upstream: PoeStashes::new(options), now, token: String::new() };
        client.log_in();
        client
    }

    /// A client without limits, for tests of other behaviour.
    pub(super) fn unlimited(options: Options) -> Client {
        Client::new(Options { windows: vec![], ..options })
    }

    pub(super) fn log_in(&mut self) {
        let answer = self.post("/oauth/token", FORM);
        let body: Value = serde_json::from_slice(answer.body()).expect("the token answer is JSON");
        self.token = body["access_token"].as_str().expect("a token").to_owned();
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = after(self.now, Duration::from_secs(seconds));
    }

    pub(super) fn handle(&mut self, request: Request<Bytes>) -> Reply {
        self.upstream.handle(self.now, &request)
    }

    pub(super) fn post(&mut self, path: &str, form: &str) -> Response<Bytes> {
        let request = Request::post(path).header("User-Agent", USER_AGENT).body(form.to_owned().into());
        self.handle(request.expect("a request")).response
    }

    pub(super) fn get(&mut self, path: &str) -> Response<Bytes> {
        self.handle(self.request(path)).response
    }

    pub(super) fn request(&self, path: &str) -> Request<Bytes> {
        let bearer = format!("Bearer {}", self.token);
        let request = Request::get(path).header("User-Agent", USER_AGENT).header("Authorization", bearer);
        request.body(Bytes::new()).expect("a request")
    }

    pub(super) fn page(&mut self, id: &str) -> Page {
        let answer = self.get(&format!("/public-stash-tabs?id={id}"));
        assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.body());
        let header = answer.headers().get("x-next-change-id").map(|next| next.to_str().expect("text").to_owned());
        let raw = String::from_utf8(answer.body().to_vec()).expect("text");
        let body: Value = serde_json::from_str(&raw).expect("JSON");
        let next = body["next_change_id"].as_str().expect("an id").to_owned();
        Page { header, next, stashes: body["stashes"].as_array().expect("stashes").clone(), raw }
    }

    /// Returns all pages from `id` on, up to the first empty one.
    pub(super) fn follow(&mut self, id: &str) -> Vec<Page> {
        let mut pages = vec![self.page(id)];
        while let Some(page) = pages.last().filter(|page| !page.stashes.is_empty()) {
            let next = page.next.clone();
            pages.push(self.page(&next));
        }
        pages
    }
}

pub(super) struct Page {
    pub(super) header: Option<String>,
    pub(super) next: String,
    pub(super) stashes: Vec<Value>,
    pub(super) raw: String,
}

impl Page {
    pub(super) fn ids(&self) -> Vec<&str> {
        self.stashes.iter().map(|stash| stash["id"].as_str().expect("an id")).collect()
    }
}

/// A short river of small pages.
pub(super) fn short() -> Options {
    Options { history: Duration::from_secs(310), edits_per_second: 10, stashes_per_page: 7, ..Options::default() }
}
