//! What arrives at a worker, and what comes back.

use serde_json::{Value, json};
use stint_core::ports::PortResult;

use super::worker::{BODY_LIMIT, piece};
use super::{HttpWorld, connect, failed};

/// Path values are decoded, query values keep their order and their repetitions, and the names of headers are in lower case.
pub async fn a_request_arrives_with_all_its_values(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    let path = "/echo/%C3%85nn%20B?raid=26&raid=27&name=a%26b+c&flag";
    let echo = client.get(path, &["X-Custom-Header: Value", "Cookie: a=1", "Cookie: b=2"]).map_err(failed)?.json();
    assert_eq!((&echo["id"], &echo["method"]), (&json!("Ånn B"), &json!("GET")));
    assert_eq!(echo["query"], json!([["raid", "26"], ["raid", "27"], ["name", "a&b c"], ["flag", ""]]));
    assert_eq!(echo["address"], "127.0.0.1");
    let headers: Vec<(String, String)> = serde_json::from_value(echo["headers"].clone()).unwrap_or_default();
    let all = |name: &str| {
        let values = headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join("; ")
    };
    assert_eq!((all("x-custom-header").as_str(), all("cookie").as_str()), ("Value", "a=1; b=2"));
    assert_eq!(client.get("/echo/literal", &[]).map_err(failed)?.text(), "literal");
    if world.keeps_encoded_slashes() {
        assert_eq!(client.get("/echo/a%2Fb", &[]).map_err(failed)?.json()["id"], "a/b");
    }
    Ok(())
}

/// A body of the permitted size arrives; a larger one is refused with 413, and a route without a body refuses every one.
pub async fn a_body_arrives_and_a_larger_one_is_refused(world: &dyn HttpWorld) -> PortResult<()> {
    let json = ["content-type: application/json"];
    let body = "ä".repeat(BODY_LIMIT / 2);
    let echo = connect(world)?.send("POST", "/echo/1", &json, body.as_bytes()).map_err(failed)?;
    assert_eq!((echo.status, &echo.json()["body"]), (200, &Value::from(body)));
    let larger = connect(world)?.send("POST", "/echo/1", &json, &[b'x'; BODY_LIMIT + 1]).map_err(failed)?;
    assert_eq!(larger.error(), (413, "body_too_large".to_owned()));
    let unexpected = connect(world)?.send("GET", "/echo/1", &[], b"x").map_err(failed)?;
    assert_eq!(unexpected.error(), (413, "body_too_large".to_owned()));
    Ok(())
}

/// Bytes that are not text arrive and come back as they are.
pub async fn binary_bodies_go_both_ways(world: &dyn HttpWorld) -> PortResult<()> {
    let body: Vec<u8> = (0..=255).collect();
    let kind = ["content-type: application/octet-stream"];
    let received = connect(world)?.send("POST", "/bytes", &kind, &body).map_err(failed)?;
    assert_eq!((received.status, received.body), (200, body));
    Ok(())
}

/// A connection serves one request after another, also after errors.
pub async fn requests_share_a_connection(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    for (path, status) in [("/echo/1", 200), ("/nothing", 404), ("/refused", 409), ("/echo/2", 200)] {
        assert_eq!(client.get(path, &[]).map_err(failed)?.status, status, "{path}");
    }
    Ok(())
}

/// HEAD has the status and the headers of GET, and no body.
pub async fn head_is_get_without_a_body(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    for path in ["/text", "/chunks", "/nothing"] {
        let get = client.get(path, &[]).map_err(failed)?;
        let head = client.send("HEAD", path, &[], b"").map_err(failed)?;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        for name in ["content-type", "etag", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
    Ok(())
}

/// The caller's request id is used if it is well-formed. Every response has an id, and so has every error.
pub async fn request_ids_are_taken_over(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    let given = client.get("/echo/1", &["x-request-id: abc-123"]).map_err(failed)?;
    assert_eq!((given.header("x-request-id"), &given.json()["request_id"]), (Some("abc-123"), &json!("abc-123")));
    let malformed = client.get("/nothing", &["x-request-id: a b\"c"]).map_err(failed)?;
    let id = malformed.header("x-request-id").unwrap_or_default().to_owned();
    assert!(!id.is_empty() && !id.contains(' '), "{id}");
    assert_eq!(malformed.json()["error"]["request_id"], Value::from(id));
    Ok(())
}

/// Text is compressed for callers that accept it, and only for them.
pub async fn large_text_is_compressed_on_request(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    let plain = client.get("/text", &[]).map_err(failed)?;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    for (accepted, is_compressed) in [("gzip, br", true), ("br, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false)]
    {
        let received = client.get("/text", &[&format!("accept-encoding: {accepted}")]).map_err(failed)?;
        assert_eq!(received.header("content-encoding") == Some("gzip"), is_compressed, "{accepted}");
        let starts_as_gzip = received.body.starts_with(&[0x1f, 0x8b]);
        assert_eq!(starts_as_gzip, is_compressed);
        assert_eq!(received.body.len() < plain.body.len() / 10, is_compressed);
    }
    let short = client.get("/echo/literal", &["accept-encoding: gzip"]).map_err(failed)?;
    assert_eq!(short.text(), "literal", "what is short is sent as it is");
    Ok(())
}

/// A streamed body arrives as a whole.
pub async fn a_stream_arrives_whole(world: &dyn HttpWorld) -> PortResult<()> {
    let received = connect(world)?.get("/chunks", &[]).map_err(failed)?;
    let expected: Vec<u8> = (0..100).flat_map(piece).collect();
    assert_eq!((received.status, received.body), (200, expected));
    Ok(())
}

/// Server-sent events arrive in order, uncompressed, and are kept by no cache.
pub async fn events_arrive_in_order(world: &dyn HttpWorld) -> PortResult<()> {
    let received = connect(world)?.get("/events", &["accept-encoding: gzip"]).map_err(failed)?;
    assert_eq!(received.header("content-type"), Some("text/event-stream"));
    assert_eq!((received.header("cache-control"), received.header("content-encoding")), (Some("no-store"), None));
    assert_eq!(received.text(), "id: 1\ndata: data\n\nid: 2\ndata: data\n\nid: 3\ndata: data\n\n");
    Ok(())
}
