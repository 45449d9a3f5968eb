//! What only the local host does.

use serde_json::json;
use stint_core::http::openapi;
use stint_core::worker::Worker;
use stint_host::http::ServerLimits;
use stint_testkit::http::{HttpWorker, http_registry};

use super::world::RunningHost;

#[test]
fn the_description_is_served() {
    let host = RunningHost::serving(http_registry(), ServerLimits::default());
    let mut client = host.connect();
    let description = client.get("/openapi.json", &[]).unwrap();
    assert_eq!((description.status, description.json()), (200, openapi("Test", "1", [HttpWorker::SPEC])));
    let operation = &description.json()["paths"]["/echo/{id}"]["post"];
    assert_eq!(operation["parameters"][0]["name"], "id");
    assert_eq!(client.send("POST", "/openapi.json", &[], b"").unwrap().error().0, 405);
}

#[test]
fn the_address_of_the_caller_is_the_one_that_the_proxy_declares() {
    let headers = ["x-forwarded-for: 203.0.113.9, 2001:db8::1"];
    for (trusted, expected) in [(None, "127.0.0.1"), (Some("x-forwarded-for"), "2001:db8::1")] {
        let limits = ServerLimits { address_header: trusted.map(str::to_owned), ..ServerLimits::default() };
        let host = RunningHost::serving(http_registry(), limits);
        let mut client = host.connect();
        assert_eq!(client.get("/echo/1", &headers).unwrap().json()["address"], json!(expected));
        let malformed = client.get("/echo/1", &["x-forwarded-for: unknown"]).unwrap();
        assert_eq!(malformed.json()["address"], json!("127.0.0.1"));
    }
}
