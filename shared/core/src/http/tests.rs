//! Which route a request takes, and which routes are refused.

use std::time::Duration;

use super::*;
use crate::worker::{Trigger, WorkerSpec};

const fn worker(name: &'static str, triggers: &'static [Trigger]) -> WorkerSpec {
    WorkerSpec { fleet: "test", name, summary: "serves", triggers, concurrency: 1, timeout: Duration::from_secs(10) }
}

/// Returns a worker that serves these routes.
macro_rules! serving {
    ($name:literal: $($method:ident $path:literal),+) => {
        worker($name, const { &[Trigger::Http(&[$(Route::new(Method::$method, $path, "serves")),+])] })
    };
}

fn found(router: &Router, method: Method, path: &str) -> Result<(usize, &'static str, String), NoRoute> {
    let segments = PathSegments::of_encoded(path).expect("a path");
    let Matched { worker, route, params } = router.find(method, &segments)?;
    Ok((worker, route.path, params.iter().map(|(name, value)| format!("{name}={value} ")).collect()))
}

#[test]
fn a_literal_segment_is_preferred_to_one_in_braces() {
    let router = Router::new([
        serving!("players": Get "/players/{id}", Delete "/players/{id}", Get "/players/{id}/raids/{raid}"),
        serving!("others": Get "/", Get "/players/best", Post "/players"),
    ]);
    let router = router.expect("a router");
    let ok = |worker, path, params: &str| Ok((worker, path, params.to_owned()));
    assert_eq!(found(&router, Method::Get, "/"), ok(1, "/", ""));
    assert_eq!(found(&router, Method::Get, "/players/best"), ok(1, "/players/best", ""));
    assert_eq!(found(&router, Method::Get, "/players/%2F7"), ok(0, "/players/{id}", "id=/7 "));
    assert_eq!(
        found(&router, Method::Get, "/players/7/raids/26"),
        ok(0, "/players/{id}/raids/{raid}", "id=7 raid=26 ")
    );
    assert_eq!(found(&router, Method::Delete, "/players/best"), ok(0, "/players/{id}", "id=best "));
    for path in ["/players/", "/players/7/", "/raids", "/players/7/raids"] {
        assert_eq!(found(&router, Method::Get, path), Err(NoRoute::Path), "{path}");
    }
    assert_eq!(found(&router, Method::Get, "/players"), Err(NoRoute::Method));
    let allowed = |path| router.allowed(&PathSegments::of_encoded(path).expect("a path"));
    assert_eq!(allowed("/players/best"), ["GET", "HEAD", "DELETE", "OPTIONS"]);
    assert_eq!((allowed("/players"), allowed("/raids")), (vec!["POST", "OPTIONS"], vec![]));
}

#[test]
fn routes_that_cannot_be_told_apart_are_refused_with_both_names() {
    let refused = |workers: [WorkerSpec; 2]| Router::new(workers).expect_err("a refusal").to_string();
    assert_eq!(
        refused([serving!("one": Get "/a/{id}"), serving!("two": Get "/a/{name}")]),
        "test/one and test/two both serve GET /a/{name}"
    );
    assert_eq!(
        refused([serving!("one": Get "/{kind}/best"), serving!("two": Get "/players/{id}")]),
        "GET /{kind}/best of test/one and GET /players/{id} of test/two both match /players/best, and neither is more specific"
    );
    let distinct = [serving!("one": Get "/a/{id}", Post "/{b}/c"), serving!("two": Post "/a/{id}/d", Get "/{b}/c/d")];
    assert!(Router::new(distinct).is_ok());
}

#[test]
fn a_malformed_route_is_refused_with_the_reason() {
    let refused = |worker: WorkerSpec| Router::new([worker]).expect_err("a refusal").to_string();
    let cases = [
        (serving!("one": Get "a"), "a path starts with a slash"),
        (serving!("one": Get "/a/"), "a segment is empty"),
        (serving!("one": Get "/a b"), "a b has characters other than letters, digits and - . _ ~"),
        (serving!("one": Get "/{Id}"), "{Id} is not a name in braces; a name has small letters, digits and _"),
        (serving!("one": Get "/{id"), "{id is not a name in braces; a name has small letters, digits and _"),
        (serving!("one": Get "/{id}/{id}"), "{id} occurs twice"),
        (serving!("one": Get "/openapi.json"), "the host serves its own description there"),
    ];
    for (spec, reason) in cases {
        let text = refused(spec);
        assert!(text.starts_with("the route GET ") && text.ends_with(&format!(" of test/one: {reason}")), "{text}");
    }
    let large =
        worker("one", const { &[Trigger::Http(&[Route::post("/a", "stores").body_limit(MAX_REQUEST_BODY + 1)])] });
    assert!(refused(large).ends_with("a body limit of 4194305 bytes is more than 4194304"));
}
