//! The client returns an answer at its head: the same policies and the same checks apply.

use std::sync::Arc;

use http::{StatusCode, Uri};
use secrecy::SecretString;
use stint_http::{HttpError, RetryPolicy, StreamingResponse, TokenSource};

use crate::scripted::{HttpWorld, answer, broken, ok, request, token, too_many};

fn open(world: &HttpWorld) -> Result<StreamingResponse, HttpError> {
    let client = world.client.clone();
    world.run(async move { client.open(request("/x"), &RetryPolicy::PAGE).await })
}

fn read(answer: StreamingResponse) -> bytes::Bytes {
    futures::executor::block_on(answer.body.collect()).expect("a body")
}

#[test]
fn passing_faults_and_short_refusals_are_repeated() {
    let world =
        HttpWorld::new([broken(), answer(503, &[], "busy"), too_many("5"), answer(200, &[("x-next", "7")], "page")]);
    let answer = open(&world).expect("an answer");
    assert_eq!(
        (answer.status, &answer.headers["x-next"], answer.host.as_str()),
        (StatusCode::OK, &"7".parse().expect("value"), "upstream.example")
    );
    assert_eq!(read(answer), "page");
    assert_eq!(world.seen().len(), 4);
}

#[test]
fn another_status_is_an_answer_and_quotes_its_body_as_an_error() {
    let world = HttpWorld::new([answer(404, &[], "not here"), answer(404, &[], "not here")]);
    assert_eq!(read(open(&world).expect("an answer")), "not here");
    let error = open(&world).and_then(StreamingResponse::success).expect_err("no success");
    assert_eq!(error.to_string(), "unexpected status 404 Not Found from upstream.example: not here");
}

#[test]
fn a_challenge_is_one_whatever_its_status() {
    for status in [200, 403] {
        let world = HttpWorld::new([answer(status, &[("cf-mitigated", "challenge")], "")]);
        assert!(matches!(open(&world).expect_err("a challenge"), HttpError::Challenged { .. }));
    }
}

#[test]
fn a_401_renews_the_token_once_and_then_it_stops() {
    let refused = || answer(401, &[], "");
    for (outcomes, well) in [
        (vec![token("a"), refused(), token("b"), ok("page")], true),
        (vec![token("a"), refused(), token("b"), refused()], false),
    ] {
        let world = HttpWorld::new(outcomes);
        let url = Uri::from_static("https://upstream.example/oauth/token");
        let tokens = Arc::new(TokenSource::new(world.client.clone(), url, "key-1", SecretString::from("hunter2")));
        let client = world.client.clone();
        let answer = world.run(async move { client.open_authorized(request("/x"), &tokens, &RetryPolicy::PAGE).await });
        assert_eq!(answer.is_ok(), well);
        assert!(well || matches!(answer, Err(HttpError::Unauthorized { .. })));
        assert_eq!(world.seen().len(), 4);
        assert_eq!(world.seen()[3].authorization.as_deref(), Some("Bearer b"));
    }
}
