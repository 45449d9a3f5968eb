use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

use bytes::Bytes;
use stint_standins::poe_stashes::Options;

use super::client::{Client, FORM, USER_AGENT, short};

#[test]
fn a_token_comes_for_the_secret_in_the_form_and_the_right_scope() {
    let mut client = Client::unlimited(short());
    let answer = client.post("/oauth/token", FORM);
    let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(36_000)));
    let wrong = [
        (FORM.replace("secret=secret", "secret=wrong"), StatusCode::UNAUTHORIZED),
        (FORM.replace("stand-in", "somebody"), StatusCode::UNAUTHORIZED),
        (FORM.replace("psapi", "leagues"), StatusCode::BAD_REQUEST),
        (FORM.replace("&scope=service%3Apsapi", ""), StatusCode::BAD_REQUEST),
        (FORM.replace("client_credentials", "password"), StatusCode::BAD_REQUEST),
    ];
    for (form, status) in &wrong {
        assert_eq!(client.post("/oauth/token", form).status(), *status, "{form}");
    }
    let basic = Request::post("/oauth/token").header("User-Agent", USER_AGENT);
    let basic = basic.header("Authorization", "Basic c3RhbmQtaW46c2VjcmV0");
    let basic = basic.body(Bytes::from("grant_type=client_credentials&scope=service%3Apsapi"));
    assert_eq!(client.handle(basic.expect("a request")).response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(client.upstream.counters().tokens, 2);
}

#[test]
fn a_token_expires_and_may_not_announce_its_lifetime() {
    let lifetime = Duration::from_secs(60);
    let mut client = Client::unlimited(Options { token_lifetime: lifetime, tells_token_lifetime: false, ..short() });
    let answer = client.post("/oauth/token", FORM);
    assert_eq!(serde_json::from_slice::<Value>(answer.body()).expect("JSON")["expires_in"], Value::Null);
    client.pass(59);
    assert_eq!(client.get("/public-stash-tabs").status(), StatusCode::OK);
    client.pass(1);
    assert_eq!(client.get("/public-stash-tabs").status(), StatusCode::UNAUTHORIZED);
    client.log_in();
    assert_eq!(client.get("/public-stash-tabs").status(), StatusCode::OK);
}

#[test]
fn a_request_without_a_valid_user_agent_is_refused() {
    let mut client = Client::unlimited(short());
    let bad =
        ["", "stint/0.1", "OAuth stand-in", "OAuth stand-in/1.0", "OAuth /1.0 (contact: a)", "OAuth a/1 (contact: )"];
    for user_agent in bad {
        let mut request = client.request("/public-stash-tabs");
        request.headers_mut().insert("user-agent", user_agent.parse().expect("a value"));
        assert_eq!(client.handle(request).response.status(), StatusCode::FORBIDDEN, "{user_agent}");
    }
    let mut request = client.request("/public-stash-tabs");
    request.headers_mut().insert("user-agent", "OAuth mypoeapp/1.0.0 (contact: a@b.c) More".parse().expect("a value"));
    assert_eq!(client.handle(request).response.status(), StatusCode::OK);
}

#[test]
fn the_head_is_for_those_without_a_token() {
    let mut client = Client::unlimited(short());
    let mut request = client.request("/api/trade/data/change-ids");
    assert_eq!(client.handle(request.clone()).response.status(), StatusCode::FORBIDDEN);
    request.headers_mut().remove("authorization");
    let answer = client.handle(request).response;
    let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
    assert_eq!(body, json!({"psapi": client.upstream.head(client.now)}));
    // The river shows nothing at the head for five minutes.
    let head = client.upstream.head(client.now);
    assert!(client.page(&head).stashes.is_empty());
    client.pass(301);
    assert!(!client.page(&head).stashes.is_empty());
}
