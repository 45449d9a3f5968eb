//! The key that a caller presents.

use stint_core::http::{Credential, Response};

use super::head::Head;

/// Returns the key in `Authorization: Bearer KEY` or `X-Api-Key: KEY`, if there is one.
pub(super) fn credential(head: &Head) -> Option<Credential> {
    let bearer = head.headers.get("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    });
    let key = bearer.or_else(|| head.headers.get("x-api-key"))?.trim();
    (!key.is_empty()).then(|| Credential(key.to_owned()))
}

/// The response to a request without a key, for a route that needs one.
pub(super) fn unauthorized() -> Response {
    let response =
        Response::error(401, "unauthorized", "this needs a key: Authorization: Bearer KEY, or X-Api-Key: KEY");
    response.with_header("www-authenticate", "Bearer")
}
