//! No secret and no token appears in an error, whatever fails and however it is printed.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use secrecy::SecretString;
use stint_http::{Client, HttpError, RetryPolicy, TokenError, TokenSource, TransportError};

use crate::scripted::{HttpWorld, answer, broken, ok, timed_out, token, too_many, unreachable};

const SECRET: &str = "correct-horse";
const TOKEN: &str = "battery.staple";
const PASSWORD: &str = "pa55word";

fn assert_clean(text: &str) {
    for secret in [SECRET, TOKEN, PASSWORD, "Y29ycmVjdC1ob3JzZQ", "a2V5LTE6Y29ycmVjdC1ob3JzZQ=="] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

fn assert_prints_clean(value: &impl Debug) {
    assert_clean(&format!("{value:?}"));
    assert_clean(&format!("{value:#?}"));
}

fn source(client: &Client) -> TokenSource {
    let url = "https://user:pa55word@upstream.example/oauth/token?password=pa55word".parse::<Uri>().expect("uri");
    TokenSource::new(client.clone(), url, "key-1", SecretString::from(SECRET))
}

fn fail(outcomes: Vec<Result<http::Response<Bytes>, TransportError>>) -> HttpError {
    let world = HttpWorld::new(outcomes);
    let client = world.client.clone();
    let outcome = world.run(async move {
        let tokens = source(&client);
        assert_prints_clean(&tokens);
        let url = "https://user:pa55word@upstream.example/api?password=pa55word";
        let request = http::Request::get(url).body(Bytes::new()).expect("request");
        client.authorized(request, &tokens, &RetryPolicy::QUERY).await?.success()
    });
    outcome.expect_err("error")
}

#[test]
fn no_error_holds_a_secret() {
    // An upstream that returns everything it was sent, plain and encoded.
    let echo = format!("you sent Basic a2V5LTE6Y29ycmVjdC1ob3JzZQ== ({SECRET}) or Bearer {TOKEN}, '{TOKEN}'");
    let refused = || answer(401, &[("www-authenticate", TOKEN)], &echo);
    let odd_token = format!(r#"{{"access_token":7,"expires_in":"{TOKEN}"}}"#);
    let failures = [
        vec![refused_basic(&echo)],
        vec![too_many("1800")],
        vec![ok(&odd_token)],
        vec![ok(&format!(r#"{{"access_token":"{TOKEN}","token_type":"{TOKEN}"}}"#))],
        vec![answer(404, &[], &format!("you sent {SECRET}"))],
        vec![answer(403, &[("cf-mitigated", TOKEN)], TOKEN)],
        vec![token(TOKEN), refused(), token(TOKEN), refused()],
        vec![token(TOKEN), answer(500, &[], &format!("no {TOKEN} here"))],
        vec![token(TOKEN), answer(418, &[], &format!("no {TOKEN} here"))],
        vec![token(TOKEN), too_many("1800")],
        vec![token(TOKEN), timed_out()],
        vec![token(TOKEN), broken()],
        [vec![token(TOKEN)], (0..4).map(|_| unreachable()).collect()].concat(),
    ];
    for outcomes in failures {
        let error = fail(outcomes);
        assert_clean(&error.to_string());
        assert_prints_clean(&error);
    }
}

/// The token endpoint has not issued a token yet, so it can echo only the secret.
fn refused_basic(echo: &str) -> Result<http::Response<Bytes>, TransportError> {
    answer(400, &[], echo.split(" or ").next().unwrap_or_default())
}

#[test]
fn answers_and_clients_print_without_headers_and_bodies() {
    let world =
        HttpWorld::slow([token(TOKEN), answer(200, &[("set-cookie", TOKEN)], TOKEN)], Duration::ZERO, Duration::ZERO);
    let client = world.client.clone();
    world.run(async move {
        let tokens = Arc::new(source(&client));
        let request = http::Request::get("https://upstream.example/api").body(Bytes::new()).expect("request");
        let answer = client.authorized(request, &tokens, &RetryPolicy::QUERY).await.expect("answer");
        assert_prints_clean(&answer);
        assert_prints_clean(&tokens.token().await.expect("token"));
        assert_prints_clean(&tokens);
        assert_prints_clean(&client);
    });
}

#[test]
fn refusals_still_say_which_key_and_why() {
    let error = fail(vec![answer(400, &[], r#"{"error":"invalid_request"}"#)]);
    let HttpError::Token(TokenError::Refused { host, key_id, excerpt, .. }) = error else { panic!("{error}") };
    assert_eq!((host.as_str(), key_id.as_str()), ("upstream.example", "key-1"));
    assert_eq!(excerpt, r#"{"error":"invalid_request"}"#);
}
