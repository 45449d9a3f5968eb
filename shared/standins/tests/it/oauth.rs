use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use stint_standins::warcraftlogs::Options;

use crate::client::{Client, body};

const GRANT: &str = "grant_type=client_credentials";

#[test]
fn credentials_come_by_basic_or_in_the_form() {
    let mut client = Client::new(Options::default());
    let basic = client.post("/oauth/token", &[("Authorization", "Basic a2V5LTE6c2VjcmV0LTE=")], GRANT.to_owned());
    assert_eq!(basic.status(), StatusCode::OK);
    let token: Value = serde_json::from_slice(basic.body()).expect("JSON");
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(31_104_000)));
    let form = client.post("/oauth/token", &[], format!("{GRANT}&client_id=key-2&client_secret=secret-2"));
    assert_eq!(form.status(), StatusCode::OK);
    assert_ne!(form.body(), basic.body());
    assert_eq!(client.upstream.counters().tokens, 3);
}

#[test]
fn invalid_credentials_and_missing_ones_have_different_answers() {
    let mut client = Client::new(Options::default());
    let none = client.post("/oauth/token", &[], GRANT.to_owned());
    assert_eq!((none.status(), body(&none)), (StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#));
    let wrong = client.post("/oauth/token", &[], format!("{GRANT}&client_id=key-1&client_secret=secret-2"));
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(body(&wrong).contains(r#""error":"invalid_client""#));
}

#[test]
fn a_token_expires_and_can_be_renewed() {
    let mut client = Client::new(Options { token_lifetime: Some(Duration::from_secs(60)), ..Options::default() });
    let query = "{ rateLimitData { limitPerHour } }";
    client.pass(59);
    assert_eq!(client.ask(query, Value::Null).status(), StatusCode::OK);
    client.pass(1);
    assert_eq!(client.ask(query, Value::Null).status(), StatusCode::UNAUTHORIZED);
    client.log_in("key-1", "secret-1");
    assert_eq!(client.ask(query, Value::Null).status(), StatusCode::OK);
}

#[test]
fn without_a_token_there_is_nothing_to_see() {
    let mut client = Client::new(Options::default());
    let without_token = client.post("/api/v2/client", &[], r#"{"query":"{ __typename }"}"#.to_owned());
    assert_eq!((without_token.status(), body(&without_token)), (StatusCode::NOT_FOUND, r#"{"message":""}"#));
    let stranger = client.post("/api/v2/client", &[("Authorization", "Bearer made-up")], "{}".to_owned());
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
}
