//! Access tokens: requested once, shared, renewed, and refused.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use http::Uri;
use secrecy::{ExposeSecret, SecretString};
use stint_http::{HttpError, HttpResponse, RetryPolicy, TokenError, TokenSource};

use crate::scripted::{HOST, HttpWorld, answer, ok, request, timed_out, token, too_many, unreachable};

fn source(world: &HttpWorld) -> Arc<TokenSource> {
    let url = Uri::from_static("https://upstream.example/oauth/token");
    Arc::new(TokenSource::new(world.client.clone(), url, "key-1", SecretString::from("hunter2")))
}

fn query(world: &HttpWorld, tokens: &Arc<TokenSource>) -> Result<HttpResponse, HttpError> {
    let (client, tokens) = (world.client.clone(), Arc::clone(tokens));
    world.run(async move { client.authorized(request("/api"), &tokens, &RetryPolicy::QUERY).await })
}

fn fetch(world: &HttpWorld, tokens: &Arc<TokenSource>) -> Result<String, TokenError> {
    let tokens = Arc::clone(tokens);
    world.run(async move { tokens.token().await.map(|token| token.expose_secret().to_owned()) })
}

/// Returns path and credentials of every request so far.
fn calls(world: &HttpWorld) -> Vec<(String, String)> {
    world.seen().into_iter().map(|seen| (seen.path, seen.authorization.unwrap_or_default())).collect()
}

fn call(path: &str, authorization: &str) -> (String, String) {
    (path.to_owned(), authorization.to_owned())
}

/// `key-1:hunter2`.
const BASIC: &str = "Basic a2V5LTE6aHVudGVyMg==";

#[test]
fn a_token_is_asked_for_once_and_sent_with_every_request() {
    let world = HttpWorld::new([token("a"), ok("1"), ok("2")]);
    let tokens = source(&world);
    assert!(query(&world, &tokens).is_ok());
    assert!(query(&world, &tokens).is_ok());
    let expected = [call("/oauth/token", BASIC), call("/api", "Bearer a"), call("/api", "Bearer a")];
    assert_eq!(calls(&world), expected);
}

#[test]
fn a_scope_and_a_secret_in_the_form_are_sent_as_upstreams_want_them() {
    let world = HttpWorld::new([token("a"), answer(400, &[], "you sent client_secret=a%26b+c or a&b c")]);
    let url = Uri::from_static("https://upstream.example/oauth/token");
    let tokens = TokenSource::new(world.client.clone(), url, "key 1", SecretString::from("a&b c"));
    let tokens = Arc::new(tokens.with_secret_in_body().with_scope("service:psapi"));
    assert_eq!(fetch(&world, &tokens).as_deref(), Ok("a"));
    let seen = &world.seen()[0];
    let form = "grant_type=client_credentials&scope=service%3Apsapi&client_id=key+1&client_secret=a%26b+c";
    assert_eq!((seen.authorization.as_deref(), seen.body.as_str()), (None, form));
    world.clock.advance(Duration::from_secs(3600));
    let error = fetch(&world, &tokens).expect_err("refused").to_string();
    assert!(error.contains("client_secret=[removed] or [removed]"), "{error}");
}

#[test]
fn a_lifetime_that_is_null_is_as_good_as_none() {
    let answer = ok(r#"{"access_token":"a","expires_in":null,"token_type":"bearer"}"#);
    let world = HttpWorld::new([answer, token("b")]);
    let tokens = source(&world);
    assert_eq!(fetch(&world, &tokens).as_deref(), Ok("a"));
    world.clock.advance(Duration::from_secs(3000));
    assert_eq!(fetch(&world, &tokens).as_deref(), Ok("a"));
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(fetch(&world, &tokens).as_deref(), Ok("b"));
}

#[test]
fn concurrent_callers_share_one_request() {
    let world = HttpWorld::slow([token("a")], Duration::from_secs(1), Duration::ZERO);
    let tokens = source(&world);
    let outcomes = world.run(async move { join_all((0..50).map(|_| tokens.token())).await });
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(world.seen().len(), 1);
}

#[test]
fn concurrent_callers_share_a_failure_and_a_later_one_asks_again() {
    let refused = || answer(401, &[], r#"{"error":"invalid_client"}"#);
    let world = HttpWorld::slow([refused(), refused()], Duration::from_secs(1), Duration::ZERO);
    let tokens = source(&world);
    let shared = Arc::clone(&tokens);
    let outcomes = world.run(async move { join_all((0..50).map(|_| shared.token())).await });
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(TokenError::Refused { .. }))));
    assert_eq!(world.seen().len(), 1);
    assert!(fetch(&world, &tokens).is_err());
    assert_eq!(world.seen().len(), 2);
}

#[test]
fn a_token_is_renewed_a_little_before_it_ends() {
    let world = HttpWorld::new([token("a"), token("b")]);
    let tokens = source(&world);
    assert_eq!(fetch(&world, &tokens).as_deref(), Ok("a"));
    world.clock.advance(Duration::from_secs(3600 - 301));
    assert_eq!(fetch(&world, &tokens).as_deref(), Ok("a"));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(fetch(&world, &tokens).as_deref(), Ok("b"));
}

