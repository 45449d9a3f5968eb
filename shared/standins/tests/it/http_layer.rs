use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};
use stint_core::clock::ManualClock;
use stint_standins::warcraftlogs::{Counters, Options};
use stint_standins::{WarcraftLogs, serve};

use crate::client::{page, ranking};

#[tokio::test]
async fn the_stand_in_speaks_real_http() {
    let upstream = WarcraftLogs::new(Options::default().instant());
    let id = upstream.population().discoverable(&[(26, 4)])[0];
    let upstream = Arc::new(Mutex::new(upstream));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let serving = tokio::spawn(serve(upstream.clone(), clock, listener, async move { drop(stopped.await) }));

    let client = stint_http::client_builder("tests").build().expect("a client");
    let form = "grant_type=client_credentials&client_id=key-1&client_secret=secret-1";
    let token = client.post(format!("{base}/oauth/token")).body(form).send().await.expect("an answer");
    let token: Value = serde_json::from_slice(&token.bytes().await.expect("a body")).expect("JSON");
    let query = json!({"query": ranking(id, 26, 4)}).to_string();
    let request =
        client.post(format!("{base}/api/v2/client")).bearer_auth(token["access_token"].as_str().expect("a token"));
    let answer = request.body(query).send().await.expect("an answer").bytes().await.expect("a body");
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(answer["data"]["characterData"]["character"]["id"], json!(id));
    let html =
        client.get(format!("{base}{}", page(26, 4, 1))).header("Referer", &base).send().await.expect("an answer");
    assert!(html.text().await.expect("a body").contains("main-table-player"));

    let counters = client.get(format!("{base}/standin/books")).send().await.expect("an answer");
    let counters: Counters = serde_json::from_slice(&counters.bytes().await.expect("a body")).expect("counters");
    assert_eq!(counters, upstream.lock().expect("unpoisoned").counters());
    assert_eq!((counters.requests, counters.api_requests, counters.page_reads(26, 4, 1)), (3, 1, 1));
    drop(client);
    stop.send(()).expect("still serving");
    serving.await.expect("no panic").expect("no error");
}
