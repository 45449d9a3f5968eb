//! What routes say of callers, websites, caches and limits.

use std::time::Duration;

use stint_core::ports::PortResult;
use stint_core::worker::Worker;

use super::worker::BURST;
use super::{HttpWorker, HttpWorld, connect, failed};

/// After how long a host reads the throttle again at the latest.
const THROTTLE_AGE: Duration = Duration::from_secs(11);

/// How many requests are sent until a pause is seen: some seconds' worth.
const MOST_REQUESTS: usize = 50_000;

/// A request without a key is refused with 401; a key arrives in either form.
pub async fn a_key_is_needed_where_the_route_says_so(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    for headers in [&[][..], &["authorization: Basic a2V5"], &["authorization: Bearer "]] {
        let refused = client.get("/private", headers).map_err(failed)?;
        assert_eq!(
            (refused.error(), refused.header("www-authenticate")),
            ((401, "unauthorized".into()), Some("Bearer"))
        );
    }
    for header in ["authorization: Bearer the-key", "authorization: bearer the-key", "x-api-key: the-key"] {
        assert_eq!(client.get("/private", &[header]).map_err(failed)?.text(), "the-key", "{header}");
    }
    Ok(())
}

/// A browser is told which websites may read a response, before and with it.
pub async fn other_websites_read_what_the_route_permits(world: &dyn HttpWorld) -> PortResult<()> {
    const ALLOWED: &str = "access-control-allow-origin";
    let mut client = connect(world)?;
    let (one, other) = ("origin: https://one.example", "origin: https://other.example");
    assert_eq!(client.get("/echo/1", &[other]).map_err(failed)?.header(ALLOWED), Some("*"));
    assert_eq!(client.get("/text", &[other]).map_err(failed)?.header(ALLOWED), None);
    let permitted = client.send("DELETE", "/echo/1", &[one], b"").map_err(failed)?;
    assert_eq!((permitted.status, permitted.header(ALLOWED)), (204, Some("https://one.example")));
    let refused = client.send("DELETE", "/echo/1", &[other], b"").map_err(failed)?;
    assert_eq!((refused.header(ALLOWED), refused.header("vary")), (None, Some("origin")));
    let asks = "access-control-request-method: DELETE";
    let preflight = client.send("OPTIONS", "/echo/1", &[one, asks], b"").map_err(failed)?;
    assert_eq!((preflight.status, preflight.header(ALLOWED)), (204, Some("https://one.example")));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("DELETE"));
    let refused = client.send("OPTIONS", "/echo/1", &[other, asks], b"").map_err(failed)?;
    assert_eq!((refused.status, refused.header(ALLOWED)), (204, None));
    Ok(())
}

/// Successful responses say what the route says, and errors are never kept.
pub async fn caches_are_told_what_they_may_keep(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    for (path, expected) in [("/text", "public, max-age=60"), ("/echo/1", "no-store"), ("/nothing", "no-store")] {
        assert_eq!(client.get(path, &[]).map_err(failed)?.header("cache-control"), Some(expected), "{path}");
    }
    Ok(())
}

/// A caller that has the current version is told so, without the body.
pub async fn a_known_version_is_not_sent_again(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    for known in ["\"v1\"", "W/\"v1\"", "\"v0\", \"v1\"", "*"] {
        let received = client.get("/text", &[&format!("if-none-match: {known}")]).map_err(failed)?;
        assert_eq!((received.status, received.header("etag")), (304, Some("\"v1\"")), "{known}");
        assert_eq!(received.header("cache-control"), Some("public, max-age=60"));
    }
    assert_eq!(client.get("/text", &["if-none-match: \"v2\""]).map_err(failed)?.status, 200);
    Ok(())
}

/// Over the limit, the response is 429 with the time to wait. Every response of the route says how much is left.
pub async fn too_many_requests_are_told_when_to_return(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    for left in (0..BURST).rev() {
        let admitted = client.get("/limited", &[]).map_err(failed)?;
        assert_eq!(admitted.status, 200);
        assert_eq!(admitted.header("ratelimit-limit"), Some("3"));
        assert_eq!(admitted.header("ratelimit-remaining"), Some(left.to_string().as_str()));
    }
    let refused = client.get("/limited", &[]).map_err(failed)?;
    assert_eq!(refused.error(), (429, "too_many_requests".to_owned()));
    let seconds = |name| refused.header(name).and_then(|value| value.parse::<u64>().ok()).unwrap_or_default();
    assert!((3_000..=3_600).contains(&seconds("retry-after")), "{refused:?}");
    assert!((10_000..=10_800).contains(&seconds("ratelimit-reset")), "{refused:?}");
    assert_eq!(client.get("/echo/1", &[]).map_err(failed)?.status, 200, "other routes are not limited");
    Ok(())
}

/// While an operator has paused the worker, its routes are unavailable. The pause is seen within seconds.
pub async fn a_paused_worker_is_unavailable(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    let id = HttpWorker::SPEC.id();
    for (is_paused, status) in [(false, 200), (true, 503), (false, 200)] {
        match is_paused {
            true => world.throttle().pause(&id).await?,
            false => world.throttle().resume(&id).await?,
        }
        world.skip(THROTTLE_AGE);
        let mut received = client.get("/echo/1", &[]).map_err(failed)?;
        for _ in 0..MOST_REQUESTS {
            if received.status == status {
                break;
            }
            received = client.get("/echo/1", &[]).map_err(failed)?;
        }
        assert_eq!(received.status, status, "{received:?}");
        assert!(!is_paused || received.header("retry-after").is_some(), "{received:?}");
    }
    Ok(())
}