#[test]
fn a_401_renews_the_token_once_and_repeats_the_request_once() {
    let world = HttpWorld::new([token("a"), answer(401, &[], ""), token("b"), ok("done")]);
    assert_eq!(query(&world, &source(&world)).expect("answer").body, "done");
    let expected =
        [call("/oauth/token", BASIC), call("/api", "Bearer a"), call("/oauth/token", BASIC), call("/api", "Bearer b")];
    assert_eq!(calls(&world), expected);
}

#[test]
fn a_second_401_is_an_error_that_names_the_key() {
    let world = HttpWorld::new([token("a"), answer(401, &[], ""), token("b"), answer(401, &[], "")]);
    let error = query(&world, &source(&world)).expect_err("error");
    let expected = HttpError::Unauthorized { host: HOST.to_owned(), key_id: String::from("key-1") };
    assert_eq!(error, expected);
    assert!(!error.may_be_billed());
    assert_eq!(world.seen().len(), 4);
}

#[test]
fn a_token_that_another_caller_has_renewed_is_not_renewed_again() {
    let world = HttpWorld::new([token("a"), token("b")]);
    let tokens = source(&world);
    let shared = Arc::clone(&tokens);
    world.run(async move {
        let old = shared.token().await.expect("token");
        shared.invalidate(&old).await;
        shared.token().await.expect("token");
        shared.invalidate(&old).await;
    });
    assert_eq!(fetch(&world, &tokens).as_deref(), Ok("b"));
    assert_eq!(world.seen().len(), 2);
}

#[test]
fn many_callers_with_a_refused_token_renew_it_once() {
    // Five refusals arrive together. The first caller renews the token, and the others find the new one.
    let mut outcomes = vec![token("a")];
    outcomes.extend((0..5).map(|_| answer(401, &[], "")));
    outcomes.push(token("b"));
    outcomes.extend((0..5).map(|_| ok("done")));
    let world = HttpWorld::slow(outcomes, Duration::from_secs(1), Duration::ZERO);
    let (client, tokens) = (world.client.clone(), source(&world));
    let outcomes = world.run(async move {
        join_all((0..5).map(|_| client.authorized(request("/api"), &tokens, &RetryPolicy::QUERY))).await
    });
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(calls(&world).iter().filter(|(path, _)| path == "/oauth/token").count(), 2);
}

#[test]
fn wrong_credentials_are_not_tried_again_and_the_error_says_what_to_do() {
    for status in [400, 401, 403] {
        let world = HttpWorld::new([answer(status, &[], r#"{"error":"invalid_client"}"#)]);
        let error = query(&world, &source(&world)).expect_err("error");
        assert!(matches!(error, HttpError::Token(TokenError::Refused { .. })));
        assert!(!error.may_be_billed());
        let text = error.to_string();
        assert!(text.contains("key-1") && text.contains("invalid_client") && text.contains("check the id"), "{text}");
        assert_eq!(world.seen().len(), 1);
    }
}

#[test]
fn passing_faults_of_the_token_endpoint_are_repeated() {
    let world = HttpWorld::new([unreachable(), timed_out(), answer(500, &[], ""), token("a")]);
    assert_eq!(fetch(&world, &source(&world)).as_deref(), Ok("a"));
}

#[test]
fn a_token_request_that_never_ends_well_cannot_have_been_billed() {
    let world = HttpWorld::new((0..4).map(|_| timed_out()));
    let error = query(&world, &source(&world)).expect_err("error");
    assert!(matches!(error, HttpError::Token(TokenError::Failed { .. })));
    assert!(!error.may_be_billed());
}

#[test]
fn a_rate_limit_at_the_token_endpoint_is_reported_as_one() {
    let world = HttpWorld::new([too_many("1800")]);
    let error = query(&world, &source(&world)).expect_err("error");
    assert_eq!(error.rate_limited().and_then(|limited| limited.retry_after), Some(Duration::from_secs(1800)));

    let world = HttpWorld::new([too_many("30"), token("a")]);
    assert_eq!(fetch(&world, &source(&world)).as_deref(), Ok("a"));
    assert_eq!(world.times(), [0, 30_000]);
}

#[test]
fn a_malformed_answer_and_a_wrong_address_are_told_apart() {
    let world = HttpWorld::new([ok("<html>hello</html>")]);
    let error = fetch(&world, &source(&world)).expect_err("error");
    assert_eq!(error.to_string(), "no access token for key key-1: the answer of upstream.example is not JSON");

    let world = HttpWorld::new([answer(404, &[], "not here")]);
    let error = fetch(&world, &source(&world)).expect_err("error");
    let expected = "no access token for key key-1: unexpected status 404 Not Found from upstream.example: not here";
    assert_eq!(error.to_string(), expected);
}
