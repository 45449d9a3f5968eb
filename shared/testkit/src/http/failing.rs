//! What goes wrong.

use stint_core::ports::PortResult;

use super::worker::LARGE;
use super::{HttpWorld, connect, failed};

/// An unknown path is 404. A known path with another method is 405 and says which methods there are, and so does OPTIONS.
pub async fn a_wrong_method_is_refused_with_the_right_ones(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    for path in ["/", "/nothing", "/echo", "/echo/1/", "/echo/1/2"] {
        assert_eq!(client.get(path, &[]).map_err(failed)?.error(), (404, "not_found".to_owned()), "{path}");
    }
    let allowed = Some("GET, HEAD, POST, DELETE, OPTIONS");
    let refused = client.send("PUT", "/echo/1", &[], b"").map_err(failed)?;
    assert_eq!((refused.error(), refused.header("allow")), ((405, "method_not_allowed".to_owned()), allowed));
    let options = client.send("OPTIONS", "/echo/1", &[], b"").map_err(failed)?;
    assert_eq!((options.status, options.header("allow")), (204, allowed));
    assert_eq!(client.send("OPTIONS", "/nothing", &[], b"").map_err(failed)?.status, 404);
    Ok(())
}

/// A worker that fails, panics, or returns nothing that can be sent is 500, without a word of the inside. An error that it
/// returns is sent as it is.
pub async fn failures_say_nothing_of_the_inside(world: &dyn HttpWorld) -> PortResult<()> {
    let mut client = connect(world)?;
    for path in ["/broken", "/panic", "/silent", "/forged"] {
        let received = client.get(path, &[]).map_err(failed)?;
        assert_eq!(received.error(), (500, "internal_error".to_owned()), "{path}");
        let whole = format!("{:?} {}", received.headers, received.text());
        assert!(!whole.contains("s3cret") && !whole.contains("forged"), "{whole}");
    }
    let refused = client.get("/refused", &[]).map_err(failed)?;
    assert_eq!(refused.error(), (409, "taken".to_owned()));
    assert_eq!(refused.json()["error"]["message"], "this name is taken");
    assert_eq!(refused.header("content-type"), Some("application/json"));
    Ok(())
}

/// A worker that takes longer than its route permits is 504.
pub async fn a_slow_worker_is_a_timeout(world: &dyn HttpWorld) -> PortResult<()> {
    let received = connect(world)?.get("/slow", &[]).map_err(failed)?;
    assert_eq!(received.error(), (504, "timeout".to_owned()));
    Ok(())
}

/// A response that is larger than Lambda may return is refused by name there, and sent elsewhere.
pub async fn a_large_response_is_sent_or_refused_by_name(world: &dyn HttpWorld) -> PortResult<()> {
    let received = connect(world)?.get("/large", &[]).map_err(failed)?;
    if world.is_function() {
        assert_eq!(received.error(), (500, "response_too_large".to_owned()));
    } else {
        assert_eq!((received.status, received.body.len()), (200, LARGE));
    }
    Ok(())
}

/// Headers of 20 KB are refused with 431.
pub async fn headers_that_are_too_large_are_refused(world: &dyn HttpWorld) -> PortResult<()> {
    let received = connect(world)?.get("/echo/1", &[&format!("x-large: {}", "x".repeat(20_000))]).map_err(failed)?;
    assert_eq!(received.status, 431);
    Ok(())
}
